"""Loops, `each`, sub-workflows and compensation on real servers: what runs, in which order, and what the log says."""

from dataclasses import replace

from domain.engine.events import EventKind
from domain.engine.ports import ExecutionStatus, InboxKind
from domain.graphs import ERROR, Definition, FailureStrategy, Node, WorkflowSettings
from domain.json import JSON, JSONObject
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import flow, give, step
from tests.contract.local_server import LocalServer

pytest_plugins = ["tests.contract.engine_fixture"]


def body(*nodes: JSONObject, edges: list[tuple[str, str]] | None = None) -> JSONObject:
    ways: list[JSON] = [{"source": source, "target": target} for source, target in edges or ()]
    return {"nodes": list(nodes), "edges": ways}


def inner(name: str, kind: str, **config: JSON) -> JSONObject:
    return {"id": name, "kind": kind, "config": config}


def with_settings(definition: Definition, settings: WorkflowSettings) -> Definition:
    return replace(definition, settings=settings)


async def test_a_loop_runs_its_body_once_per_element_and_gives_the_results_in_order(engine: EngineRoom) -> None:
    double = inner("double", "set", values={"n": "{{ item * 2 + index }}"}, keepOnly=True)
    loop = step("loop", "loop", items="{{ input }}", body=body(double))
    execution = await engine.run(flow(loop, "start > loop"), [10, 20, 30])

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=[{"n": 20}, {"n": 41}, {"n": 62}])
    assert [path for _, path in await engine.trail(execution) if path] == [
        "start",
        "loop",
        "loop[0].double",
        "loop[1].double",
        "loop[2].double",
        "loop",
    ]


async def test_ten_thousand_iterations_end_and_leave_a_small_state(engine: EngineRoom) -> None:
    loop = step(
        "loop",
        "loop",
        type="for",
        times=10_000,
        results="last",
        concurrency=50,
        body=body(inner("n", "set", values={"n": "{{ index }}"}, keepOnly=True)),
    )
    execution = await engine.run(flow(loop, "start > loop"))
    assert await engine.ending(execution) == Ending(status="COMPLETED", output={"n": 9_999})
    rows = await engine.pool.fetchval("SELECT count(*) FROM execution_event WHERE execution_id = $1", execution)
    assert rows == 10_000 + 6


async def test_a_while_loop_goes_on_as_long_as_its_condition_holds(engine: EngineRoom) -> None:
    count = inner("count", "set", values={"n": "{{ vars.n == null ? 1 : vars.n + 1 }}"})
    loop = step("loop", "loop", type="while", condition="{{ index < 3 }}", body=body(count), results="last")
    execution = await engine.run(flow(loop, "start > loop"))
    assert (await engine.ending(execution)).output == {"n": 3}


async def test_a_loop_is_left_when_its_break_condition_holds(engine: EngineRoom) -> None:
    say = inner("say", "set", values={"n": "{{ item }}"}, keepOnly=True)
    loop = step("loop", "loop", items=[1, 2, 3, 4], breakWhen="{{ output.n == 2 }}", body=body(say))
    execution = await engine.run(flow(loop, "start > loop"))
    assert (await engine.ending(execution)).output == [{"n": 1}, {"n": 2}]


async def test_loops_nest_and_the_inner_sees_the_outer(engine: EngineRoom) -> None:
    leaf = inner("leaf", "set", values={"at": "{{ steps.outer.item + ':' + item }}"}, keepOnly=True)
    nested = inner("nested", "loop", items=["x", "y"], body=body(leaf))
    outer = step("outer", "loop", items=["a", "b"], body=body(nested))
    execution = await engine.run(flow(outer, "start > outer"))
    assert (await engine.ending(execution)).output == [
        [{"at": "a:x"}, {"at": "a:y"}],
        [{"at": "b:x"}, {"at": "b:y"}],
    ]


async def test_each_runs_any_node_once_per_element(engine: EngineRoom) -> None:
    node = replace(give("double", n="{{ item * 2 }}"), each={"items": "{{ input }}", "concurrency": 2})
    execution = await engine.run(flow(node, "start > double"), [1, 2, 3])
    assert (await engine.ending(execution)).output == [{"n": 2}, {"n": 4}, {"n": 6}]
    assert ("STEP_COMPLETED", "double[2]") in await engine.trail(execution)


async def test_a_failed_iteration_stops_the_loop_or_is_left_out_or_collected(engine: EngineRoom) -> None:
    check = inner("check", "if", condition="{{ item == 2 }}")
    checked: JSONObject = {
        "nodes": [
            check,
            inner("bad", "http", url="http://127.0.0.1:1/"),
            inner("ok", "set", values={"n": "{{ index }}"}, keepOnly=True),
        ],
        "edges": [
            {"source": "check", "target": "bad", "sourceHandle": "true"},
            {"source": "check", "target": "ok", "sourceHandle": "false"},
        ],
    }
    for handling, status in (("stop", "FAILED"), ("continue", "COMPLETED"), ("collect", "COMPLETED")):
        loop = step("loop", "loop", items=[1, 2, 3], errorHandling=handling, body=checked)
        ending = await engine.ending(await engine.run(flow(loop, "start > loop")))
        assert ending.status == status
        if handling == "continue":
            assert ending.output == [{"n": 0}, None, {"n": 2}]
        if handling == "collect":
            assert isinstance(ending.output, list)
            failed = ending.output[1]
            assert isinstance(failed, dict)
            assert (failed["index"], failed["item"]) == (1, 2)


async def test_a_subworkflow_is_an_execution_of_its_own_whose_output_comes_back(engine: EngineRoom) -> None:
    child = await engine.publish(flow(step("done", "end", output="{{ input.n + 1 }}"), "start > done"), name="Add one")
    call = step("call", "subworkflow", workflow="Add one", input={"n": "{{ input }}"})
    parent = await engine.publish(flow(call, "start > call"), child.tenant_id)
    execution = await engine.start(parent, 41)
    assert await engine.ending(execution) == Ending(status="COMPLETED", output=42)
    kinds = [kind for kind, path in await engine.trail(execution) if path == "call"]
    assert kinds == ["CHILD_STARTED", "CHILD_FINISHED", "STEP_COMPLETED"]


async def test_a_failed_child_fails_its_step_or_takes_the_error_output_or_is_ignored(engine: EngineRoom) -> None:
    child = await engine.publish(flow(step("stop", "fail", message="no"), "start > stop"), name="Fails")
    outcomes: list[tuple[str, JSON]] = []
    for on_error in ("propagate", "catch", "ignore"):
        call = step("call", "subworkflow", workflow="Fails", onError=on_error)
        caught = step("caught", "end", output="{{ error.code }}")
        fine = step("fine", "end", output="fine")
        definition = flow(call, caught, fine, "start > call > fine", f"call:{ERROR} > caught")
        execution = await engine.start(await engine.publish(definition, child.tenant_id))
        ending = await engine.ending(execution)
        outcomes.append((ending.status, ending.output))
    assert outcomes == [("FAILED", None), ("COMPLETED", "FAILED_BY_WORKFLOW"), ("COMPLETED", "fine")]


async def test_cancelling_an_execution_cancels_the_child_it_waits_for(engine: EngineRoom) -> None:
    child = await engine.publish(flow(step("hold", "wait", signal="go"), "start > hold"), name="Holds")
    parent = await engine.publish(flow(step("call", "subworkflow", workflow="Holds"), "start > call"), child.tenant_id)
    execution = await engine.start(parent)
    await engine.event(execution, EventKind.CHILD_STARTED, "call")
    await engine.let_go(execution)
    await engine.post(execution, InboxKind.CANCEL)
    assert (await engine.ending(execution)).status == "CANCELLED"
    query = "SELECT id FROM execution WHERE parent_id = $1"
    begun = await engine.pool.fetchval(query, execution)
    assert (await engine.ending(begun)).status == "CANCELLED"


async def test_what_a_failed_execution_had_done_is_undone_the_last_first(
    engine: EngineRoom, server: LocalServer
) -> None:
    def undone(name: str) -> Node:
        node = give(name, at=name)
        undo: JSON = {
            "kind": "http",
            "config": {"url": f"{server.url}/undo/{name}/{{{{ output.at }}}}", "method": "POST"},
        }
        return replace(node, compensation=undo)

    definition = flow(undone("a"), undone("b"), step("stop", "fail", message="no"), "start > a > b > stop")
    execution = await engine.run(with_settings(definition, WorkflowSettings(on_failure=FailureStrategy.COMPENSATE)))
    ending = await engine.ending(execution)
    assert (ending.status, ending.code) == ("FAILED", "FAILED_BY_WORKFLOW")
    assert [path for _, path in await engine.trail(execution) if path][-2:] == ["b:undo", "a:undo"]
    assert [each.path for each in server.asked] == ["/undo/b/b", "/undo/a/a"]


async def test_a_failure_begins_the_handler_with_what_happened(engine: EngineRoom) -> None:
    handler = await engine.publish(
        flow(step("done", "end", output="{{ input.error.code + ' at ' + input.path }}"), "start > done"), name="Handler"
    )
    definition = with_settings(
        flow(step("stop", "fail", message="no"), "start > stop"), WorkflowSettings(failure_handler="Handler")
    )
    execution = await engine.start(await engine.publish(definition, handler.tenant_id))
    assert (await engine.ending(execution)).status == "FAILED"
    begun = await engine.pool.fetchval("SELECT id FROM execution WHERE parent_id = $1", execution)
    assert (await engine.ending(begun)).output == "FAILED_BY_WORKFLOW at stop"


async def test_a_parallel_collects_the_failures_of_its_branches(engine: EngineRoom) -> None:
    fork = step("fork", "parallel", branches=["x", "y"], errorHandling="collect")
    bad = step("bad", "http", url="http://127.0.0.1:1/")
    definition = flow(
        fork, bad, give("good", n=1), step("meet", "merge"), "start > fork:x > bad > meet", "fork:y > good > meet"
    )
    ending = await engine.ending(await engine.run(definition))
    assert ending.status == "COMPLETED"
    assert isinstance(ending.output, dict)
    assert ending.output["good"] == {"n": 1}
    assert isinstance(ending.output["bad"], dict)
    assert "error" in ending.output["bad"]


async def test_a_parallel_that_takes_too_long_goes_on_with_what_came(engine: EngineRoom) -> None:
    fork = step("fork", "parallel", branches=["x", "y"], errorHandling="continue", timeout=0.2)
    hold = step("hold", "wait", signal="never")
    definition = flow(
        fork, hold, give("good", n=1), step("meet", "merge"), "start > fork:x > hold > meet", "fork:y > good > meet"
    )
    ending = await engine.ending(await engine.run(definition))
    assert (ending.status, ending.output) == ("COMPLETED", {"n": 1})


async def test_an_end_that_terminates_cancels_what_still_runs(engine: EngineRoom) -> None:
    hold = step("hold", "wait", signal="never")
    done = step("done", "end", output="over", terminate=True)
    execution = await engine.run(flow(hold, done, "start > hold", "start > done"))
    assert await engine.ending(execution) == Ending(status="COMPLETED", output="over")


async def test_the_first_of_several_signals_decides(engine: EngineRoom) -> None:
    choice = step("choice", "wait", signals={"paid": "paid", "cancelled": "dropped"})
    definition = flow(
        choice,
        step("a", "end", output="a"),
        step("b", "end", output="b"),
        "start > choice:paid > a",
        "choice:dropped > b",
    )
    execution = await engine.run(definition)
    await engine.let_go(execution, ExecutionStatus.WAITING)
    await engine.signal(execution, "cancelled")
    assert (await engine.ending(execution)).output == "b"


async def test_a_cancel_node_ends_other_steps_and_joins_do_not_wait_for_them(engine: EngineRoom) -> None:
    hold = step("hold", "wait", signal="never")
    stop = step("stop", "cancel", nodes=["hold"])
    definition = flow(hold, stop, step("meet", "end", output="met"), "start > hold > meet", "start > stop > meet")
    assert (await engine.ending(await engine.run(definition))).output == "met"


async def test_the_last_result_is_that_of_the_last_element_whichever_ends_last(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/0")
    call = inner("call", "http", url=f"{server.url}/{{{{ index }}}}")
    number = inner("number", "end", output="{{ index }}")
    loop = step(
        "loop",
        "loop",
        type="for",
        times=3,
        concurrency=3,
        results="last",
        body=body(call, number, edges=[("call", "number")]),
    )
    execution = await engine.run(flow(loop, "start > loop"))
    await engine.event(execution, EventKind.STEP_COMPLETED, "loop[2].number")
    server.let_go("/0")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=2)
