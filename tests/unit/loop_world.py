"""Loops for tests of the engine, and what a worker finds that claims a retry: changes when either is made anew."""

from itertools import pairwise

from domain.engine.commands import ResumeStep
from domain.engine.decide import fold, outstanding
from domain.engine.events import Event, EventKind
from domain.engine.outcomes import LoopEnded
from domain.engine.plan import Plan, compile_plan
from domain.engine.seed import seed
from domain.graphs import Definition, Edge, FailureStrategy, Graph, Node, WorkflowSettings
from domain.json import JSON, JSONObject
from jobs.nodes.catalog import CATALOG
from tests.unit.engine_world import EPOCH, Answer, World

CHARGE: JSONObject = {"kind": "set", "config": {"values": {}}}


def plan_of(*nodes: Node, edges: str = "", strategy: FailureStrategy = FailureStrategy.FAIL) -> Plan:
    """The nodes after a trigger `start`, in the order of `edges`, or one after the other."""
    whole = [Node(id="start", kind="trigger"), *nodes]
    order = edges.split() or [node.id for node in whole]
    ways = [Edge(source=source, target=target) for source, target in pairwise(order)]
    definition = Definition(graph=Graph(nodes=whole, edges=ways), settings=WorkflowSettings(on_failure=strategy))
    return compile_plan(definition, CATALOG)


def loop(*names: str, name: str = "loop", **config: JSON) -> Node:
    """A loop whose body runs these steps one after the other."""
    nodes: list[JSON] = [{"id": each, "kind": "set", "config": {"values": {}}} for each in names]
    ways: list[JSON] = [{"source": a, "target": b} for a, b in pairwise(names)]
    body: JSON = {"nodes": nodes, "edges": ways}
    return Node(id=name, kind="loop", config={"body": body, **config})


def plain(name: str, *, undo: bool = False) -> Node:
    return Node(id=name, kind="set", config={"values": {}}, compensation=CHARGE if undo else None)


def going(*items: JSON, **more: JSON) -> Answer:
    """A loop begins its body for these items."""
    return EventKind.WAITING, {"loop": {"items": list(items), **more}}


def broken(path: str) -> Answer:
    """What a loop says whose body has failed at `path`."""
    return EventKind.STEP_FAILED, {"error": {"code": "BROKEN", "message": "", "details": {"path": path}}}


def again(first: World, path: str, overrides: JSONObject | None = None) -> World:
    """What a worker finds that claims the retry of `first` from `path`."""
    state = fold(first.plan, first.log, keeps=True)
    payload = seed(first.plan, state, first.log, source="execution_1", path=path, overrides=overrides)
    begun = Event(seq=1, kind=EventKind.EXECUTION_STARTED, at=EPOCH, payload=first.log[0].payload)
    seeded = Event(seq=2, kind=EventKind.SEEDED, at=EPOCH, payload=payload)
    state = fold(first.plan, [begun, seeded])
    world = World(first.plan, state=state, log=[begun, seeded])
    for command in outstanding(first.plan, state):
        world.note(command)
    return world


def results(world: World, path: str) -> list[JSON]:
    """What the loop is resumed with, once all of its iterations have ended."""
    command = world.ready[path]
    assert isinstance(command, ResumeStep)
    assert isinstance(command.cause, LoopEnded)
    return list(command.cause.results)
