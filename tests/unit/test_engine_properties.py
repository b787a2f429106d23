"""What holds for every graph and every order of outcomes."""

from collections import Counter
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.engine.commands import ResumeStep, RunStep
from domain.engine.decide import advance, fold, outstanding
from domain.engine.events import EventKind
from domain.engine.plan import Plan
from domain.engine.snapshots import from_json, to_json
from domain.engine.state import StepStatus
from domain.graphs import Edge, FailureStrategy, JoinMode, Node
from tests.unit.engine_world import EPOCH, World, completed, failed, node, planned

HANDLES = ("out", "a", "b", "error")


@st.composite
def plans(draw: st.DrawFn, *, cyclic: bool = False) -> Plan:
    count = draw(st.integers(1, 9))
    names = [f"n{number}" for number in range(count)]
    joins = st.one_of(st.none(), st.sampled_from([JoinMode.ANY, JoinMode.FIRST]))
    nodes: list[Node] = [node("start", "trigger"), *(node(name, join=draw(joins)) for name in names)]
    edges: list[Edge] = []
    order = ["start", *names]
    for position, name in enumerate(order[1:], start=1):
        for source in draw(st.lists(st.sampled_from(order[:position]), max_size=3)):
            condition = draw(st.sampled_from([None, None, "x"]))
            handle = draw(st.sampled_from(HANDLES))
            edges.append(Edge(source=source, target=name, source_handle=handle, condition=condition))
    if cyclic:
        for _ in range(draw(st.integers(1, 3))):
            first = draw(st.integers(0, count - 1))
            second = draw(st.integers(first, count - 1))
            back = Edge(
                source=names[second], target=names[first], source_handle="b", max_iterations=draw(st.integers(1, 3))
            )
            edges.append(back)
    strategy = draw(st.sampled_from([FailureStrategy.FAIL, FailureStrategy.CONTINUE]))
    return planned(nodes, edges, strategy=strategy)


def play(data: st.DataObject, plan: Plan, *, check: Callable[[World], None] = lambda world: None) -> World:
    """Run to the end, answering the ready steps in any order with any outcome, disturbed from outside."""
    world = World(plan).start()
    budget = 400
    while world.ready and budget:
        budget -= 1
        path = data.draw(st.sampled_from(sorted(world.ready)))
        command = world.ready[path]
        decisions = {
            str(planned_edge.index): data.draw(st.sampled_from([True, True, False]))
            for planned_edge in plan.nodes[command.node].outgoing
            if planned_edge.edge.condition
        }
        handles = data.draw(st.lists(st.sampled_from(HANDLES), unique=True, max_size=3))
        attempt = command.attempt if isinstance(command, RunStep) else 1
        match data.draw(st.integers(0, 19)):
            case 0:
                world.answer(path, failed())
            case 1 | 2:
                world.answer(path, failed("ROUTED", "error", edges=decisions))
            case 3 | 4 if attempt < 3:
                world.answer(path, failed(retryAt=EPOCH.isoformat()))
            case 5 | 6 if isinstance(command, RunStep):
                world.append(EventKind.SIGNAL_RECEIVED, {"name": "go", "payload": path, "key": str(budget)})
                world.answer(path, (EventKind.WAITING, {"signal": "go"}))
            case 7:
                world.append(EventKind.PAUSED, {})
                world.append(EventKind.RESUMED, {})
            case 8:
                world.append(EventKind.STEP_SKIPPED, {"output": path, "edges": decisions}, path)
                world.ready.pop(path, None)
            case _:
                world.answer(path, completed(*handles, output=path, edges=decisions))
        check(world)
    return world


@settings(max_examples=300, deadline=None)
@given(st.data(), st.booleans())
def test_an_execution_never_deadlocks(data: st.DataObject, cyclic: bool) -> None:
    world = play(data, data.draw(plans(cyclic=cyclic)))
    assert world.finish is not None
    assert not world.state.open


@settings(max_examples=200, deadline=None)
@given(st.data(), st.booleans())
def test_no_finished_step_is_ever_asked_for_again(data: st.DataObject, cyclic: bool) -> None:
    def finished_steps_stay_finished(world: World) -> None:
        for command in outstanding(world.plan, world.state):
            if isinstance(command, RunStep | ResumeStep):
                assert world.state.steps[command.path].status.open
        for path in world.ready:
            assert world.state.steps[path].status.open

    world = play(data, data.draw(plans(cyclic=cyclic)), check=finished_steps_stay_finished)
    ends = (EventKind.STEP_COMPLETED, EventKind.STEP_SKIPPED)
    assert max(Counter(event.path for event in world.log if event.kind in ends).values(), default=0) <= 1


@settings(max_examples=200, deadline=None)
@given(st.data(), st.booleans())
def test_folding_the_log_gives_the_state_from_any_snapshot(data: st.DataObject, cyclic: bool) -> None:
    world = play(data, data.draw(plans(cyclic=cyclic)))
    assert fold(world.plan, world.log) == world.state
    cut = data.draw(st.integers(0, len(world.log)))
    snapshot = from_json(to_json(fold(world.plan, world.log[:cut])))
    assert fold(world.plan, world.log[cut:], snapshot) == world.state


@settings(max_examples=200, deadline=None)
@given(st.data(), st.booleans())
def test_a_worker_that_loads_the_log_is_asked_for_exactly_what_was_open(data: st.DataObject, cyclic: bool) -> None:
    def same_wishes(world: World) -> None:
        asked = {
            command.path
            for command in outstanding(world.plan, world.state)
            if isinstance(command, RunStep | ResumeStep)
        }
        assert asked == set(world.ready)

    play(data, data.draw(plans(cyclic=cyclic)), check=same_wishes)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_dead_paths_die(data: st.DataObject) -> None:
    """Every node of a finished acyclic execution is settled; one ran if an edge to it was taken.

    Unless a race that makes it superfluous had ended before.
    """
    plan = data.draw(plans())
    world = play(data, plan)
    assert world.finish is not None
    if world.finish.ending.value != "COMPLETED":
        return
    assert set(world.state.root.fired) == set(plan.nodes)
    for name, path in world.state.root.fired.items():
        ran = world.state.steps[path].status is not StepStatus.SKIPPED or world.state.steps[path].skipped_by_hand
        taken = any(world.state.root.edges.get(index) is not None for index in plan.nodes[name].incoming)
        lost_a_race = any(name in planned.losers for planned in plan.nodes.values())
        assert ran == (name == "start" or taken) or (taken and lost_a_race)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_an_event_that_does_not_follow_is_refused(data: st.DataObject) -> None:
    world = play(data, data.draw(plans()))
    try:
        advance(world.plan, world.state, world.log[-1])
    except ValueError:
        return
    raise AssertionError("the last event was applied twice")
