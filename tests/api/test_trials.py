"""Test mode by the API: beginning a test, standing at a breakpoint, going on, and what it came to."""

import asyncio
from typing import Any

import pytest

from tests.api.application import Caller
from tests.api.operations import ERRORS, FAILS, created, finished, graph, published, start, started

pytestmark = pytest.mark.usefixtures("worker")

TEST = """test { breakpoints { node when } stepping pins { node output handle } effects expected { node output }
  assertions status stoppedAt marks { path mark }
  verdict { passed failures { node path expected actual message } } }"""
READ = f"query ($id: ID!) {{ execution(id: $id) {{ id status draft output {TEST} }} }}"
CONTINUE = f"""mutation ($id: ID!, $mode: ContinueMode! = CONTINUE, $path: String) {{
  executionContinue(id: $id, mode: $mode, path: $path) {{ execution {{ id }} {ERRORS} }}
}}"""
SENDS = graph(
    {"id": "price", "kind": "set", "config": {"values": {"total": "{{ input.n * 2 }}"}, "keepOnly": True}},
    {"id": "pay", "kind": "http", "config": {"url": "https://pay.example/{{ input.total }}"}},
    {"id": "done", "kind": "end", "config": {"output": "{{ steps.price.output.total }}"}},
)


async def stopped(caller: Caller, execution_id: str, *paths: str) -> Any:
    """The execution once it is stopped at these paths; fails after ten seconds."""
    async with asyncio.timeout(10):
        while True:
            execution = (await caller.data(READ, id=execution_id))["execution"]
            if (execution["status"], execution["test"]["stoppedAt"]) == ("WAITING", list(paths)):
                return execution
            await asyncio.sleep(0.02)


async def ended(caller: Caller, execution_id: str) -> Any:
    """The execution once it is over; fails after ten seconds."""
    async with asyncio.timeout(10):
        while True:
            execution = (await caller.data(READ, id=execution_id))["execution"]
            if execution["status"] in ("COMPLETED", "FAILED", "CANCELLED"):
                return execution
            await asyncio.sleep(0.02)


async def go_on(caller: Caller, execution_id: str, **more: object) -> Any:
    return (await caller.data(CONTINUE, id=execution_id, **more))["executionContinue"]


async def refusals(caller: Caller, workflow_id: str, **test: object) -> list[tuple[Any, ...]]:
    payload = await start(caller, workflow_id, draft=True, test=test)
    return [(error["message"], error["path"], error["remedy"]) for error in payload["errors"]]


async def test_a_draft_runs_as_a_test_and_shows_how_it_was_begun(developer: Caller) -> None:
    workflow_id = await created(developer, SENDS)
    test = {
        "breakpoints": [{"node": "pay"}, {"node": "price", "when": "AFTER"}],
        "pins": [{"node": "price", "output": {"total": 5}, "handle": "out"}],
        "effects": ["done"],
        "expected": [{"node": "done", "output": 5}],
        "assertions": ["output == 5"],
    }
    begun = await started(developer, workflow_id, draft=True, input={"n": 1}, test=test)

    execution = await stopped(developer, begun["id"], "pay")

    assert (execution["status"], execution["draft"]) == ("WAITING", True)
    assert execution["test"] == {
        "breakpoints": [{"node": "pay", "when": "BEFORE"}, {"node": "price", "when": "AFTER"}],
        "stepping": False,
        "pins": [{"node": "price", "output": {"total": 5}, "handle": "out"}],
        "effects": ["done"],
        "expected": [{"node": "done", "output": 5}],
        "assertions": ["output == 5"],
        "status": "COMPLETED",
        "stoppedAt": ["pay"],
        "marks": [{"path": "price", "mark": "PINNED"}],
        "verdict": None,
    }

    assert (await go_on(developer, begun["id"]))["errors"] == []

    execution = await ended(developer, begun["id"])
    assert (execution["status"], execution["output"]) == ("COMPLETED", 5)
    assert execution["test"]["marks"] == [
        {"path": "price", "mark": "PINNED"},
        {"path": "pay", "mark": "SIMULATED"},
        {"path": "done", "mark": "EFFECTS"},
    ]
    assert execution["test"]["verdict"] == {"passed": True, "failures": []}


async def test_an_execution_that_is_no_test_has_none(developer: Caller) -> None:
    execution = await finished(developer, await published(developer), input={"a": 1, "b": 2})

    assert (await developer.data(READ, id=execution["id"]))["execution"]["test"] is None


async def test_stepping_goes_from_step_to_step(developer: Caller) -> None:
    begun = await started(
        developer, await published(developer), input={"a": 1, "b": 2}, test={"breakpoints": [{"node": "sum"}]}
    )
    await stopped(developer, begun["id"], "sum")

    await go_on(developer, begun["id"], mode="STEP", path="sum")

    assert (await stopped(developer, begun["id"], "done"))["test"]["stepping"] is True
    await go_on(developer, begun["id"])
    assert (await ended(developer, begun["id"]))["output"] == 3


async def test_without_a_path_all_stopped_steps_continue_and_one_steps(developer: Caller) -> None:
    two = graph(
        {"id": "a", "kind": "set", "config": {"values": {"a": 1}, "keepOnly": True}},
        {"id": "b", "kind": "set", "config": {"values": {"b": 2}, "keepOnly": True}},
        edges=("start > a", "start > b"),
    )
    workflow_id = await published(developer, two)
    test = {"breakpoints": [{"node": "a"}, {"node": "b"}]}
    begun = [await started(developer, workflow_id, test=test) for _ in range(2)]
    for execution in begun:
        await stopped(developer, execution["id"], "a", "b")

    await go_on(developer, begun[0]["id"])
    await go_on(developer, begun[1]["id"], mode="STEP")

    assert (await ended(developer, begun[0]["id"]))["output"] == {"a": {"a": 1}, "b": {"b": 2}}
    await stopped(developer, begun[1]["id"], "b")


async def test_going_on_where_nothing_is_stopped_is_refused(developer: Caller, stranger: Caller) -> None:
    begun = await started(
        developer, await published(developer), input={"a": 1, "b": 2}, test={"breakpoints": [{"node": "done"}]}
    )
    await stopped(developer, begun["id"], "done")

    refused = [
        *(await go_on(developer, begun["id"], path="sum"))["errors"],
        *(await go_on(stranger, begun["id"]))["errors"],
    ]
    await go_on(developer, begun["id"])
    await ended(developer, begun["id"])
    refused += (await go_on(developer, begun["id"]))["errors"]

    assert [(error["code"], error["path"], error["message"]) for error in refused] == [
        ("INVALID_STATE", ["path"], "The execution is not stopped at 'sum'"),
        ("NOT_FOUND", ["id"], f"There is no execution {begun['id']}"),
        ("INVALID_STATE", ["id"], "The execution is not stopped"),
    ]


async def test_a_breakpoint_is_released_by_nothing_that_anybody_sends(developer: Caller) -> None:
    begun = await started(
        developer, await published(developer), input={"a": 1, "b": 2}, test={"breakpoints": [{"node": "sum"}]}
    )
    await stopped(developer, begun["id"], "sum")

    sent = await developer.data(
        f'mutation ($id: ID!) {{ signalSend(executionId: $id, name: "breakpoint:sum") {{ {ERRORS} }} }}',
        id=begun["id"],
    )

    assert [error["path"] for error in sent["signalSend"]["errors"]] == [["name"]]


async def test_a_test_of_what_is_not_in_the_workflow_is_refused_with_the_field(developer: Caller) -> None:
    workflow_id = await created(developer, SENDS)

    assert await refusals(developer, workflow_id, breakpoints=[{"node": "pay"}, {"node": "pray"}]) == [
        ("The workflow has no node 'pray'", ["test", "breakpoints", "1", "node"], "Did you mean 'pay'?")
    ]
    assert await refusals(developer, workflow_id, pins=[{"node": "pay", "output": 1, "handle": "paid"}]) == [
        ("No edge leaves 'pay' by 'paid'", ["test", "pins", "pay", "handle"], "Give one of error, out.")
    ]
    assert await refusals(developer, workflow_id, pins=[{"node": "pay"}, {"node": "pay"}]) == [
        ("'pay' stands there twice", ["test", "pins", "pay"], "Keep one of them.")
    ]
    (refused,) = await refusals(developer, workflow_id, assertions=["output =="])
    assert refused[1] == ["test", "assertions", "0"]
    executions = await developer.data("{ executions { totalCount } }")
    assert executions["executions"]["totalCount"] == 0


async def test_the_scope_at_a_stop_is_what_the_step_will_see_without_secrets(developer: Caller) -> None:
    looks = graph(
        {"id": "first", "kind": "set", "config": {"values": {"password": "hunter2", "n": 1}, "keepOnly": True}},
        {"id": "second", "kind": "set", "config": {"values": {"n": 2}, "keepOnly": True}},
        {"id": "done", "kind": "end", "config": {"output": "{{ steps.second.output.n }}"}},
    )
    workflow_id = await published(developer, looks, name="Looks")
    begun = await started(
        developer, workflow_id, input={"q": 1}, test={"breakpoints": [{"node": "second"}, {"node": "done"}]}
    )
    query = "query ($id: ID!, $path: String!) { execution(id: $id) { scope(path: $path) } }"
    await stopped(developer, begun["id"], "second")

    scope = (await developer.data(query, id=begun["id"], path="second"))["execution"]["scope"]

    first = {"output": {"password": "•••••", "n": 1}, "status": "COMPLETED"}
    now = scope.pop("now")
    assert scope == {
        "input": {"password": "•••••", "n": 1},
        "trigger": {"q": 1},
        "steps": {"start": {"output": {"q": 1}, "status": "COMPLETED"}, "first": first},
        "vars": {"password": "•••••", "n": 1},
        "error": None,
        "execution": {"id": begun["id"], "trigger": {"type": "API"}},
        "workflow": {"id": workflow_id, "name": "Looks"},
    }
    await go_on(developer, begun["id"])
    await stopped(developer, begun["id"], "done")
    saw = (await developer.data(query, id=begun["id"], path="second"))["execution"]["scope"]
    assert {**saw, "now": now} == {**scope, "now": now}
    (refused,) = (await developer.ask(query, id=begun["id"], path="third"))["errors"]
    assert refused["message"] == "There is no step third"


async def test_an_expression_is_evaluated_as_the_step_at_a_path_sees_it(developer: Caller, stranger: Caller) -> None:
    begun = await started(
        developer, await published(developer), input={"a": 1, "b": 2}, test={"breakpoints": [{"node": "sum"}]}
    )
    await stopped(developer, begun["id"], "sum")
    query = """query ($text: String!, $id: ID!, $scope: JSON) {
      expressionEvaluate(expression: $text, executionId: $id, path: "sum", scope: $scope) { value error } }"""

    plain = await developer.data(query, text="input.a + input.b", id=begun["id"])
    program = "Object.keys(input).map(key => key + more)"
    rich = await developer.data(query, text=program, id=begun["id"], scope={"more": "!"})
    theirs = await stranger.ask(query, text="input", id=begun["id"])

    assert plain["expressionEvaluate"] == {"value": 3, "error": None}
    assert rich["expressionEvaluate"] == {"value": ["a!", "b!"], "error": None}
    assert [error["extensions"]["code"] for error in theirs["errors"]] == ["NOT_FOUND"]
    alone = await developer.ask(f'{{ expressionEvaluate(expression: "1", executionId: "{begun["id"]}") {{ value }} }}')
    assert alone["errors"][0]["message"] == "executionId and path belong together"


async def test_the_verdict_says_what_is_not_as_it_was_to_be(developer: Caller) -> None:
    test = {
        "expected": [{"node": "sum", "output": {"total": 4}}, {"node": "done", "output": 3}],
        "assertions": ["output > 1", "output > 10", "steps.nobody.output.x"],
    }
    execution = await finished(developer, await published(developer), input={"a": 1, "b": 2}, test=test)

    verdict = (await ended(developer, execution["id"]))["test"]["verdict"]
    again = (await ended(developer, execution["id"]))["test"]["verdict"]

    assert verdict == again
    assert verdict["passed"] is False
    assert [(each["node"], each["path"], each["message"]) for each in verdict["failures"][:2]] == [
        ("sum", "sum", "output.total is 3, not 4"),
        (None, None, "output > 10 does not hold"),
    ]
    assert verdict["failures"][0]["expected"] == {"total": 4}
    assert verdict["failures"][0]["actual"]["total"] == 3
    assert verdict["failures"][2]["message"].startswith("steps.nobody.output.x cannot be evaluated: ")


async def test_a_retry_of_a_test_is_a_test(developer: Caller) -> None:
    first = await finished(developer, await published(developer, SENDS), input={"n": 2}, test={})

    answer = await developer.data(
        f'mutation ($id: ID!) {{ executionRetry(id: $id, fromPath: "pay") {{ execution {{ id }} {ERRORS} }} }}',
        id=first["id"],
    )

    execution = await ended(developer, answer["executionRetry"]["execution"]["id"])
    assert (execution["status"], execution["output"]) == ("COMPLETED", 4)
    assert execution["test"]["marks"] == [{"path": "pay", "mark": "SIMULATED"}]


async def test_tests_are_told_apart_in_lists_and_are_no_dead_letters(developer: Caller) -> None:
    workflow_id = await published(developer, FAILS)
    real = await finished(developer, workflow_id, input={"ok": True})
    failing = await finished(developer, workflow_id, input={"ok": False}, test={})
    assert failing["status"] == "FAILED"

    answer = await developer.data(
        """query { tests: executions(filter: {test: true}) { nodes { id } totalCount }
                   others: executions(filter: {test: false}) { nodes { id } totalCount }
                   deadLetters { totalCount } }"""
    )

    assert answer == {
        "tests": {"nodes": [{"id": failing["id"]}], "totalCount": 1},
        "others": {"nodes": [{"id": real["id"]}], "totalCount": 1},
        "deadLetters": {"totalCount": 0},
    }


async def test_a_test_stands_in_for_no_other_start(developer: Caller) -> None:
    workflow_id = await published(developer)

    payload = await start(developer, workflow_id, deduplicate={"key": "k", "window": 60}, test={})

    assert [(error["path"], error["message"]) for error in payload["errors"]] == [
        (["deduplicate"], "A test must not stand in for other starts")
    ]


async def test_the_same_key_with_another_test_is_another_request(developer: Caller) -> None:
    workflow_id = await published(developer)
    first = await started(developer, workflow_id, input={"a": 1, "b": 2}, idempotencyKey="k", test={})

    again = await started(developer, workflow_id, input={"a": 1, "b": 2}, idempotencyKey="k", test={})
    other = await start(developer, workflow_id, input={"a": 1, "b": 2}, idempotencyKey="k")

    assert again["id"] == first["id"]
    assert [error["code"] for error in other["errors"]] == ["IDEMPOTENCY_MISMATCH"]
