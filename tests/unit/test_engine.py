"""The engine's rules, one small graph each."""

from collections.abc import Callable
from typing import cast

from domain.engine.commands import Ending, ResumeStep, RunStep
from domain.engine.decide import fold, outstanding
from domain.engine.events import EventKind
from domain.engine.outcomes import SignalArrived
from domain.engine.snapshots import from_json, to_json
from domain.graphs import FailureStrategy, JoinMode
from domain.json import JSON
from tests.unit.engine_world import Answer, World, completed, edge, failed, node, planned

TRIGGER = node("start", "trigger")


def answers(**given: Answer) -> Callable[[str], Answer]:
    def answer(path: str) -> Answer:
        return given.get(path) or completed(output=path)

    return answer


def diamond(join: JoinMode | None = None) -> World:
    plan = planned(
        [TRIGGER, node("left"), node("right"), node("meet", join=join)],
        [
            edge("start > left", handle="a"),
            edge("start > right", handle="b"),
            edge("left > meet"),
            edge("right > meet"),
        ],
    )
    return World(plan).start()


def test_a_chain_runs_in_order_and_gives_the_last_output() -> None:
    plan = planned([TRIGGER, node("one"), node("two")], [edge("start > one"), edge("one > two")])
    world = World(plan).start({"n": 1}).run().conclude()
    assert [event.path for event in world.log if event.path] == ["start", "one", "two"]
    assert (world.state.lifecycle.value, world.state.output) == ("COMPLETED", "two")


def test_a_join_runs_once_when_one_branch_is_dead() -> None:
    world = diamond().run(answers(start=completed("a")))
    assert world.statuses() == {"start": "COMPLETED", "left": "COMPLETED", "right": "SKIPPED", "meet": "COMPLETED"}


def test_a_join_waits_for_both_branches_and_gets_both_inputs() -> None:
    world = diamond()
    world.answer("start", completed("a", "b"))
    world.answer("left", completed(output=1))
    assert list(world.ready) == ["right"]
    world.answer("right", completed(output=2))
    assert world.state.steps["meet"].sources == ("left", "right")


def test_a_node_whose_edges_are_all_dead_is_skipped_and_the_execution_ends() -> None:
    world = diamond().run(answers(start=completed("nothing")))
    assert set(world.statuses().values()) == {"COMPLETED", "SKIPPED"}
    assert world.finish is not None


def test_any_fires_with_the_first_branch_and_cancels_the_other() -> None:
    world = diamond(JoinMode.ANY)
    world.answer("start", completed("a", "b"))
    world.answer("right", completed(output="r"))
    assert world.cancelled == ["left"]
    assert world.state.steps["meet"].sources == ("right",)


def test_first_bears_a_failure_while_another_branch_may_succeed() -> None:
    world = diamond(JoinMode.FIRST)
    world.answer("start", completed("a", "b"))
    world.answer("left", failed())
    assert world.finish is None
    world.run()
    assert world.finish is not None
    assert world.finish.ending is Ending.COMPLETED


def test_first_fails_when_every_branch_has_failed() -> None:
    world = diamond(JoinMode.FIRST)
    world.answer("start", completed("a", "b"))
    world.answer("left", failed("LEFT"))
    world.answer("right", failed("RIGHT"))
    assert world.finish is not None
    assert (world.finish.ending, world.finish.error) == (Ending.FAILED, {"code": "LEFT", "message": "LEFT"})


def test_a_failure_cancels_the_other_branch_and_ends_the_execution() -> None:
    world = diamond()
    world.answer("start", completed("a", "b"))
    world.answer("left", failed())
    assert world.cancelled == ["right"]
    assert world.finish is not None
    assert (world.finish.ending, world.finish.path) == (Ending.FAILED, "left")


def test_strategy_continue_lets_the_other_branch_finish_before_failing() -> None:
    plan = planned(
        [TRIGGER, node("bad"), node("good")],
        [edge("start > bad"), edge("start > good")],
        strategy=FailureStrategy.CONTINUE,
    )
    world = World(plan).start().run(answers(bad=failed()))
    assert world.statuses()["good"] == "COMPLETED"
    assert world.finish is not None
    assert world.finish.ending is Ending.FAILED


def test_cancelling_beside_a_failure_that_is_borne_is_still_a_cancellation() -> None:
    plan = planned(
        [TRIGGER, node("bad"), node("good")],
        [edge("start > bad"), edge("start > good")],
        strategy=FailureStrategy.CONTINUE,
    )
    world = World(plan).start()
    world.answer("start", completed())
    world.answer("bad", failed())
    world.append(EventKind.CANCEL_REQUESTED, {"reason": "stop"})

    assert world.finish is not None
    assert (world.finish.ending, world.finish.error) == (Ending.CANCELLED, None)


def test_a_retry_is_asked_for_at_the_drawn_time() -> None:
    plan = planned([TRIGGER, node("flaky")], [edge("start > flaky")])
    world = World(plan).start()
    world.answer("start", completed())
    world.answer("flaky", failed(retryAt="2026-01-01T00:10:00+00:00"))
    command = cast("RunStep", world.ready["flaky"])
    assert (command.attempt, command.not_before and command.not_before.minute) == (2, 10)
    world.run()
    assert world.state.steps["flaky"].attempt == 2


def test_an_error_route_takes_the_error_handle() -> None:
    plan = planned(
        [TRIGGER, node("call"), node("fallback"), node("next")],
        [edge("start > call"), edge("call > fallback", handle="error"), edge("call > next")],
    )
    world = World(plan).start("order").run(answers(call=failed("BROKEN", "error")))
    assert world.statuses() == {"start": "COMPLETED", "call": "FAILED", "fallback": "COMPLETED", "next": "SKIPPED"}
    assert world.state.root.view["call"] == {
        "output": None,
        "status": "FAILED",
        "error": {"code": "BROKEN", "message": "BROKEN"},
    }


def test_a_false_edge_condition_kills_the_edge_and_a_failed_one_fails_the_step_but_keeps_its_output() -> None:
    plan = planned(
        [TRIGGER, node("check"), node("after")], [edge("start > check"), edge("check > after", condition="x")]
    )
    false = World(plan).start().run(answers(check=completed(output=1, edges={"1": False})))
    assert false.statuses()["after"] == "SKIPPED"
    error: dict[str, JSON] = {"code": "CONDITION_FAILED", "message": "x is not defined"}
    broken = World(plan).start().run(answers(check=completed(output=1, edges={"1": error})))
    assert broken.state.steps["check"].output == 1
    assert broken.finish is not None
    assert (broken.finish.ending, broken.finish.error) == (Ending.FAILED, error)


def test_cancelling_cancels_what_is_open_and_finishes_cancelled() -> None:
    world = diamond()
    world.answer("start", completed("a", "b"))
    world.append(EventKind.CANCEL_REQUESTED, {"reason": "stop"})
    assert world.cancelled == ["left", "right"]
    assert world.finish is not None
    assert world.finish.ending is Ending.CANCELLED


def test_a_signal_before_its_wait_is_kept_first_in_first_out() -> None:
    plan = planned([TRIGGER, node("wait")], [edge("start > wait")])
    world = World(plan).start()
    world.append(EventKind.SIGNAL_RECEIVED, {"name": "go", "payload": 1, "key": "k1"})
    world.append(EventKind.SIGNAL_RECEIVED, {"name": "go", "payload": 2, "key": "k2"})
    world.answer("start", completed())
    world.answer("wait", (EventKind.WAITING, {"signal": "go"}))
    assert world.ready["wait"] == ResumeStep(path="wait", node="wait", cause=SignalArrived(payload=1, name="go"))
    world.answer("wait", completed(output=1))
    assert [signal.payload for signal in world.state.signals["go"]] == [2]


def test_two_waits_of_one_name_get_their_signals_in_the_order_they_began() -> None:
    world = diamond()
    world.answer("start", completed("a", "b"))
    world.answer("left", (EventKind.WAITING, {"signal": "go"}))
    world.answer("right", (EventKind.WAITING, {"signal": "go"}))
    world.append(EventKind.SIGNAL_RECEIVED, {"name": "go", "payload": 1, "key": "k"})
    assert list(world.ready) == ["left"]


def test_a_paused_execution_starts_nothing_and_resumes_where_it_was() -> None:
    plan = planned([TRIGGER, node("one")], [edge("start > one")])
    world = World(plan).start()
    world.append(EventKind.PAUSED, {})
    world.answer("start", completed())
    assert world.ready == {}
    world.append(EventKind.RESUMED, {})
    assert list(world.ready) == ["one"]


def test_a_cycle_runs_again_in_a_new_generation_and_leaves_when_it_is_done() -> None:
    plan = planned(
        [TRIGGER, node("work"), node("check"), node("after")],
        [
            edge("start > work"),
            edge("work > check"),
            edge("check > work", handle="a", max_iterations=5),
            edge("check > after", handle="b"),
        ],
    )
    world = (
        World(plan).start().run(answers(check=completed("a"), **{"check#2": completed("a"), "check#3": completed("b")}))
    )
    assert world.statuses() == {
        "start": "COMPLETED",
        "work": "COMPLETED",
        "check": "COMPLETED",
        "work#2": "COMPLETED",
        "check#2": "COMPLETED",
        "work#3": "COMPLETED",
        "check#3": "COMPLETED",
        "after": "COMPLETED",
    }
    assert world.finish is not None
    assert world.finish.output == "after"


def test_a_cycle_passing_its_maximum_fails_the_execution() -> None:
    plan = planned([TRIGGER, node("work")], [edge("start > work"), edge("work > work", handle="a", max_iterations=2)])
    world = World(plan).start().run(lambda path: completed("out" if path == "start" else "a"))
    assert world.finish is not None
    assert world.finish.error is not None
    assert world.finish.error["code"] == "MAX_ITERATIONS"
    assert list(world.statuses()) == ["start", "work", "work#2", "work#3"]


def test_a_cycle_never_entered_dies_with_everything_behind_it() -> None:
    plan = planned(
        [TRIGGER, node("work"), node("after")],
        [
            edge("start > work", handle="a"),
            edge("work > work", handle="b", max_iterations=2),
            edge("work > after"),
        ],
    )
    world = World(plan).start().run(answers(start=completed("out")))
    assert world.statuses() == {"start": "COMPLETED", "work": "SKIPPED", "after": "SKIPPED"}
    assert world.finish is not None


def test_an_end_node_gives_the_output() -> None:
    plan = planned([TRIGGER, node("side"), node("done", "end")], [edge("start > side"), edge("start > done")])
    world = World(plan).start().run(answers(done=completed(output={"ok": True})))
    assert world.finish is not None
    assert world.finish.output == {"ok": True}


def test_a_skipped_step_flows_on_with_the_output_it_was_given() -> None:
    plan = planned([TRIGGER, node("manual"), node("after")], [edge("start > manual"), edge("manual > after")])
    world = World(plan).start()
    world.answer("start", completed())
    world.append(EventKind.STEP_SKIPPED, {"output": 7}, "manual")
    assert list(world.ready) == ["after"]
    assert world.state.steps["manual"].output == 7


def test_a_late_outcome_of_a_cancelled_step_changes_nothing_but_seq() -> None:
    world = diamond(JoinMode.ANY)
    world.answer("start", completed("a", "b"))
    world.answer("right", completed(output="r"))
    before = world.state
    world.append(EventKind.STEP_COMPLETED, {"output": "late"}, "left")
    assert world.state.steps == before.steps
    assert world.state.seq == before.seq + 1


def test_a_snapshot_holds_the_whole_state() -> None:
    world = diamond(JoinMode.FIRST)
    world.append(EventKind.SIGNAL_RECEIVED, {"name": "go", "payload": {"x": [1]}, "key": "k"})
    world.answer("start", completed("a", "b", output={"deep": [1, None]}))
    world.answer("left", failed("LEFT"))
    world.answer("right", (EventKind.WAITING, {"signal": "later", "until": "2026-02-01T00:00:00+00:00"}))
    restored = from_json(to_json(world.state))
    assert restored == world.state
    assert fold(world.plan, world.log) == world.state
    assert outstanding(world.plan, restored) == outstanding(world.plan, world.state)


def test_skipping_a_running_step_asks_for_its_cancellation() -> None:
    plan = planned([TRIGGER, node("manual"), node("after")], [edge("start > manual"), edge("manual > after")])
    world = World(plan).start()
    world.answer("start", completed())
    world.append(EventKind.STEP_SKIPPED, {"output": 7}, "manual")
    assert world.cancelled == ["manual"]
    assert list(world.ready) == ["after"]
