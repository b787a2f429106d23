"""Whether a waiting execution may go on with another version: what may differ, and what may not."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as with_fields

from domain.engine.compatibility import ObstacleCode, obstacles
from domain.engine.decide import advance, fold, outstanding
from domain.engine.events import Event, EventKind
from domain.engine.plan import Plan, compile_plan
from domain.graphs import Definition, Edge, Graph, JoinMode, Node, Position
from domain.json import JSON
from tests.unit.engine_world import EPOCH, Answer, Kinds, World, completed, edge, node, planned
from tests.unit.test_engine_properties import plans, play

TRIGGER = node("start", "trigger")
WAITS: Answer = (EventKind.WAITING, {"signal": "go"})


def chain(*nodes: Node) -> Plan:
    whole = (TRIGGER, *nodes)
    return planned(whole, [edge(f"{a.id} > {b.id}") for a, b in pairwise(whole)])


def waiting(plan: Plan, at: str = "hold") -> World:
    """Everything is done until the step waits."""
    world = World(plan).start(7)
    while world.ready:
        path = next(iter(world.ready))
        world.answer(path, WAITS if path == at else completed(output=path))
    return world


def codes(world: World, new: Plan) -> list[tuple[str, str | None]]:
    return [(found.code.value, found.path) for found in obstacles(world.plan, new, world.log)]


BEFORE = chain(node("a"), node("hold", timeout=1), node("b"))


@pytest.mark.parametrize(
    ("new", "what"),
    [
        (BEFORE, "the same"),
        (chain(node("a"), node("hold", timeout=1), node("c"), node("d")), "what lies ahead"),
        (chain(node("a", url="other"), node("hold", timeout=1), node("b")), "the config of what is over"),
        (chain(node("a"), replace(node("hold", timeout=1), name="Hold", position=Position(x=9)), node("b")), "looks"),
        (chain(node("a"), replace(node("hold", timeout=1), timeout=5.0), node("b")), "its time limit"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_waiting_execution_goes_on_where_only_this_differs(new: Plan, what: str) -> None:
    assert codes(waiting(BEFORE), new) == [], what


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (chain(node("a"), node("b")), ("NODE_GONE", "hold")),
        (chain(node("a"), node("hold", "merge", timeout=1), node("b")), ("KIND_CHANGED", "hold")),
        (chain(node("a"), node("hold", timeout=2), node("b")), ("CONFIG_CHANGED", "hold")),
        (chain(node("hold", timeout=1), node("b")), ("NODE_GONE", "a")),
        (chain(node("a"), replace(node("hold", timeout=1), each="{{ input }}"), node("b")), ("BODY_CHANGED", "hold")),
        (chain(node("a"), node("hold", join=JoinMode.EACH, timeout=1), node("b")), ("INCOMING_CHANGED", "hold")),
        (chain(node("a"), node("x"), node("hold", timeout=1), node("b")), ("INCOMING_CHANGED", "hold")),
        (
            planned(
                [TRIGGER, node("a"), node("hold", timeout=1), node("b"), node("aside")],
                [edge("start > a"), edge("a > hold"), edge("hold > b"), edge("a > aside")],
            ),
            ("OPEN_DIFFERS", "aside"),
        ),
    ],
    ids=["gone", "kind", "config", "history gone", "each", "join", "inserted before", "another branch"],
)
def test_it_stays_where_something_it_has_reached_differs(new: Plan, expected: tuple[str, str]) -> None:
    assert expected in codes(waiting(BEFORE), new)


def branching(*more: Edge, condition: str | None = "{{ input.ok }}", first: bool = False) -> Plan:
    given = [edge("start > a", condition=condition), edge("start > hold"), edge("hold > done"), edge("a > done")]
    nodes = [TRIGGER, node("a"), node("hold"), node("done"), node("new")]
    return planned(nodes, [*more, *given] if first else [*given, *more])


def decided(taken: bool) -> World:
    """`a` is chosen by a condition; `hold` waits."""
    world = World(branching()).start()
    world.answer("start", completed(output=1, edges={"0": taken}))
    while world.ready:
        path = next(iter(world.ready))
        world.answer(path, WAITS if path == "hold" else completed(output=path))
    return world


@pytest.mark.parametrize("taken", [True, False])
def test_decisions_hold_where_their_edges_stand_where_they_stood(taken: bool) -> None:
    world = decided(taken)

    assert codes(world, branching(edge("done > new"))) == []
    assert codes(world, branching(edge("done > new"), first=True)) == [("EDGE_MOVED", "start")]


def test_a_condition_that_would_have_decided_otherwise_is_an_obstacle() -> None:
    assert codes(decided(True), branching(condition=None)) == []
    assert ("OPEN_DIFFERS", "a") in codes(decided(False), branching(condition=None))


def test_a_join_that_waits_for_a_new_branch_is_an_obstacle_only_once_it_was_reached() -> None:
    nodes = [TRIGGER, node("a"), node("b"), node("join"), node("last")]
    ways = [edge("start > a"), edge("start > b"), edge("a > join"), edge("b > join"), edge("join > last")]
    old = planned(nodes, ways)
    longer = planned([*nodes, node("c")], [*ways[:3], edge("b > c"), edge("c > join"), ways[4]])

    assert codes(waiting(old, "b"), longer) == []
    assert codes(waiting(old, "join"), longer) == [("INCOMING_CHANGED", "join")]


@settings(max_examples=60, deadline=None)
@given(plan=plans(), data=st.data())
def test_with_a_tail_added_the_new_plan_folds_to_the_same_and_ends(plan: Plan, data: st.DataObject) -> None:
    """Migrated at any point of any run, the execution ends, and nothing that was finished runs again."""
    whole = play(data, plan)
    cut = data.draw(st.integers(1, len(whole.log)))
    log = whole.log[:cut]
    new = tailed(plan)
    if obstacles(plan, new, log):
        return
    before, world = fold(plan, log), World(new, state=fold(new, log), log=list(log))
    assert list(world.state.open) == list(before.open)
    assert {path: step for path, step in world.state.steps.items() if path in before.steps} == before.steps
    for command in outstanding(new, world.state):
        world.note(command)
    assert not {path for path in world.ready if not world.state.steps[path].status.open}
    if world.state.paused:
        world.append(EventKind.RESUMED, {})
    if not world.state.lifecycle.terminal:
        world.run().conclude()


def tailed(plan: Plan) -> Plan:
    """The same graph with a node after its first one without successors."""
    graph = plan.definition.graph
    loose = next((each.id for each in graph.nodes if not any(way.source == each.id for way in graph.edges)), None)
    if loose is None:
        return plan
    longer = Graph(nodes=(*graph.nodes, node("tail")), edges=(*graph.edges, Edge(source=loose, target="tail")))
    return compile_plan(replace(plan.definition, graph=longer), Kinds())


def changed(*, variables: dict[str, JSON], obstacles: Sequence[JSON] = ()) -> Event:
    payload: dict[str, JSON] = {"from": "version_1", "to": "version_2", "by": "user_1", "variables": variables}
    return Event(seq=4, kind=EventKind.VERSION_CHANGED, at=EPOCH, payload=payload | {"obstacles": obstacles})


def test_the_event_gives_new_variables_and_leaves_those_there_are() -> None:
    world = waiting(chain(node("hold")))
    world.state = with_fields(world.state, vars={"kept": 1})

    state, commands = advance(world.plan, world.state, changed(variables={"kept": 2, "new": 3}))

    assert (state.vars, commands, state.seq) == ({"kept": 1, "new": 3}, (), 4)
    assert with_fields(state, seq=3, vars={"kept": 1}) == world.state


def test_a_definition_that_lacks_what_the_log_begins_with_is_no_match() -> None:
    empty = compile_plan(Definition(graph=Graph(nodes=(node("other", "trigger"),))), Kinds())

    found = obstacles(BEFORE, empty, waiting(BEFORE).log)

    assert {each.code for each in found} == {ObstacleCode.NODE_GONE}
