"""The dead-letter queue: what failed is found, looked at, replayed once, dismissed, purged, by those who may."""

from typing import Any

import httpx
import pytest

from db.connections import EnginePool
from domain.access import Role
from tests.api.application import Caller, new_caller
from tests.api.operations import ERRORS, FAILS, finished, published
from tests.api.test_executions import until

pytestmark = pytest.mark.usefixtures("worker")

LIST = """query ($filter: DeadLetterFilter, $first: Int, $after: String) {
  deadLetters(filter: $filter, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor }
    nodes { state execution { id status } error failedAt replay { id } }
  }
}"""
REPLAY = (
    f"""mutation ($ids: [ID!]!) {{ deadLetterReplay(ids: $ids) {{ executions {{ id retryOf {{ id }} }} {ERRORS} }} }}"""
)
REPLAY_WITH = f"""mutation ($ids: [ID!]!, $input: JSON) {{
  deadLetterReplay(ids: $ids, input: $input) {{ executions {{ id }} {ERRORS} }}
}}"""
DISMISS = f"""mutation ($ids: [ID!]!, $reason: String) {{
  deadLetterDismiss(ids: $ids, reason: $reason) {{ deadLetters {{ state reason dismissedBy }} {ERRORS} }}
}}"""
PURGE = f"""mutation ($filter: DeadLetterFilter!) {{ deadLetterPurge(filter: $filter) {{ count {ERRORS} }} }}"""
MISSING = "execution_00000000000000000000000000"


async def failed(caller: Caller, count: int = 1) -> list[str]:
    """The ids of failures of a new workflow."""
    workflow_id = await published(caller, FAILS, name=f"Failing {count}")
    return [(await finished(caller, workflow_id, input={"ok": False}))["id"] for _ in range(count)]


async def queue(caller: Caller, **variables: object) -> list[str]:
    answer = await caller.data(LIST, **variables)
    return [node["execution"]["id"] for node in answer["deadLetters"]["nodes"]]


async def of(caller: Caller, execution_id: str) -> Any:
    query = "query ($id: ID!) { execution(id: $id) { deadLetter { state replay { id } dismissedBy } } }"
    return (await caller.data(query, id=execution_id))["execution"]["deadLetter"]


async def test_what_failed_is_in_the_queue_latest_first_page_by_page(developer: Caller) -> None:
    ids = await failed(developer, 3)
    fine = await published(developer, FAILS, name="Fine")
    await finished(developer, fine, input={"ok": True})

    first = (await developer.data(LIST, first=2))["deadLetters"]
    rest = (await developer.data(LIST, first=2, after=first["pageInfo"]["endCursor"]))["deadLetters"]

    assert [node["execution"]["id"] for node in first["nodes"] + rest["nodes"]] == ids[::-1]
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (3, True, False)
    assert {(node["state"], node["error"]["message"], node["replay"]) for node in first["nodes"]} == {
        ("OPEN", "not ok", None)
    }


async def test_the_filter_chooses_by_workflow_code_and_time_of_the_failure(developer: Caller) -> None:
    (one,) = await failed(developer)
    await failed(developer, 2)
    query = "query ($id: ID!) { execution(id: $id) { error finishedAt workflow { id } } }"
    found = (await developer.data(query, id=one))["execution"]

    assert await queue(developer, filter={"workflowId": found["workflow"]["id"]}) == [one]
    assert len(await queue(developer, filter={"code": [found["error"]["code"]]})) == 3
    assert await queue(developer, filter={"code": ["OTHER"]}) == []
    assert await queue(developer, filter={"until": found["finishedAt"]}) == []
    assert len(await queue(developer, filter={"since": found["finishedAt"]})) == 3


async def test_a_replay_is_a_retry_and_takes_the_entry_out_of_the_queue(developer: Caller) -> None:
    (one,) = await failed(developer)

    payload = (await developer.data(REPLAY, ids=[one]))["deadLetterReplay"]

    assert payload["errors"] == []
    (replay,) = payload["executions"]
    assert replay["retryOf"]["id"] == one
    assert await of(developer, one) == {"state": "REPLAYED", "replay": {"id": replay["id"]}, "dismissedBy": None}
    assert one not in await queue(developer)


async def test_replaying_twice_is_replaying_once(developer: Caller) -> None:
    (one,) = await failed(developer)

    first = (await developer.data(REPLAY, ids=[one, one]))["deadLetterReplay"]["executions"]
    again = (await developer.data(REPLAY, ids=[one]))["deadLetterReplay"]["executions"]

    assert first == again * 2


async def test_a_replay_can_give_the_step_that_failed_another_input(developer: Caller) -> None:
    (one,) = await failed(developer)

    answer = (await developer.data(REPLAY_WITH, ids=[one], input={"ok": "edited"}))["deadLetterReplay"]

    assert answer["errors"] == []
    (replay,) = answer["executions"]
    await until(developer, replay["id"], "FAILED")
    query = "query ($id: ID!) { execution(id: $id) { steps { nodes { path input } } } }"
    steps = (await developer.data(query, id=replay["id"]))["execution"]["steps"]["nodes"]
    assert [step["input"] for step in steps if step["path"] == "stop"] == [{"ok": "edited"}]
    assert await queue(developer) == [replay["id"]], "the replay that failed has taken its place"


async def test_each_id_is_answered_by_itself(developer: Caller, stranger: Caller) -> None:
    (one,) = await failed(developer)
    (theirs,) = await failed(stranger)

    payload = (await developer.data(REPLAY, ids=[theirs, one, MISSING]))["deadLetterReplay"]

    assert [execution and execution["retryOf"]["id"] for execution in payload["executions"]] == [None, one, None]
    assert [(error["code"], error["path"]) for error in payload["errors"]] == [
        ("NOT_FOUND", ["ids", "0"]),
        ("NOT_FOUND", ["ids", "2"]),
    ]
    assert (await of(stranger, theirs))["state"] == "OPEN"


async def test_a_dismissed_entry_leaves_the_queue_and_says_who_did_it(developer: Caller) -> None:
    one, other = await failed(developer, 2)

    payload = (await developer.data(DISMISS, ids=[one], reason="known"))["deadLetterDismiss"]
    again = (await developer.data(DISMISS, ids=[one], reason="other"))["deadLetterDismiss"]

    (letter,) = payload["deadLetters"]
    assert (letter["state"], letter["reason"]) == ("DISMISSED", "known")
    assert letter["dismissedBy"].startswith("apikey_")
    assert again["deadLetters"] == [letter]
    assert await queue(developer) == [other]
    refused = (await developer.data(REPLAY, ids=[one]))["deadLetterReplay"]
    assert ([error["code"] for error in refused["errors"]], refused["executions"]) == (["INVALID_STATE"], [None])


async def test_a_purge_dismisses_all_of_the_filter_and_no_others(developer: Caller, stranger: Caller) -> None:
    await failed(developer, 3)
    (later,) = await failed(developer)
    theirs = await failed(stranger)
    query = "query ($id: ID!) { execution(id: $id) { finishedAt } }"
    moment = (await developer.data(query, id=later))["execution"]["finishedAt"]

    payload = (await developer.data(PURGE, filter={"until": moment}))["deadLetterPurge"]
    again = (await developer.data(PURGE, filter={"until": moment}))["deadLetterPurge"]

    assert (payload, again) == ({"count": 3, "errors": []}, {"count": 0, "errors": []})
    assert await queue(developer) == [later]
    assert await queue(stranger) == theirs


async def test_too_many_at_once_are_refused(developer: Caller) -> None:
    for mutation, name in ((REPLAY, "deadLetterReplay"), (DISMISS, "deadLetterDismiss")):
        payload = (await developer.data(mutation, ids=[MISSING] * 101))[name]
        assert [(error["code"], error["path"]) for error in payload["errors"]] == [("TOO_LARGE", ["ids"])]


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(
    "mutation",
    ["deadLetterReplay(ids: [$e])", "deadLetterDismiss(ids: [$e])", "deadLetterPurge(filter: {code: [$e]})"],
)
async def test_roles_that_may_not_change_nothing(
    engine_pool: EnginePool, http: httpx.AsyncClient, developer: Caller, mutation: str, role: Role
) -> None:
    (one,) = await failed(developer)
    caller = await new_caller(engine_pool, http, developer.tenant, role)
    declared = "String!" if "code" in mutation else "ID!"

    answer = await caller.data(f"mutation ($e: {declared}) {{ it: {mutation} {{ {ERRORS} }} }}", e=one)

    refused = [error["code"] for error in answer["it"]["errors"]] == ["FORBIDDEN"]
    assert refused is (role is Role.VIEWER)
    assert await queue(caller) == ([one] if refused or "code" in mutation else [])
