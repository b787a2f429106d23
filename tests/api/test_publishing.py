"""Publishing by two people: what is asked, who may answer, and that exactly what was seen is what is published."""

import asyncio
from typing import Any

import httpx
import pytest

from db.connections import EnginePool
from domain.access import Role
from tests.api.application import Application, Caller, new_caller
from tests.api.change_world import (
    APPROVE,
    DECLINE,
    MERGE,
    PUBLISH,
    RULE,
    TENANT_RULE,
    UPDATE,
    WITHDRAW,
    branched,
    run,
    says,
    told,
)
from tests.api.operations import created
from tests.api.task_world import Person, new_person

MISSING = "publishrequest_00000000000000000000000000"
LIST = """query ($filter: PublishRequestFilter) { publishRequests(filter: $filter) {
  totalCount nodes { id status workflow { id } } } }"""
ACTIVE = """query ($id: ID!) { workflow(id: $id) {
  status activeVersion { number graph { nodes { id config } } } publishRequest { id }
  versions { nodes { number } } } }"""
ROLLBACK = """mutation ($id: ID!, $version: Int!) { workflowRollback(id: $id, version: $version) {
  workflow { activeVersion { number } publishRequest { id } } errors { __typename path } } }"""


@pytest.fixture
async def ada(api: Application, http: httpx.AsyncClient, developer: Caller) -> Person:
    return await new_person(api, http, developer.tenant, Role.DEVELOPER)


@pytest.fixture
async def bob(api: Application, http: httpx.AsyncClient, developer: Caller) -> Person:
    return await new_person(api, http, developer.tenant, Role.DEVELOPER)


@pytest.fixture
async def guarded(engine_pool: EnginePool, http: httpx.AsyncClient, ada: Person) -> str:
    """Ada's draft of a workflow that two people publish."""
    admin = await new_caller(engine_pool, http, ada.tenant, Role.ADMIN)
    workflow_id = await created(ada, says("one"))
    assert (await run(admin, RULE, id=workflow_id, needs=True))["errors"] == []
    return workflow_id


async def asked(caller: Caller, workflow_id: str, note: str = "please") -> str:
    """The id of the request that publishing makes."""
    payload = await run(caller, PUBLISH, id=workflow_id, note=note)
    assert (payload["errors"], payload["version"]) == ([], None)
    return payload["request"]["id"]


async def active(caller: Caller, workflow_id: str) -> Any:
    return (await caller.data(ACTIVE, id=workflow_id))["workflow"]


async def test_publishing_asks_another_person_and_their_approval_publishes(
    ada: Person, bob: Person, guarded: str
) -> None:
    waiting = await run(ada, PUBLISH, id=guarded, note="greets")
    before = await active(ada, guarded)
    approved = await run(bob, APPROVE, id=waiting["request"]["id"], comment="fine")

    content_hash = waiting["request"]["contentHash"]
    assert waiting == {
        "workflow": {"status": "DRAFT", "activeVersion": None},
        "version": None,
        "request": {
            "id": waiting["request"]["id"],
            "status": "OPEN",
            "note": "greets",
            "authors": [ada.id],
            "requestedBy": ada.id,
            "decidedBy": None,
            "comment": None,
            "contentHash": content_hash,
            "version": None,
        },
        "errors": [],
    }
    assert (before["activeVersion"], before["publishRequest"]) == (None, {"id": waiting["request"]["id"]})
    assert approved == {
        "workflow": {"status": "ACTIVE", "authors": [], "activeVersion": {"number": 1}},
        "version": {
            "number": 1,
            "note": "greets",
            "publishedBy": ada.id,
            "approvedBy": bob.id,
            "contentHash": content_hash,
        },
        "request": waiting["request"]
        | {"status": "APPROVED", "decidedBy": bob.id, "comment": "fine", "version": {"number": 1}},
        "errors": [],
    }
    assert len(content_hash) == 64


async def test_nobody_approves_or_declines_their_own_change_whoever_asked(
    ada: Person, bob: Person, guarded: str
) -> None:
    request = await asked(bob, guarded)

    by_author = [await run(ada, mutation, id=request) for mutation in (APPROVE, DECLINE)]
    unchanged = await active(ada, guarded)
    by_another = await run(bob, APPROVE, id=request)

    assert [told(payload) for payload in by_author] == [[("InvalidStateError", ["id"])]] * 2
    assert (unchanged["activeVersion"], unchanged["publishRequest"]) == (None, {"id": request})
    assert by_another["version"]["approvedBy"] == bob.id


async def test_everybody_who_changed_the_draft_is_an_author_by_a_branch_too(
    api: Application, http: httpx.AsyncClient, ada: Person, bob: Person, guarded: str
) -> None:
    carol = await new_person(api, http, ada.tenant, Role.DEVELOPER)
    branch = await branched(bob, guarded, graph=says("two"))
    await run(ada, MERGE, id=branch)

    request = await asked(ada, guarded)

    assert [told(await run(person, APPROVE, id=request)) for person in (ada, bob, carol)] == [
        [("InvalidStateError", ["id"])],
        [("InvalidStateError", ["id"])],
        [],
    ]


async def test_a_change_that_python_takes_for_none_has_an_author_too(ada: Person, bob: Person, guarded: str) -> None:
    await run(bob, APPROVE, id=await asked(ada, guarded))
    await run(ada, UPDATE, id=guarded, input={"variables": {"on": {"default": 1}}})
    await run(bob, APPROVE, id=await asked(ada, guarded))

    changed = await run(bob, UPDATE, id=guarded, input={"variables": {"on": {"default": True}}})

    assert changed["workflow"]["authors"] == [bob.id]


async def test_a_key_that_belongs_to_nobody_asks_and_does_not_approve(
    developer: Caller, ada: Person, guarded: str
) -> None:
    request = await asked(developer, guarded)

    refused = await run(developer, APPROVE, id=request)

    assert told(refused) == [("InvalidStateError", None)]
    assert (await active(ada, guarded))["publishRequest"] == {"id": request}


async def test_an_edit_makes_the_request_void_and_what_was_asked_is_not_published(
    ada: Person, bob: Person, guarded: str
) -> None:
    request = await asked(ada, guarded)
    await run(ada, UPDATE, id=guarded, input={"graph": says("evil")})
    back = await run(ada, UPDATE, id=guarded, input={"graph": says("one")})

    refused = await run(bob, APPROVE, id=request)
    anew = await asked(ada, guarded)

    assert back["errors"] == []
    assert told(refused) == [("InvalidStateError", ["id"])]
    assert "VOID" in refused["errors"][0]["message"]
    assert anew != request
    listed = await bob.data(LIST, filter={"workflowId": guarded})
    assert [(each["id"], each["status"]) for each in listed["publishRequests"]["nodes"]] == [
        (anew, "OPEN"),
        (request, "VOID"),
    ]


async def test_a_change_of_the_name_leaves_the_request_open_and_a_deletion_does_not(ada: Person, guarded: str) -> None:
    request = await asked(ada, guarded)
    read = "query ($id: ID!) { publishRequest(id: $id) { status decidedBy } }"

    await run(ada, UPDATE, id=guarded, input={"name": "Another name"})
    renamed = await ada.data(read, id=request)
    await run(ada, "mutation ($id: ID!) { workflowDelete(id: $id) { errors { code } } }", id=guarded)
    deleted = await ada.data(read, id=request)

    assert renamed == {"publishRequest": {"status": "OPEN", "decidedBy": None}}
    assert deleted == {"publishRequest": {"status": "VOID", "decidedBy": None}}


async def test_publishing_the_same_content_again_finds_the_same_request(ada: Person, bob: Person, guarded: str) -> None:
    requests = await asyncio.gather(*(asked(person, guarded) for person in (ada, bob, ada)))

    assert len(set(requests)) == 1
    listed = await ada.data(LIST, filter={"status": ["OPEN"]})
    assert listed == {
        "publishRequests": {
            "totalCount": 1,
            "nodes": [{"id": requests[0], "status": "OPEN", "workflow": {"id": guarded}}],
        }
    }


async def test_an_edit_and_an_approval_at_once_never_publish_what_nobody_saw(
    ada: Person, bob: Person, guarded: str
) -> None:
    for attempt in range(5):
        await run(ada, UPDATE, id=guarded, input={"graph": says(f"seen {attempt}")})
        request = await asked(ada, guarded)

        edited, approved = await asyncio.gather(
            run(ada, UPDATE, id=guarded, input={"graph": says("unseen")}), run(bob, APPROVE, id=request)
        )

        assert edited["errors"] == []
        assert told(approved) in ([], [("InvalidStateError", ["id"])])
        now = (await active(ada, guarded))["activeVersion"]
        shown = [node["config"] for node in now["graph"]["nodes"] if node["id"] == "say"] if now else []
        assert {"message": "unseen"} not in shown
        if approved["version"]:
            assert shown == [{"message": f"seen {attempt}"}]


async def test_two_who_approve_at_once_make_one_version(
    api: Application, http: httpx.AsyncClient, ada: Person, bob: Person, guarded: str
) -> None:
    carol = await new_person(api, http, ada.tenant, Role.DEVELOPER)
    request = await asked(ada, guarded)

    both = await asyncio.gather(run(bob, APPROVE, id=request), run(carol, APPROVE, id=request))
    again = [await run(person, APPROVE, id=request) for person in (bob, carol)]

    assert sorted(len(payload["errors"]) for payload in both) == [0, 1]
    assert (await active(ada, guarded))["versions"] == {"nodes": [{"number": 1}]}
    assert sorted(len(payload["errors"]) for payload in again) == [0, 1], "who approved may say so twice"


async def test_a_declined_request_publishes_nothing_and_stays_declined(ada: Person, bob: Person, guarded: str) -> None:
    request = await asked(ada, guarded)

    declined = await run(bob, DECLINE, id=request, comment="no")
    again = await run(bob, DECLINE, id=request)
    late = await run(bob, APPROVE, id=request)

    shown = {key: declined["request"][key] for key in ("status", "decidedBy", "comment")}
    assert shown == {"status": "DECLINED", "decidedBy": bob.id, "comment": "no"}
    assert (again["errors"], again["request"]["comment"]) == ([], "no")
    assert told(late) == [("InvalidStateError", ["id"])]
    assert (await active(ada, guarded))["activeVersion"] is None


async def test_who_asked_takes_a_request_back_and_others_do_not(
    api: Application, http: httpx.AsyncClient, ada: Person, bob: Person, guarded: str
) -> None:
    carol = await new_person(api, http, ada.tenant, Role.DEVELOPER)
    request = await asked(bob, guarded)

    refused = await run(carol, WITHDRAW, id=request)
    withdrawn = await run(bob, WITHDRAW, id=request)

    assert told(refused) == [("InvalidStateError", ["id"])]
    assert (withdrawn["errors"], withdrawn["request"]["status"]) == ([], "WITHDRAWN")
    assert (await active(ada, guarded))["publishRequest"] is None


async def test_rolling_back_needs_no_second_person_and_leaves_the_request_open(
    ada: Person, bob: Person, guarded: str
) -> None:
    for message in ("one", "two"):
        await run(ada, UPDATE, id=guarded, input={"graph": says(message)})
        await run(bob, APPROVE, id=await asked(ada, guarded))
    await run(ada, UPDATE, id=guarded, input={"graph": says("three")})
    request = await asked(ada, guarded)

    back = await run(ada, ROLLBACK, id=guarded, version=1)
    approved = await run(bob, APPROVE, id=request)

    assert back == {
        "workflow": {"activeVersion": {"number": 1}, "publishRequest": {"id": request}},
        "errors": [],
    }
    assert approved["version"]["number"] == 3


async def test_what_is_not_published_cannot_be_rolled_back_to(ada: Person, guarded: str) -> None:
    await asked(ada, guarded)

    refused = await run(ada, ROLLBACK, id=guarded, version=1)

    assert told(refused) == [("NotFoundError", ["version"])]


async def test_a_request_shows_what_it_would_change(ada: Person, bob: Person, guarded: str) -> None:
    await run(bob, APPROVE, id=await asked(ada, guarded))
    await run(ada, UPDATE, id=guarded, input={"graph": says("two")})
    request = await asked(ada, guarded)
    read = """query ($id: ID!) { publishRequest(id: $id) {
      changes { nodesChanged { node { id } fields { path before after } } }
      candidate { number contentHash } contentHash } }"""

    shown = (await bob.data(read, id=request))["publishRequest"]

    assert shown == {
        "changes": {
            "nodesChanged": [
                {
                    "node": {"id": "say"},
                    "fields": [{"path": ["config", "message"], "before": "one", "after": "two"}],
                }
            ]
        },
        "candidate": {"number": None, "contentHash": shown["contentHash"]},
        "contentHash": shown["contentHash"],
    }
    await run(bob, APPROVE, id=request)
    assert (await bob.data(read, id=request))["publishRequest"] == shown


ALLOWED = {
    APPROVE: {Role.ADMIN, Role.DEVELOPER},
    DECLINE: {Role.ADMIN, Role.DEVELOPER},
    WITHDRAW: {Role.ADMIN, Role.DEVELOPER},
    RULE: {Role.ADMIN},
    TENANT_RULE: {Role.ADMIN},
}


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("mutation", list(ALLOWED), ids=["approve", "decline", "withdraw", "rule", "tenant rule"])
async def test_roles_without_the_permission_change_nothing(
    engine_pool: EnginePool, http: httpx.AsyncClient, ada: Person, guarded: str, mutation: str, role: Role
) -> None:
    request = await asked(ada, guarded)
    caller = await new_caller(engine_pool, http, ada.tenant, role)
    given: dict[str, dict[str, object]] = {RULE: {"id": guarded, "needs": False}, TENANT_RULE: {"needs": True}}

    payload = await run(caller, mutation, **given.get(mutation, {"id": request}))

    assert (("ForbiddenError", None) in told(payload)) is (role not in ALLOWED[mutation])
    if role not in ALLOWED[mutation]:
        now = await ada.data(
            "query ($id: ID!) { publishRule { tenant } workflow(id: $id) { publishRule { workflow } } }", id=guarded
        )
        assert now == {"publishRule": {"tenant": False}, "workflow": {"publishRule": {"workflow": True}}}
        assert (await active(ada, guarded))["publishRequest"] == {"id": request}


async def test_another_tenants_request_answers_like_a_missing_one(ada: Person, stranger: Caller, guarded: str) -> None:
    request = await asked(ada, guarded)
    read = "query ($id: ID!) { publishRequest(id: $id) { id } node(id: $id) { id } }"

    assert await stranger.data(read, id=request) == await stranger.data(read, id=MISSING)
    for mutation in (APPROVE, DECLINE, WITHDRAW):
        theirs, missing = await run(stranger, mutation, id=request), await run(stranger, mutation, id=MISSING)
        assert str(theirs).replace(request, MISSING) == str(missing)
        assert told(theirs) == [("NotFoundError", ["id"])]
    assert (await stranger.data(LIST, filter={"workflowId": guarded}))["publishRequests"]["totalCount"] == 0
    assert (await active(ada, guarded))["publishRequest"] == {"id": request}
