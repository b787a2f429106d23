"""Doing it again from a step: what had finished stays finished, the rest runs, and it ends."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.engine.commands import Ending, RunStep
from domain.engine.decide import fold, outstanding
from domain.engine.events import Event, EventKind
from domain.engine.plan import Plan
from domain.engine.seed import failed_path, retryable_paths, seed
from domain.engine.state import StepStatus
from domain.graphs import FailureStrategy, JoinMode
from domain.json import JSON, JSONObject, as_list, as_object
from tests.unit.engine_world import EPOCH, World, completed, edge, failed, node, planned
from tests.unit.test_engine_properties import HANDLES, plans, play

TRIGGER = node("start", "trigger")


def again(first: World, path: str, overrides: JSONObject | None = None) -> World:
    """What a worker finds that claims the retry of `first` from `path`."""
    payload = seed(first.plan, first.state, first.log, source="execution_1", path=path, overrides=overrides)
    begun = Event(seq=1, kind=EventKind.EXECUTION_STARTED, at=EPOCH, payload=first.log[0].payload)
    seeded = Event(seq=2, kind=EventKind.SEEDED, at=EPOCH, payload=payload)
    state = fold(first.plan, [begun, seeded])
    world = World(first.plan, state=state, log=[begun, seeded])
    for command in outstanding(first.plan, state):
        world.note(command)
    return world


def chain(*names: str) -> Plan:
    stations = ["start", *names]
    ways = [edge(f"{source} > {target}") for source, target in pairwise(stations)]
    return planned([TRIGGER, *(node(name) for name in names)], ways)


def test_a_retry_begins_at_the_step_that_failed_and_keeps_what_came_before() -> None:
    first = World(chain("a", "b", "c")).start(7)
    first.run(lambda path: failed() if path == "b" else completed(output=path, variables={path: 1}))
    first.conclude()
    assert failed_path(first.state) == "b"

    world = again(first, "b")

    assert list(world.ready) == ["b"]
    assert (world.state.input, world.state.vars) == (7, {"start": 1, "a": 1})
    assert world.state.steps["a"].output == "a"
    world.run().conclude()
    assert (world.state.lifecycle.value, world.state.output) == ("COMPLETED", "c")


def test_an_edited_input_belongs_to_the_first_activation_of_its_node() -> None:
    first = World(chain("a", "b")).start().run().conclude()

    world = again(first, "b", {"b": {"edited": True}})

    assert world.state.inputs == {"b": {"edited": True}}


def test_there_is_no_retry_from_a_step_that_never_was() -> None:
    first = World(chain("a")).start().run().conclude()
    with pytest.raises(KeyError):
        again(first, "nowhere")


def test_what_was_skipped_because_its_way_died_is_no_place_to_begin() -> None:
    first = World(chain("a", "b")).start()
    first.run(lambda path: completed("nothing") if path == "a" else completed())
    assert retryable_paths(first.state) == ["start", "a"]


def test_a_step_skipped_by_hand_can_be_run_after_all() -> None:
    first = World(chain("a", "b")).start()
    first.answer("start", completed())
    first.append(EventKind.STEP_SKIPPED, {"output": 1}, "a")
    first.run().conclude()

    assert retryable_paths(first.state) == ["start", "a", "b"]


def test_every_branch_that_failed_is_tried_again() -> None:
    plan = planned(
        [TRIGGER, node("a"), node("b"), node("c")],
        [edge("start > a"), edge("start > b"), edge("start > c")],
        strategy=FailureStrategy.CONTINUE,
    )
    first = World(plan).start().run(lambda path: failed() if path in ("a", "b") else completed(output=path))
    first.conclude()

    world = again(first, "a")

    assert list(world.ready) == ["a", "b"]
    world.run().conclude()
    assert world.state.lifecycle.value == "COMPLETED"


def test_a_branch_that_was_stopped_by_anothers_failure_runs_with_it() -> None:
    plan = planned([TRIGGER, node("a"), node("b")], [edge("start > a"), edge("start > b")])
    first = World(plan).start()
    first.answer("start", completed())
    first.answer("a", failed())
    first.conclude()

    for path in ("a", "b"):
        assert list(again(first, path).ready) == ["a", "b"]


def test_a_condition_that_failed_is_decided_again() -> None:
    plan = planned([TRIGGER, node("a"), node("b")], [edge("start > a"), edge("a > b", condition="x")])
    first = World(plan).start()
    error: JSON = {"code": "CONDITION_FAILED", "message": "no"}
    first.run(lambda path: completed(edges={"1": error}) if path == "a" else completed())
    assert failed_path(first.state) == "a"

    world = again(first, "a")

    world.run(lambda path: completed(edges={"1": True})).conclude()
    assert world.statuses() == {"start": "COMPLETED", "a": "COMPLETED", "b": "COMPLETED"}


def test_a_race_that_was_won_is_not_run_again_for_its_losers() -> None:
    plan = planned(
        [TRIGGER, node("a"), node("b"), node("race", join=JoinMode.FIRST), node("after")],
        [edge("start > a"), edge("start > b"), edge("a > race"), edge("b > race"), edge("race > after")],
    )
    first = World(plan).start()
    first.answer("start", completed())
    first.answer("a", failed())
    first.answer("b", completed())
    first.run(lambda path: failed() if path == "after" else completed()).conclude()

    assert list(again(first, "after").ready) == ["after"]


def test_a_retry_of_a_retry_keeps_what_both_had_finished() -> None:
    first = World(chain("a", "b", "c")).start().run(lambda path: failed() if path == "b" else completed(output=1))
    second = again(first, "b").run(lambda path: failed() if path == "c" else completed(output=2)).conclude()

    world = again(second, "c")

    assert list(world.ready) == ["c"]
    assert [world.state.steps[path].output for path in ("start", "a", "b")] == [1, 1, 2]


def test_a_variable_set_from_outside_is_set_again_in_its_place() -> None:
    first = World(chain("a", "b")).start()
    first.answer("start", completed(variables={"n": 1}))
    first.append(EventKind.VARIABLE_SET, {"name": "n", "value": 2})
    first.answer("a", completed(variables={"m": 3}))
    first.answer("b", failed())

    assert again(first, "b").state.vars == {"n": 2, "m": 3}


# For every graph and every way it went


def finished_elsewhere(first: World, path: str) -> dict[str, JSON]:
    """Of what does not depend on the step: all that finished, with its output; a way may live that had died."""
    redone = first.plan.downstream(first.state.steps[path].node)
    return {
        step.path: step.output
        for step in first.state.steps.values()
        if step.node not in redone and (step.status is StepStatus.COMPLETED or step.skipped_by_hand)
    }


def taken_over(world: World) -> set[str]:
    steps = as_list(world.log[1].payload.get("steps"))
    return {str(as_object(entry)["path"]) for entry in steps if "path" in as_object(entry)}


@settings(max_examples=150, deadline=None)
@given(st.data(), st.booleans())
def test_what_was_taken_over_never_runs_again_and_it_ends(data: st.DataObject, cyclic: bool) -> None:
    first = play(data, data.draw(plans(cyclic=cyclic)))
    first.conclude()
    path = data.draw(st.sampled_from(retryable_paths(first.state)))
    world = again(first, path)
    kept = taken_over(world)
    ran: set[str] = set()

    while world.ready:
        step = data.draw(st.sampled_from(sorted(world.ready)))
        ran.add(step)
        handles = data.draw(st.lists(st.sampled_from(HANDLES), unique=True, max_size=3))
        decisions = {
            str(planned_edge.index): data.draw(st.booleans())
            for planned_edge in first.plan.nodes[world.ready[step].node].outgoing
            if planned_edge.edge.condition
        }
        world.answer(step, completed(*handles, output=step, edges=decisions))

    assert not ran & kept
    assert world.finish is not None
    assert not world.state.open


@settings(max_examples=150, deadline=None)
@given(st.data(), st.booleans())
def test_when_nothing_else_had_failed_all_that_does_not_depend_on_the_step_is_kept(
    data: st.DataObject, cyclic: bool
) -> None:
    first = play(data, data.draw(plans(cyclic=cyclic)))
    first.conclude()
    if first.finish is None or first.finish.ending is not Ending.COMPLETED:
        return
    path = data.draw(st.sampled_from(retryable_paths(first.state)))
    world = again(first, path)

    outputs = {name: step.output for name, step in world.state.steps.items() if not step.status.open}
    assert finished_elsewhere(first, path).items() <= outputs.items()
    for command in world.ready.values():
        assert isinstance(command, RunStep)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.booleans())
def test_a_retry_of_what_failed_begins_at_the_failure_or_behind_it(data: st.DataObject, cyclic: bool) -> None:
    first = play(data, data.draw(plans(cyclic=cyclic)))
    first.conclude()
    path = failed_path(first.state)
    if path is None:
        return
    redone = first.plan.downstream(first.state.steps[path].node)
    assert any(command.node in redone for command in again(first, path).ready.values())
