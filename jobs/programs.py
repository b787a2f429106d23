"""Definitions made ready to run: the plan, each node's behaviour, and its config and conditions compiled once."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from domain.engine.plan import Plan, PlannedNode, compile_plan
from domain.engine.ports import Definitions, StoredDefinition
from domain.engine.scopes import Trail
from domain.engine.state import StepState
from domain.errors import Refusal
from domain.expressions import Expression, Template, compile_condition, compile_value
from domain.graphs import ERROR, OUT, Definition, FailureStrategy, Node
from domain.ids import VersionId
from domain.json import JSON
from domain.undoing import undoing
from jobs.each import EACH, over_elements
from jobs.locking import Lock, lock_of
from jobs.nodes.base import Behaviour
from jobs.nodes.catalog import Catalog
from jobs.result_cache import Cache, cache_of

_KEPT = 1_000
_MALFORMED = (KeyError, TypeError, ValueError, AttributeError)
"""What reading a definition raises whose shape is not this release's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeProgram:
    """`template` is the config without the fields the kind evaluates itself; those stand in `raw` as written.

    `onward`: the handles taken where the node does not choose them: it was skipped by hand, or failed and is let go on.
    `undo`: what compensates it. `lock`: what it holds while it runs; `cache`: how long its result is kept.
    """

    node: Node
    behaviour: Behaviour
    template: Template
    raw: Mapping[str, JSON]
    onward: tuple[str, ...]
    undo: "NodeProgram | None" = None
    lock: Lock | None = None
    cache: Cache | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """One graph made ready; `conditions` by edge index."""

    plan: Plan
    nodes: Mapping[str, NodeProgram]
    conditions: Mapping[int, Expression]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """`bodies`: every graph of the definition, its own at `()`.

    `callbacks`: the nodes that wait for a resume link; `locking`: those that hold a lock, of whatever graph.
    """

    plan: Plan
    workflow_name: str
    bodies: Mapping[Trail, Body]
    callbacks: tuple[str, ...]
    locking: frozenset[str] = frozenset()

    def of(self, step: StepState) -> NodeProgram:
        """What runs this step: its node, or what compensates it."""
        program = self.bodies[step.trail].nodes[step.node]
        return program.undo if step.undoes is not None and program.undo is not None else program


_NOTHING = Plan(
    nodes={},
    edges=(),
    entries=(),
    orphans=(),
    cycles=(),
    strategy=FailureStrategy.FAIL,
    definition=Definition(),
)
EMPTY = Program(
    plan=_NOTHING,
    workflow_name="",
    bodies={(): Body(plan=_NOTHING, nodes={}, conditions={})},
    callbacks=(),
)
"""The program of what cannot run: enough to end it."""


class Unrunnable(Exception):
    """The definition cannot run here: a kind is missing or an expression does not compile."""


class Programs:
    """The programs of recently used versions, the most recent kept."""

    def __init__(self, definitions: Definitions, catalog: Catalog) -> None:
        self._definitions = definitions
        self._catalog = catalog
        self._kept: OrderedDict[VersionId, Program | Unrunnable] = OrderedDict()

    async def get(self, versions: Iterable[VersionId]) -> Mapping[VersionId, Program | Unrunnable]:
        """One program per version; what cannot run comes as Unrunnable with the reason."""
        wanted = set(versions)
        missing = [version for version in wanted if version not in self._kept]
        if missing:
            await self._load(missing)
        found: dict[VersionId, Program | Unrunnable] = {}
        for version in wanted:
            found[version] = self._kept.get(version) or Unrunnable("its version is gone")
            if version in self._kept:
                self._kept.move_to_end(version)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return found

    async def _load(self, versions: Sequence[VersionId]) -> None:
        try:
            loaded = await self._definitions.load(versions)
        except _MALFORMED as error:
            if len(versions) == 1:
                self._kept[versions[0]] = Unrunnable(f"its version cannot be read: {error}")
                return
            for version in versions:  # one of them must not stop the others
                await self._load([version])
            return
        for version, stored in loaded.items():
            self._kept[version] = _attempt(stored, self._catalog)


def _attempt(stored: StoredDefinition, catalog: Catalog) -> Program | Unrunnable:
    try:
        return compile_program(stored, catalog)
    except KeyError as error:
        return Unrunnable(f"there is no node or kind {error}")
    except Refusal as error:
        return Unrunnable(error.message)
    except ValueError as error:
        return Unrunnable(str(error))


def compile_program(stored: StoredDefinition, catalog: Catalog) -> Program:
    """Raises KeyError for a kind or node that is not there and ExpressionError for an expression that is none."""
    plan = compile_plan(stored.definition, catalog)
    bodies = {trail: _body(body, catalog) for trail, body in plan.bodies.items()}
    return Program(
        plan=plan,
        workflow_name=stored.workflow_name,
        bodies=bodies,
        callbacks=tuple(
            name for name, program in bodies[()].nodes.items() if program.node.config.get("callback") is True
        ),
        locking=frozenset(
            name for body in bodies.values() for name, program in body.nodes.items() if program.lock is not None
        ),
    )


def _body(plan: Plan, catalog: Catalog) -> Body:
    return Body(
        plan=plan,
        nodes={name: _planned(planned, catalog) for name, planned in plan.nodes.items()},
        conditions={
            edge.index: compile_condition(edge.edge.condition) for edge in plan.edges if edge.edge.condition is not None
        },
    )


def _planned(planned: PlannedNode, catalog: Catalog) -> NodeProgram:
    node = planned.node
    if planned.single:
        onward = _onward(node, catalog.behaviour(node.kind))
        return _node(over_elements(node), EACH, onward=onward)
    program = _node(node, catalog.behaviour(node.kind))
    undo = undoing(node)
    return program if undo is None else replace(program, undo=_node(undo, catalog.behaviour(undo.kind)))


def _node(node: Node, behaviour: Behaviour, *, onward: tuple[str, ...] | None = None) -> NodeProgram:
    raw = {key: node.config[key] for key in behaviour.raw_fields if key in node.config}
    rendered = {key: value for key, value in node.config.items() if key not in raw}
    return NodeProgram(
        node=node,
        behaviour=behaviour,
        template=compile_value(rendered),
        raw=raw,
        onward=onward or _onward(node, behaviour),
        lock=lock_of(node),
        cache=cache_of(node),
    )


def _onward(node: Node, behaviour: Behaviour) -> tuple[str, ...]:
    """The kind's first handle; where this node names its own (branches), all of them."""
    first = behaviour.kind.output_handles[:1]
    own = tuple(handle for handle in behaviour.handles(node.config) if handle != ERROR)
    return (first if set(first) <= set(own) else own) or (OUT,)
