"""Reaching into executions: each wish is done once for its key, and stands in the log with who did it."""

from typing import Any

import httpx
import pytest

from db.connections import EnginePool
from domain.access import Role
from domain.ids import encode
from tests.api.application import Caller, new_caller
from tests.api.lives import granted, log_of, logged, refusals, until, wish
from tests.api.operations import ADDS, WAITS, finished, graph, published, started

pytestmark = pytest.mark.usefixtures("worker")

TWO_WAITS = graph(
    {"id": "first", "kind": "wait", "config": {"signal": "go"}},
    {"id": "second", "kind": "wait", "config": {"signal": "go"}},
    {"id": "done", "kind": "end", "config": {"output": ["{{ steps.first.output }}", "{{ steps.second.output }}"]}},
)
RATED = graph(
    {"id": "note", "kind": "set", "config": {"values": {"seen": "{{ input }}"}}},
    {"id": "hold", "kind": "wait", "config": {"signal": "go"}},
    {"id": "done", "kind": "end", "config": {"output": ["{{ vars.rate }}", "{{ vars.seen }}"]}},
)


def actor(caller: Caller) -> str:
    return encode("apikey", caller.key_id)


async def waiting(caller: Caller, nodes: dict[str, Any] = WAITS, **more: Any) -> str:
    """The id of an execution that waits for the signal `go`."""
    execution = await started(caller, await published(caller, nodes, **more), input="given")
    await until(caller, execution["id"], "WAITING")
    return execution["id"]


# Variables


async def test_a_waiting_execution_goes_on_with_the_variable_it_was_given(developer: Caller) -> None:
    execution = await waiting(developer, RATED, variables={"rate": {"default": 1}})

    await granted(developer, "set", execution, name="rate", value=[2])
    await granted(developer, "set", execution, name="seen", value="changed")
    await logged(developer, execution, "VARIABLE_SET", 2)
    assert (await until(developer, execution, "WAITING"))["variables"] == {"rate": [2], "seen": "changed"}
    await granted(developer, "signal", execution, name="go")

    assert (await until(developer, execution, "COMPLETED"))["output"] == [[2], "changed"]


async def test_a_variable_is_set_once_for_its_key_even_after_the_end(developer: Caller) -> None:
    execution = await waiting(developer, RATED, variables={"rate": {"default": 1}})

    await granted(developer, "set", execution, name="rate", value=2, key="k")
    await logged(developer, execution, "VARIABLE_SET")
    await granted(developer, "set", execution, name="rate", value=3, key="k")
    await granted(developer, "set", execution, name="rate", value=4, key="other")
    await granted(developer, "signal", execution, name="go")
    assert (await until(developer, execution, "COMPLETED"))["output"] == [4, "given"]

    again = await granted(developer, "set", execution, name="rate", value=2, key="k")
    assert again["status"] == "COMPLETED"
    late = await wish(developer, "set", execution, name="rate", value=5)
    assert refusals(late) == [("InvalidStateError", ["id"])]
    assert [event["data"]["value"] for event in await log_of(developer, execution, "VARIABLE_SET")] == [2, 4]


async def test_a_variable_that_the_execution_does_not_have_is_refused_with_those_it_has(developer: Caller) -> None:
    execution = await waiting(developer, RATED, variables={"rate": {"default": 1}})

    payload = await wish(developer, "set", execution, name="rat", value=2)

    (error,) = payload["errors"]
    assert (error["__typename"], error["path"], error["message"]) == (
        "ValidationError",
        ["name"],
        "The execution has no variable 'rat'",
    )
    assert error["remedy"] == "Its variables: rate, seen. Declare it in the workflow, or set one that is there."
    assert await log_of(developer, execution, "VARIABLE_SET") == []


@pytest.mark.parametrize(
    ("given", "path"), [({"name": "", "value": 1}, "name"), ({"name": "rate", "value": "a\u0000b"}, "value")]
)
async def test_what_cannot_be_a_variable_is_refused(developer: Caller, given: dict[str, Any], path: str) -> None:
    execution = await waiting(developer, RATED, variables={"rate": {"default": 1}})

    assert refusals(await wish(developer, "set", execution, **given)) == [("ValidationError", [path])]


# Keys


async def test_a_pause_and_a_resumption_are_done_once_for_their_key(developer: Caller) -> None:
    execution = await waiting(developer)

    await granted(developer, "pause", execution, key="p")
    await until(developer, execution, "PAUSED")
    await granted(developer, "resume", execution, key="p")  # another wish: its keys are its own
    await until(developer, execution, "WAITING")
    await granted(developer, "pause", execution, key="p")
    await granted(developer, "signal", execution, name="go", value=1)

    assert (await until(developer, execution, "COMPLETED"))["output"] == 1
    assert len(await log_of(developer, execution, "PAUSED", "RESUMED")) == 2


async def test_a_cancellation_asked_for_again_under_its_key_answers_the_same(developer: Caller) -> None:
    execution = await waiting(developer)

    first = await granted(developer, "cancel", execution, reason="enough", key="c")
    await until(developer, execution, "CANCELLED")
    again = await granted(developer, "cancel", execution, reason="enough", key="c")

    assert first["cancelRequestedAt"] is not None
    assert again == {**first, "status": "CANCELLED"}
    assert refusals(await wish(developer, "cancel", execution, key="d")) == [("InvalidStateError", ["id"])]


async def test_a_step_is_skipped_once_for_its_key(developer: Caller) -> None:
    execution = await waiting(developer)

    for _ in range(2):
        await granted(developer, "skip", execution, path="hold", value="by hand", key="s")
        await until(developer, execution, "COMPLETED")

    (skipped,) = await log_of(developer, execution, "STEP_SKIPPED")
    assert (skipped["path"], skipped["data"]["output"], skipped["data"]["by"]) == ("hold", "by hand", actor(developer))


async def test_a_signal_is_sent_once_for_its_key(developer: Caller) -> None:
    execution = await waiting(developer, TWO_WAITS)

    await granted(developer, "signal", execution, name="go", value=1, key="g")
    await until(developer, execution, "WAITING", waiting="second")
    await granted(developer, "signal", execution, name="go", value=2, key="g")
    await granted(developer, "signal", execution, name="go", value=3, key="h")

    assert (await until(developer, execution, "COMPLETED"))["output"] == [1, 3]


async def test_a_retry_is_begun_once_for_its_key(developer: Caller) -> None:
    workflow_id = await published(developer, ADDS)
    first = await finished(developer, workflow_id, input={"a": 1, "b": 2})
    other = await finished(developer, workflow_id, input={"a": 1, "b": 2})

    one = await granted(developer, "retry", first["id"], key="r")
    again = await granted(developer, "retry", first["id"], key="r")
    elsewhere = await granted(developer, "retry", other["id"], key="r")
    mismatch = await wish(developer, "retry", first["id"], key="r", whole=True)

    assert again["id"] == one["id"]
    assert elsewhere["retryOf"] == {"id": other["id"]}
    assert refusals(mismatch) == [("IdempotencyError", ["key"])]


async def test_a_key_of_a_start_is_no_key_of_a_retry(developer: Caller) -> None:
    workflow_id = await published(developer, ADDS)
    first = await finished(developer, workflow_id, input={"a": 1, "b": 2}, idempotencyKey="same")

    again = await granted(developer, "retry", first["id"], key="same")

    assert again["id"] != first["id"]


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_has_a_length(developer: Caller, key: str) -> None:
    execution = await waiting(developer)

    for name, given in (("pause", {}), ("signal", {"name": "go"}), ("skip", {"path": "hold"})):
        assert refusals(await wish(developer, name, execution, key=key, **given)) == [("ValidationError", ["key"])]


# Signals


async def test_a_transient_signal_that_finds_nobody_waiting_is_lost(developer: Caller) -> None:
    execution = await waiting(developer)

    await granted(developer, "signal", execution, name="later", value=1, transient=True)
    await granted(developer, "signal", execution, name="go", value=2, transient=True)

    assert (await until(developer, execution, "COMPLETED"))["output"] == 2


async def test_of_a_lost_and_a_kept_signal_the_kept_one_is_there_when_it_is_waited_for(developer: Caller) -> None:
    ways = graph(
        {"id": "first", "kind": "wait", "config": {"signal": "one"}},
        {"id": "second", "kind": "wait", "config": {"signal": "two"}},
        {"id": "done", "kind": "end", "config": {"output": "{{ steps.second.output }}"}},
    )
    execution = await waiting(developer, ways)

    await granted(developer, "signal", execution, name="two", value="lost", transient=True)
    await granted(developer, "signal", execution, name="two", value="kept")
    await logged(developer, execution, "SIGNAL_RECEIVED", 2)
    await granted(developer, "signal", execution, name="one")

    assert (await until(developer, execution, "COMPLETED"))["output"] == "kept"


@pytest.mark.parametrize("name", ["callback:hold", "task:review", "lock:orders", "breakpoint:hold"])
async def test_the_engines_own_signals_cannot_be_sent(developer: Caller, name: str) -> None:
    execution = await waiting(developer)

    for transient in (False, True):
        payload = await wish(developer, "signal", execution, name=name, transient=transient)
        assert refusals(payload) == [("ValidationError", ["name"])]


# Who did what


async def test_every_intervention_says_who_when_and_what(developer: Caller) -> None:
    execution = await waiting(developer, RATED, variables={"rate": {"default": 1}})

    await granted(developer, "pause", execution)
    await logged(developer, execution, "PAUSED")
    await granted(developer, "set", execution, name="rate", value=9)
    await logged(developer, execution, "VARIABLE_SET")
    await granted(developer, "signal", execution, name="other", value={"n": 1})
    await logged(developer, execution, "SIGNAL_RECEIVED")
    await granted(developer, "resume", execution)
    await logged(developer, execution, "RESUMED")
    await granted(developer, "skip", execution, path="hold", value="x")
    await until(developer, execution, "COMPLETED")
    again = await granted(developer, "retry", execution, from_="hold")
    await until(developer, again["id"], "WAITING")
    await granted(developer, "cancel", again["id"], reason="enough")
    await until(developer, again["id"], "CANCELLED")

    query = """query ($id: ID!, $after: String, $first: Int) { execution(id: $id) {
      interventions(first: $first, after: $after) {
        nodes { kind by path name value reason } pageInfo { hasNextPage endCursor } } } }"""
    shown = (await developer.data(query, id=execution))["execution"]["interventions"]["nodes"]
    retried = (await developer.data(query, id=again["id"]))["execution"]["interventions"]["nodes"]

    def told(kind: str, **more: Any) -> dict[str, Any]:
        nothing = {"path": None, "name": None, "value": None, "reason": None}
        return {"kind": kind, "by": actor(developer), **nothing, **more}

    assert shown == [
        told("PAUSE"),
        told("VARIABLE", name="rate", value=9),
        told("SIGNAL", name="other", value={"n": 1}),
        told("RESUME"),
        told("SKIP", path="hold", value="x"),
    ]
    assert retried == [told("RETRY"), told("CANCEL", reason="enough")]
    page = (await developer.data(query, id=execution, first=2))["execution"]["interventions"]
    rest = await developer.data(query, id=execution, after=page["pageInfo"]["endCursor"], first=3)
    assert page["pageInfo"]["hasNextPage"]
    assert page["nodes"] + rest["execution"]["interventions"]["nodes"] == shown
    assert not rest["execution"]["interventions"]["pageInfo"]["hasNextPage"]


# Who may

ARGUMENTS: dict[str, dict[str, Any]] = {
    "cancel": {},
    "pause": {},
    "resume": {},
    "skip": {"path": "hold"},
    "set": {"name": "rate", "value": 2},
    "signal": {"name": "go"},
    "retry": {},
}


@pytest.mark.parametrize("name", ARGUMENTS)
async def test_a_viewer_reaches_into_nothing(
    engine_pool: EnginePool, http: httpx.AsyncClient, developer: Caller, name: str
) -> None:
    execution = await waiting(developer, RATED, variables={"rate": {"default": 1}})
    viewer = await new_caller(engine_pool, http, developer.tenant, Role.VIEWER)
    before = await log_of(developer, execution)

    payload = await wish(viewer, name, execution, **ARGUMENTS[name])

    assert [error["__typename"] for error in payload["errors"]] == ["ForbiddenError"]
    assert await log_of(developer, execution) == before


@pytest.mark.parametrize("name", ARGUMENTS)
async def test_another_tenants_execution_is_not_there(developer: Caller, stranger: Caller, name: str) -> None:
    execution = await waiting(developer, RATED, variables={"rate": {"default": 1}})
    before = await log_of(developer, execution)
    missing = "execution_01k00000000000000000000000"

    theirs = await wish(stranger, name, execution, key="k", **ARGUMENTS[name])
    nobodys = await wish(stranger, name, missing, key="k", **ARGUMENTS[name])

    assert theirs["execution"] is nobodys["execution"] is None
    (error,), (expected,) = theirs["errors"], nobodys["errors"]
    assert error == {**expected, "message": expected["message"].replace(missing, execution)}
    assert error["__typename"] == "NotFoundError"
    assert await log_of(developer, execution) == before
