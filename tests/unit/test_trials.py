"""Trials: how nodes are named, what is refused, what the engine keeps of them, and what a log comes to."""

from typing import Any

import pytest
import uuid_utils.compat as uuid

from domain.engine.decide import fold, outstanding
from domain.engine.events import EventKind
from domain.engine.ports import ExecutionStatus
from domain.engine.snapshots import from_json, to_json
from domain.engine.state import StepStatus
from domain.errors import Invalid, TooLarge
from domain.expressions import Expression, Scope, Template, evaluate
from domain.graphs import Edge, Graph, Node
from domain.ids import TenantId
from domain.json import JSON
from domain.trials import (
    Breakpoint,
    Mark,
    Mode,
    Pin,
    Trial,
    When,
    breakpoint_signal,
    node_name,
    trial_from_json,
    trial_to_json,
)
from domain.trials_check import MAX_ASSERTIONS, check_trial
from domain.trials_running import marks_of, stopped_at
from domain.trials_verdict import Shortfall, Verdict, difference, judge
from tests.unit.engine_world import Answer, World, completed, edge, failed, node, planned

TENANT = TenantId(uuid.uuid7())
WHOLE = Trial(
    breakpoints=(Breakpoint(node="a"), Breakpoint(node="call/b", when=When.AFTER)),
    stepping=True,
    pins={"a": Pin(output={"n": 1}), "call/b": Pin(output=None, handle="error")},
    effects=frozenset({"b", "call/c", "call/call/d"}),
    expected={"a": {"n": 1}, "loop[3].b": None},
    assertions=("output == 1",),
    status=ExecutionStatus.FAILED,
)
INNER: JSON = {"id": "inner", "kind": "loop", "config": {"body": {"nodes": [{"id": "deep"}]}}}
BODY: JSON = {
    "nodes": [{"id": "price", "kind": "step"}, INNER],
    "edges": [{"source": "price", "target": "inner", "sourceHandle": "cheap"}],
}
GRAPH = Graph(
    nodes=(Node(id="start", kind="trigger"), Node(id="loop", kind="loop", config={"body": BODY})),
    edges=(Edge(source="start", target="loop"),),
)


class Natively:
    """An Evaluator without a sandbox."""

    async def render(self, tenant: str, template: Template, scope: Scope) -> JSON:
        raise NotImplementedError

    async def evaluate(self, tenant: str, expression: Expression, scope: Scope) -> JSON:
        return evaluate(expression, scope)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("price", "price"),
        ("price#2", "price"),
        ("price:undo", "price"),
        ("price#2:undo", "price"),
        ("each[7]", "each"),
        ("loop[3].price", "loop.price"),
        ("loop#2[3].price#4", "loop.price"),
        ("loop[0][1].price", "loop.price"),
        ("outer[0].inner[1].x-1", "outer.inner.x-1"),
    ],
)
def test_a_step_is_named_in_a_trial_by_its_path_without_numbers(path: str, name: str) -> None:
    assert node_name(path) == name


@pytest.mark.parametrize("trial", [WHOLE, Trial(), None])
def test_a_trial_is_read_back_as_it_was_written(trial: Trial | None) -> None:
    assert trial_from_json(trial_to_json(trial)) == trial


def test_what_a_node_calls_inherits_what_is_named_behind_it_and_no_expectations() -> None:
    assert WHOLE.within("call") == Trial(
        breakpoints=(Breakpoint(node="b", when=When.AFTER),),
        pins={"b": Pin(output=None, handle="error")},
        effects=frozenset({"c", "call/d"}),
    )
    assert WHOLE.within("other") == Trial()


@pytest.mark.parametrize("name", ["start", "loop", "loop.price", "loop.inner.deep", "loop/anything", "loop.price/x"])
def test_nodes_of_bodies_and_of_what_is_called_can_be_named(name: str) -> None:
    check_trial(Trial(breakpoints=(Breakpoint(node=name),), pins={name: Pin(output=1)}), GRAPH, "test")


@pytest.mark.parametrize(
    ("trial", "path"),
    [
        (Trial(breakpoints=(Breakpoint(node="start"), Breakpoint(node="price"))), "breakpoints.1.node"),
        (Trial(pins={"loop.pric": Pin(output=1)}), "pins.loop.pric"),
        (Trial(pins={"lop/x": Pin(output=1)}), "pins.lop/x"),
        (Trial(pins={"loop.price": Pin(output=1, handle="dear")}), "pins.loop.price.handle"),
        (Trial(effects=frozenset({"x"})), "effects.x"),
        (Trial(expected={"loop[3].prices": 1}), "expected.loop[3].prices"),
        (Trial(expected={"loop/x": 1}), "expected.loop/x"),
        (Trial(assertions=("1", "(")), "assertions.1"),
        (Trial(assertions=("1",) * (MAX_ASSERTIONS + 1)), "assertions"),
        (Trial(status=ExecutionStatus.RUNNING), "status"),
    ],
)
def test_what_the_workflow_does_not_have_is_refused_with_the_field(trial: Trial, path: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_trial(trial, GRAPH, "test")
    assert ".".join(refused.value.path) == f"test.{path}"


def test_a_pin_may_take_any_output_an_edge_leaves_by() -> None:
    check_trial(Trial(pins={"loop.price": Pin(output=1, handle="cheap")}), GRAPH)
    check_trial(Trial(pins={"loop.price": Pin(output=1, handle="error")}), GRAPH)


def test_a_draft_whose_bodies_are_anything_is_no_crash() -> None:
    odd: list[JSON] = [7, "x", [1], {"nodes": 3}, {"nodes": [1, {"id": None}], "edges": [{}, 2]}]
    graph = Graph(nodes=tuple(Node(id=f"n{at}", kind="loop", config={"body": body}) for at, body in enumerate(odd)))
    with pytest.raises(Invalid):
        check_trial(Trial(effects=frozenset({"n0.x"})), graph)


def test_a_trial_too_large_for_a_log_is_refused() -> None:
    with pytest.raises(TooLarge):
        check_trial(Trial(pins={"loop": Pin(output="x" * 2_000_000)}), GRAPH)


def world(trial: Trial, *names: str) -> World:
    """An execution of a chain of nodes that has just begun."""
    stations = ["start", *names]
    ways = [edge(f"{one} > {other}") for one, other in zip(stations, names, strict=False)]
    begun = World(planned([node("start", "trigger"), *(node(name) for name in names)], ways))
    begun.append(EventKind.EXECUTION_STARTED, {"input": 1, "variables": {}, "test": trial_to_json(trial)})
    return begun


def stop(path: str) -> Answer:
    return EventKind.WAITING, {"signal": breakpoint_signal(path)}


def release(play: World, path: str, mode: Mode) -> None:
    name = breakpoint_signal(path)
    signal: dict[str, Any] = {"name": name, "key": f"{name}:{mode}", "payload": {"mode": mode.value}, "transient": True}
    play.append(EventKind.SIGNAL_RECEIVED, signal)


def test_the_state_knows_its_trial_and_so_does_its_snapshot() -> None:
    play = world(WHOLE, "a")
    play.answer("start", stop("start"))

    assert (play.state.trial, play.state.stepping) == (WHOLE, True)
    assert stopped_at(play.state) == ["start"]
    assert from_json(to_json(play.state)) == play.state
    assert fold(play.plan, play.log) == play.state


def test_a_snapshot_from_before_there_were_tests_is_read() -> None:
    play = World(world(Trial(), "a").plan).start()
    snapshot = {key: value for key, value in to_json(play.state).items() if key not in ("test", "stepping")}
    assert from_json(snapshot) == play.state


def test_a_released_step_runs_and_how_it_was_released_decides_about_the_next() -> None:
    play = world(Trial(), "a", "b")
    play.answer("start", stop("start"))
    release(play, "start", Mode.STEP)
    assert (play.state.stepping, stopped_at(play.state), list(play.ready)) == (True, [], ["start"])
    play.answer("start", completed())
    play.answer("a", stop("a"))
    release(play, "a", Mode.CONTINUE)
    assert play.state.stepping is False


def test_a_release_that_comes_too_late_is_not_kept_for_another_stop() -> None:
    play = world(Trial(), "a")
    release(play, "a", Mode.CONTINUE)
    play.answer("start", completed())
    play.answer("a", stop("a"))

    assert stopped_at(play.state) == ["a"]


def test_a_released_step_that_waits_for_its_body_or_a_child_waits_for_nothing_else() -> None:
    for outcome in (
        (EventKind.CHILD_STARTED, {"execution": "execution_1"}),
        (EventKind.WAITING, {"loop": {"count": 0}, "took": True}),
    ):
        play = world(Trial(), "a")
        play.answer("start", stop("start"))
        release(play, "start", Mode.CONTINUE)
        play.answer("start", (outcome[0], dict(outcome[1])))
        assert play.state.steps["start"].signal is None


def test_a_released_step_that_is_cancelled_leaves_no_release_behind() -> None:
    play = world(Trial(), "a")
    play.answer("start", stop("start"))
    release(play, "start", Mode.CONTINUE)
    play.append(EventKind.CANCEL_REQUESTED, {"reason": None})

    assert play.state.signals == {}
    assert play.state.steps["start"].status is StepStatus.CANCELLED


def test_a_stopped_step_is_not_issued_again_until_it_is_released() -> None:
    play = world(Trial(), "a")
    play.answer("start", stop("start"))
    assert outstanding(play.plan, play.state) == ()
    release(play, "start", Mode.CONTINUE)
    assert [command.path for command in outstanding(play.plan, play.state) if hasattr(command, "path")] == ["start"]


def test_marks_are_read_off_the_log_in_its_order() -> None:
    play = world(Trial(), "a", "b")
    play.answer("start", completed(pinned=True))
    play.answer("a", failed("A", retryAt=None, effects=True, handles=["out"]))
    play.answer("b", completed(simulated=True))
    assert marks_of(play.log) == [("start", Mark.PINNED), ("a", Mark.EFFECTS), ("b", Mark.SIMULATED)]


async def verdict(play: World, trial: Trial) -> Verdict | None:
    return await judge(trial, play.state, tenant_id=TENANT, evaluator=Natively())


async def test_there_is_no_verdict_while_it_runs() -> None:
    assert await verdict(world(Trial(), "a"), Trial()) is None


async def test_a_test_passes_when_everything_is_as_it_was_to_be() -> None:
    play = world(Trial(), "a", "b")
    play.run(lambda path: completed(output={"at": path})).conclude()
    trial = Trial(
        expected={"a": {"at": "a"}, "b": {"at": "b"}},
        assertions=("output.at == 'b'", "steps.a.output.at == 'a'", "status == 'COMPLETED'", "input == 1", "!error"),
    )

    found = await verdict(play, trial)

    assert found == Verdict(failures=[])
    assert found is not None
    assert found.passed


async def test_a_test_says_of_each_thing_why_it_is_not_so() -> None:
    nodes = [node("start", "trigger"), *map(node, "abc")]
    play = World(planned(nodes, [edge("start > a"), edge("a > b"), edge("start > c", handle="other")])).start()
    play.answer("start", completed(output=1))
    play.answer("a", completed(output={"n": [1, 2]}))
    play.answer("b", failed("BROKEN", final=True))
    play.conclude()
    trial = Trial(
        expected={"a": {"n": [1, 3]}, "b": 1, "c": 2, "a#2": 3},
        assertions=("output == null", "output.x > 1", "status == 'COMPLETED'"),
    )

    found = await verdict(play, trial)

    assert found is not None
    assert not found.passed
    assert list(found.failures) == [
        Shortfall(
            message="The execution ended FAILED, not COMPLETED: BROKEN",
            expected="COMPLETED",
            actual="FAILED",
            node="b",
            path="b",
        ),
        Shortfall(message="output.n[1] is 2, not 3", expected={"n": [1, 3]}, actual={"n": [1, 2]}, node="a", path="a"),
        Shortfall(message="b failed: BROKEN", expected=1, node="b", path="b"),
        Shortfall(message="c was skipped", expected=2, node="c", path="c"),
        Shortfall(message="a#2 was never reached", expected=3, node="a"),
        Shortfall(
            message="output.x > 1 cannot be evaluated: TypeError: cannot read property 'x' of null",
            expected=True,
        ),
        Shortfall(message="status == 'COMPLETED' does not hold", expected=True, actual=False),
    ]


async def test_a_test_of_a_failure_passes_when_it_fails_as_it_was_to() -> None:
    play = world(Trial(), "a").run(lambda path: failed("NO") if path == "a" else completed()).conclude()
    trial = Trial(status=ExecutionStatus.FAILED, assertions=("error.code == 'NO'",))

    assert await verdict(play, trial) == Verdict(failures=[])


@pytest.mark.parametrize(
    ("expected", "actual", "message"),
    [
        (1, 1.0, None),
        (1, True, "output is true, not 1"),
        (None, 0, "output is 0, not null"),
        ({"a": {"b": 1}}, {"a": {}}, "output.a.b is missing"),
        ({"a": 1}, {"a": 1, "c": 2}, "output.c was not expected"),
        ([1, {"x": "y"}], [1, {"x": "z"}], "output[1].x is 'z', not 'y'"),
        ([1], [1, 2], "output has 2 elements, not 1"),
        ({"a": 1}, [1], "output is a list, not an object"),
        ({"b": 1, "a": [2]}, {"a": [2], "b": 1}, None),
    ],
)
def test_the_first_difference_is_told_in_words(expected: JSON, actual: JSON, message: str | None) -> None:
    assert difference(expected, actual) == message
