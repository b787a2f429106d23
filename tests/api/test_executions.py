"""Starting executions, telling them what to do, doing them again."""

import asyncio
from typing import Any

import pytest

from tests.api.application import Caller
from tests.api.operations import ERRORS, FAILS, WAITS, created, finished, graph, published, start, started

pytestmark = pytest.mark.usefixtures("worker")

ADD_INPUT = {
    "type": "object",
    "required": ["a", "b"],
    "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
}


async def until(caller: Caller, execution_id: str, status: str) -> Any:
    """The execution once it has this status; fails after ten seconds."""
    async with asyncio.timeout(10):
        while True:
            answer = await caller.data(
                "query ($id: ID!) { execution(id: $id) { id status output error currentSteps { path status } } }",
                id=execution_id,
            )
            if answer["execution"]["status"] == status:
                return answer["execution"]
            await asyncio.sleep(0.02)


async def wish(caller: Caller, mutation: str, **variables: object) -> Any:
    answer = await caller.data(mutation, **variables)
    (payload,) = answer.values()
    return payload


async def test_a_synchronous_start_answers_with_the_result(developer: Caller) -> None:
    workflow_id = await published(developer)

    payload = await start(developer, workflow_id, input={"a": 2, "b": 3}, mode="SYNC", timeout=20)

    execution = payload["execution"]
    assert (payload["timedOut"], payload["errors"]) == (False, [])
    assert (execution["status"], execution["output"], execution["error"]) == ("COMPLETED", 5, None)
    assert execution["triggeredBy"].startswith("apikey_")


async def test_a_synchronous_start_that_takes_too_long_says_so_and_runs_on(developer: Caller) -> None:
    workflow_id = await published(developer, WAITS)

    payload = await start(developer, workflow_id, mode="SYNC", timeout=0.3)

    assert (payload["timedOut"], payload["errors"]) == (True, [])
    await until(developer, payload["execution"]["id"], "WAITING")


async def test_an_asynchronous_start_answers_before_anything_ran(developer: Caller) -> None:
    workflow_id = await published(developer)

    execution = await started(developer, workflow_id, input={"a": 1, "b": 1}, priority=7)

    assert (execution["status"], execution["priority"], execution["version"]) == ("PENDING", 7, {"number": 1})
    assert (await until(developer, execution["id"], "COMPLETED"))["output"] == 2


async def test_the_same_idempotency_key_finds_the_first_execution(developer: Caller) -> None:
    workflow_id = await published(developer)

    first = await started(developer, workflow_id, input={"a": 1, "b": 1}, idempotencyKey="k-1")
    again = await started(developer, workflow_id, input={"b": 1, "a": 1}, idempotencyKey="k-1")

    assert again["id"] == first["id"]


async def test_an_idempotency_key_with_another_input_is_refused(developer: Caller) -> None:
    workflow_id = await published(developer)
    await started(developer, workflow_id, input={"a": 1, "b": 1}, idempotencyKey="k-2")

    payload = await start(developer, workflow_id, input={"a": 1, "b": 2}, idempotencyKey="k-2")

    assert payload["execution"] is None
    assert payload["errors"] == [
        {
            "__typename": "IdempotencyError",
            "code": "IDEMPOTENCY_MISMATCH",
            "message": "The idempotency key 'k-2' was used for a start with another input",
            "path": ["idempotencyKey"],
            "remedy": "Use a new key, or repeat the first request unchanged.",
        }
    ]


async def test_variables_override_defaults_and_unknown_ones_are_refused(developer: Caller) -> None:
    workflow_id = await published(developer, variables={"currency": {"default": "EUR"}, "rate": {"default": 2}})

    kept = await started(developer, workflow_id, input={"a": 1, "b": 1}, variables={"rate": 3})
    refused = await start(developer, workflow_id, input={"a": 1, "b": 1}, variables={"colour": "red"})

    assert {"currency": "EUR", "rate": 3}.items() <= kept["variables"].items()
    assert [(error["__typename"], error["path"]) for error in refused["errors"]] == [
        ("ValidationError", ["variables", "colour"])
    ]


async def test_an_input_that_does_not_fit_the_schema_is_refused_with_all_findings(developer: Caller) -> None:
    workflow_id = await published(developer, inputSchema=ADD_INPUT)

    answer = await developer.data(
        """mutation ($input: ExecutionStartInput!) { executionStart(input: $input) {
             execution { id } errors { __typename ... on ValidationError { path findings { code path } } } } }""",
        input={"workflowId": workflow_id, "input": {"a": "one"}},
    )

    (error,) = answer["executionStart"]["errors"]
    assert error["__typename"] == "ValidationError"
    assert sorted(tuple(finding["path"]) for finding in error["findings"]) == [("a",), ("b",)]


@pytest.mark.parametrize("status", ["PAUSED", "ARCHIVED"])
async def test_a_workflow_that_is_not_active_takes_no_starts(developer: Caller, status: str) -> None:
    workflow_id = await published(developer)
    await developer.data(
        "mutation ($id: ID!, $s: WorkflowStatus!) { workflowSetStatus(id: $id, status: $s) { errors { code } } }",
        id=workflow_id,
        s=status,
    )

    payload = await start(developer, workflow_id, input={"a": 1, "b": 1})

    assert (payload["execution"], payload["errors"][0]["__typename"]) == (None, "InvalidStateError")


async def test_a_draft_can_be_tried_out_before_it_is_published(developer: Caller) -> None:
    workflow_id = await created(developer)

    refused = await start(developer, workflow_id, input={"a": 1, "b": 1})
    tried = await finished(developer, workflow_id, input={"a": 1, "b": 1}, draft=True)

    assert refused["errors"][0]["code"] == "INVALID_STATE"
    assert (tried["output"], tried["draft"], tried["version"]) == (2, True, {"number": None})


async def test_many_starts_are_one_commit_with_errors_by_index(developer: Caller) -> None:
    workflow_id = await published(developer)
    good = {"workflowId": workflow_id, "input": {"a": 1, "b": 1}}

    payload = await wish(
        developer,
        f"""mutation ($inputs: [ExecutionStartInput!]!) {{ executionStartMany(inputs: $inputs) {{
              executions {{ status }} {ERRORS} }} }}""",
        inputs=[good, {"workflowId": "execution_01"}, {**good, "priority": 1000}, good],
    )

    assert payload["executions"] == [{"status": "PENDING"}, None, None, {"status": "PENDING"}]
    assert [(error["code"], error["path"]) for error in payload["errors"]] == [
        ("INVALID_ID", ["inputs", "1", "workflowId"]),
        ("VALIDATION", ["inputs", "2", "priority"]),
    ]


async def test_more_than_a_thousand_starts_at_once_begin_nothing(developer: Caller) -> None:
    workflow_id = await published(developer)

    payload = await wish(
        developer,
        f"""mutation ($i: [ExecutionStartInput!]!) {{
              executionStartMany(inputs: $i) {{ executions {{ id }} {ERRORS} }} }}""",
        i=[{"workflowId": workflow_id}] * 1001,
    )

    assert (payload["executions"], payload["errors"][0]["__typename"]) == ([], "TooLargeError")
    listed = await developer.data("{ executions { totalCount } }")
    assert listed == {"executions": {"totalCount": 0}}


async def test_a_cancelled_execution_ends_and_a_second_wish_comes_too_late(developer: Caller) -> None:
    execution = await started(developer, await published(developer, WAITS))
    cancel = f"""mutation ($id: ID!) {{ executionCancel(id: $id, reason: "enough") {{
                   execution {{ cancelRequestedAt }} {ERRORS} }} }}"""

    first = await wish(developer, cancel, id=execution["id"])
    await until(developer, execution["id"], "CANCELLED")
    second = await wish(developer, cancel, id=execution["id"])

    assert first["errors"] == []
    assert first["execution"]["cancelRequestedAt"] is not None
    assert [(error["__typename"], error["code"]) for error in second["errors"]] == [
        ("InvalidStateError", "INVALID_STATE")
    ]


async def test_a_signal_continues_the_step_that_waits_for_it(developer: Caller) -> None:
    execution = await started(developer, await published(developer, WAITS))
    await until(developer, execution["id"], "WAITING")

    payload = await wish(
        developer,
        f"""mutation ($id: ID!, $p: JSON) {{ signalSend(executionId: $id, name: "go", payload: $p) {{
              execution {{ id }} {ERRORS} }} }}""",
        id=execution["id"],
        p={"by": "Ada"},
    )

    assert payload["errors"] == []
    assert (await until(developer, execution["id"], "COMPLETED"))["output"] == {"by": "Ada"}


async def test_a_signal_of_a_callbacks_name_cannot_be_sent(developer: Caller) -> None:
    execution = await started(developer, await published(developer, WAITS))

    payload = await wish(
        developer,
        f'mutation ($id: ID!) {{ signalSend(executionId: $id, name: "callback:hold") {{ {ERRORS} }} }}',
        id=execution["id"],
    )

    assert [error["path"] for error in payload["errors"]] == [["name"]]


async def test_a_paused_execution_goes_on_when_it_is_resumed(developer: Caller) -> None:
    execution = await started(developer, await published(developer, WAITS))
    await until(developer, execution["id"], "WAITING")

    await wish(developer, "mutation ($id: ID!) { executionPause(id: $id) { errors { code } } }", id=execution["id"])
    await until(developer, execution["id"], "PAUSED")
    signal = 'mutation ($id: ID!) { signalSend(executionId: $id, name: "go", payload: 1) { errors { code } } }'
    await wish(developer, signal, id=execution["id"])
    await wish(developer, "mutation ($id: ID!) { executionResume(id: $id) { errors { code } } }", id=execution["id"])

    assert (await until(developer, execution["id"], "COMPLETED"))["output"] == 1


async def test_a_skipped_step_is_over_with_the_output_given(developer: Caller) -> None:
    execution = await started(developer, await published(developer, WAITS))
    await until(developer, execution["id"], "WAITING")
    skip = f"""mutation ($id: ID!, $path: String!, $o: JSON) {{
                 stepSkip(executionId: $id, path: $path, output: $o) {{ {ERRORS} }} }}"""

    unknown = await wish(developer, skip, id=execution["id"], path="nowhere", o=1)
    known = await wish(developer, skip, id=execution["id"], path="hold", o={"by": "hand"})

    assert [(error["__typename"], error["path"]) for error in unknown["errors"]] == [("NotFoundError", ["path"])]
    assert known["errors"] == []
    assert (await until(developer, execution["id"], "COMPLETED"))["output"] == {"by": "hand"}


RETRY = f"""mutation ($id: ID!, $from: String, $input: JSON) {{
  executionRetry(id: $id, fromPath: $from, input: $input) {{
    execution {{ id status retryOf {{ id }} }} {ERRORS} }} }}"""


async def test_a_retry_from_the_failed_step_keeps_what_had_finished(developer: Caller) -> None:
    failed = await finished(developer, await published(developer, FAILS), input={"ok": False})
    assert (failed["status"], failed["error"]["message"]) == ("FAILED", "not ok")

    payload = await wish(developer, RETRY, id=failed["id"])

    assert payload["execution"]["retryOf"] == {"id": failed["id"]}
    await until(developer, payload["execution"]["id"], "FAILED")
    log = await developer.data(
        "query ($id: ID!) { execution(id: $id) { events { nodes { kind nodeId } } } }", id=payload["execution"]["id"]
    )
    kinds = [(event["kind"], event["nodeId"]) for event in log["execution"]["events"]["nodes"]]
    assert kinds[:2] == [("EXECUTION_STARTED", None), ("SEEDED", None)]
    assert [node for kind, node in kinds if kind in ("STEP_COMPLETED", "STEP_FAILED")] == ["stop"]


async def test_a_retry_from_a_path_takes_an_edited_input(developer: Caller) -> None:
    failed = await finished(developer, await published(developer, FAILS), input={"ok": False})

    payload = await wish(developer, RETRY, **{"id": failed["id"], "from": "check", "input": {"ok": True}})

    over = await until(developer, payload["execution"]["id"], "COMPLETED")
    assert over["output"] == {"ok": False}, "what had finished before `check` was taken over"


async def test_a_retry_of_a_finished_execution_repeats_the_whole(developer: Caller) -> None:
    first = await finished(developer, await published(developer), input={"a": 1, "b": 2})

    payload = await wish(developer, RETRY, id=first["id"], input={"a": 10, "b": 2})

    assert (await until(developer, payload["execution"]["id"], "COMPLETED"))["output"] == 12


async def test_a_retry_is_refused_while_the_first_runs_and_from_a_path_it_never_took(developer: Caller) -> None:
    running = await started(developer, await published(developer, WAITS, name="Waiting"))
    failed = await finished(developer, await published(developer, FAILS), input={"ok": False})

    early = await wish(developer, RETRY, id=running["id"])
    nowhere = await wish(developer, RETRY, **{"id": failed["id"], "from": "nowhere"})

    assert [error["__typename"] for error in early["errors"]] == ["InvalidStateError"]
    assert [(error["__typename"], error["path"]) for error in nowhere["errors"]] == [("NotFoundError", ["fromPath"])]


async def test_an_execution_shows_its_steps_events_and_logs_page_by_page(developer: Caller) -> None:
    chatty = graph(
        {"id": "say", "kind": "log", "config": {"level": "WARNING", "message": "low stock"}},
        {"id": "hint", "kind": "log", "config": {"level": "DEBUG", "message": "detail"}},
    )
    execution = await finished(developer, await published(developer, chatty), input=[1])

    shown = await developer.data(
        """query ($id: ID!) { execution(id: $id) {
             status progress input durationMs estimatedFinishAt currentSteps { path }
             workflow { name } version { number } trigger { id } retryOf { id }
             steps(first: 2) {
               totalCount nodes { path nodeId status attempt input error } pageInfo { hasNextPage endCursor } }
             events(first: 1) { totalCount nodes { seq kind } pageInfo { hasNextPage endCursor } }
             logs(level: INFO) { nodes { level message nodeId } } } }""",
        id=execution["id"],
    )
    one = shown["execution"]
    rest = await developer.data(
        """query ($id: ID!, $s: String, $e: String) { execution(id: $id) {
             steps(after: $s) { nodes { path } pageInfo { hasNextPage hasPreviousPage } }
             events(after: $e) { nodes { seq } } } }""",
        id=execution["id"],
        s=one["steps"]["pageInfo"]["endCursor"],
        e=one["events"]["pageInfo"]["endCursor"],
    )

    assert (one["status"], one["progress"], one["input"], one["currentSteps"]) == ("COMPLETED", 100, [1], [])
    assert (one["workflow"], one["version"], one["trigger"], one["retryOf"]) == (
        {"name": "Adding"},
        {"number": 1},
        None,
        None,
    )
    assert one["durationMs"] >= 0
    assert one["steps"]["totalCount"] == 3
    assert one["steps"]["nodes"][1] == {
        "path": "say",
        "nodeId": "say",
        "status": "COMPLETED",
        "attempt": 1,
        "input": [1],
        "error": None,
    }
    assert one["logs"]["nodes"] == [{"level": "WARNING", "message": "low stock", "nodeId": "say"}]
    assert rest["execution"]["steps"] == {
        "nodes": [{"path": "hint"}],
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": True},
    }
    seqs = [event["seq"] for event in rest["execution"]["events"]["nodes"]]
    assert seqs == [str(seq) for seq in range(2, one["events"]["totalCount"] + 1)]


@pytest.mark.parametrize(
    "value",
    [{"text": "a\u0000b"}, {"big": 2**63}],
    ids=["NUL", "beyond 64 bits"],
)
async def test_an_input_that_cannot_be_stored_is_refused(developer: Caller, value: object) -> None:
    workflow_id = await published(developer)

    payload = await start(developer, workflow_id, input=value)

    assert [(error["__typename"], error["path"]) for error in payload["errors"]] == [("ValidationError", ["input"])]


async def test_an_input_nested_too_deep_is_refused(developer: Caller) -> None:
    workflow_id = await published(developer)
    value: object = 1
    for _ in range(250):
        value = [value]

    payload = await start(developer, workflow_id, input=value)

    assert [error["__typename"] for error in payload["errors"]] == ["TooLargeError"]
