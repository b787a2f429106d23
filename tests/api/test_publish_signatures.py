"""Approvals that are signed: who proves by what that it is theirs, and that nothing is published without it."""

import asyncio
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import asyncpg
import httpx
import pytest

from db.connections import EnginePool
from domain.access import Role
from domain.ids import PublishRequestId, decode
from domain.storable import canonical
from tests.api.application import Application, Caller, new_caller
from tests.api.change_world import (
    APPROVE,
    PUBLISH,
    SIGN,
    SIGNED,
    SIGNED_RULE,
    SIGNED_TENANT_RULE,
    UPDATE,
    run,
    says,
    told,
)
from tests.api.operations import created
from tests.api.task_world import PASSWORD, Person, new_person

READ = f"""query ($id: ID!) {{ publishRequest(id: $id) {{
  status decidedBy comment version {{ number }} workflow {{ status activeVersion {{ number }} }} {SIGNED} }} }}"""
MISSING = "publishrequest_00000000000000000000000000"
UNDECIDED = {
    "status": "OPEN",
    "decidedBy": None,
    "comment": None,
    "version": None,
    "workflow": {"status": "DRAFT", "activeVersion": None},
    "signature": None,
    "signatureHolds": None,
}
NEEDED = "This approval needs a signature"
WRONG = "The password is wrong"
PROOF = ("ForbiddenError", ["signature", "password"])


@pytest.fixture
async def admin(engine_pool: EnginePool, http: httpx.AsyncClient, developer: Caller) -> Caller:
    return await new_caller(engine_pool, http, developer.tenant, Role.ADMIN)


@pytest.fixture
async def ada(api: Application, http: httpx.AsyncClient, developer: Caller) -> Person:
    return await new_person(api, http, developer.tenant, Role.DEVELOPER)


@pytest.fixture
async def bob(api: Application, http: httpx.AsyncClient, developer: Caller) -> Person:
    return await new_person(api, http, developer.tenant, Role.DEVELOPER)


@pytest.fixture
async def workflow_id(ada: Person, admin: Caller) -> str:
    """Ada's draft of a workflow whose approvals are signed."""
    workflow_id = await created(ada, says("one"))
    assert told(await run(admin, SIGNED_RULE, id=workflow_id, needs=True, signature=True)) == []
    return workflow_id


@pytest.fixture
async def request_id(ada: Person, workflow_id: str) -> str:
    return (await run(ada, PUBLISH, id=workflow_id))["request"]["id"]


async def read(caller: Caller, request_id: str) -> Any:
    return (await caller.data(READ, id=request_id))["publishRequest"]


async def test_a_signature_ties_the_person_to_what_they_approved(
    bob: Person, engine_pool: EnginePool, workflow_id: str, request_id: str
) -> None:
    approved = await run(bob, SIGN, id=request_id, password=PASSWORD)

    shown, signature = approved["request"], approved["request"]["signature"]
    signed_at = datetime.fromisoformat(signature["signedAt"])
    content = {
        "request": request_id,
        "workflow": workflow_id,
        "content": shown["contentHash"],
        "decision": "approved",
        "by": bob.id,
        "at": signed_at.astimezone(UTC).isoformat(),
    }
    assert (approved["errors"], approved["version"]) == ([], {"number": 1, "approvedBy": bob.id})
    assert signature == {
        "signedBy": bob.id,
        "signedAt": shown["decidedAt"],
        "meaning": "approved",
        "hash": sha256(canonical(content)).hexdigest(),
        "algorithm": "SHA-256",
    }
    stored = await read(bob, request_id)
    assert (stored["status"], stored["signature"], stored["signatureHolds"]) == ("APPROVED", signature, True)

    await engine_pool.execute(
        "UPDATE publish_request SET content_hash = $2 WHERE id = $1", decode("publishrequest", request_id), bytes(32)
    )
    assert (await read(bob, request_id))["signatureHolds"] is False


async def test_without_the_right_password_everything_stays_as_it_was(
    ada: Person, bob: Person, workflow_id: str, request_id: str
) -> None:
    refused = [
        await run(bob, APPROVE, id=request_id, comment="fine"),
        await run(bob, SIGN, id=request_id, password="wrong"),
        await run(bob, SIGN, id=request_id, password=""),
    ]

    assert [told(each) for each in refused] == [[PROOF]] * 3
    assert [error["message"] for each in refused for error in each["errors"]] == [NEEDED, WRONG, WRONG]
    assert [each["version"] for each in refused] == [None] * 3
    assert await read(ada, request_id) == UNDECIDED
    assert told(await run(bob, SIGN, id=request_id, password=PASSWORD)) == []


async def test_an_api_key_does_not_sign_whoever_it_belongs_to(
    engine_pool: EnginePool, http: httpx.AsyncClient, bob: Person, developer: Caller, request_id: str
) -> None:
    key = await new_caller(engine_pool, http, bob.tenant)
    owned = "UPDATE api_key SET account_id = $2 WHERE id = $1"
    await engine_pool.execute(owned, key.key_id, decode("user", bob.id))

    nobodys = await run(developer, SIGN, id=request_id, password=PASSWORD)
    bobs = await run(key, SIGN, id=request_id, password=PASSWORD)

    assert told(nobodys) == [("InvalidStateError", None)]
    assert told(bobs) == [PROOF]
    assert [error["message"] for error in bobs["errors"]] == [f"{NEEDED}, and an API key cannot sign"]
    assert await read(bob, request_id) == UNDECIDED


async def test_no_author_approves_by_signing(ada: Person, request_id: str) -> None:
    refused = await run(ada, SIGN, id=request_id, password=PASSWORD)

    assert told(refused) == [("InvalidStateError", ["id"])]
    assert await read(ada, request_id) == UNDECIDED


@pytest.mark.parametrize("role", list(Role))
async def test_roles_without_the_permission_sign_nothing(
    api: Application, http: httpx.AsyncClient, ada: Person, request_id: str, role: Role
) -> None:
    person = await new_person(api, http, ada.tenant, role)

    payload = await run(person, SIGN, id=request_id, password=PASSWORD)

    if role in (Role.ADMIN, Role.DEVELOPER):
        assert (told(payload), payload["request"]["signature"]["signedBy"]) == ([], person.id)
    else:
        assert told(payload) == [("ForbiddenError", None)]
        assert await read(ada, request_id) == UNDECIDED


async def test_a_person_of_another_tenant_finds_nothing_to_sign(
    api: Application, http: httpx.AsyncClient, ada: Person, stranger: Caller, request_id: str
) -> None:
    eve = await new_person(api, http, stranger.tenant, Role.ADMIN)

    theirs, missing = [await run(eve, SIGN, id=each, password=PASSWORD) for each in (request_id, MISSING)]

    assert told(theirs) == [("NotFoundError", ["id"])]
    assert str(theirs).replace(request_id, MISSING) == str(missing)
    assert await eve.data(READ, id=request_id) == {"publishRequest": None}
    assert await read(ada, request_id) == UNDECIDED


async def test_the_password_of_another_person_signs_nothing(
    engine_pool: EnginePool, ada: Person, bob: Person, request_id: str, api: Application
) -> None:
    await engine_pool.execute(
        "UPDATE account SET password_hash = $2 WHERE id = $1",
        decode("user", ada.id),
        await api.passwords.hash("only Ada knows this one"),
    )

    refused = await run(bob, SIGN, id=request_id, password="only Ada knows this one")

    assert told(refused) == [PROOF]
    assert await read(ada, request_id) == UNDECIDED


async def test_an_approval_is_signed_where_the_tenant_asks_for_it_unless_the_workflow_says_otherwise(
    admin: Caller, ada: Person, bob: Person
) -> None:
    signed, unsigned = await created(ada, says("one"), name="Signed"), await created(ada, says("one"), name="Unsigned")

    said = [
        (await run(admin, SIGNED_TENANT_RULE, needs=True, signature=True))["rule"],
        (await run(admin, SIGNED_RULE, id=signed, needs=True, signature=None))["rule"],
        (await run(admin, SIGNED_RULE, id=unsigned, needs=True, signature=False))["rule"],
    ]
    requests = [(await run(ada, PUBLISH, id=each))["request"]["id"] for each in (signed, unsigned)]
    payloads = [await run(bob, APPROVE, id=each) for each in requests]

    ruled = {"needsApproval": True, "tenantSignature": True}
    assert said == [
        ruled | {"signature": True, "workflowSignature": None},
        ruled | {"signature": True, "workflowSignature": None},
        ruled | {"signature": False, "workflowSignature": False},
    ]
    assert [told(each) for each in payloads] == [[PROOF], []]
    assert (await read(bob, requests[1]))["signature"] is None


async def test_the_rule_that_holds_at_the_approval_counts(
    admin: Caller, bob: Person, workflow_id: str, ada: Person
) -> None:
    await run(admin, SIGNED_RULE, id=workflow_id, needs=True, signature=None)
    request = (await run(ada, PUBLISH, id=workflow_id))["request"]["id"]

    await run(admin, SIGNED_RULE, id=workflow_id, needs=True, signature=True)
    refused = await run(bob, APPROVE, id=request)
    await run(admin, SIGNED_RULE, id=workflow_id, needs=True, signature=None)
    approved = await run(bob, APPROVE, id=request)

    assert (told(refused), told(approved)) == ([PROOF], [])


async def test_a_password_that_no_rule_asks_for_is_not_looked_at(
    admin: Caller, ada: Person, bob: Person, workflow_id: str, request_id: str
) -> None:
    await run(admin, SIGNED_RULE, id=workflow_id, needs=True, signature=False)

    approved = await run(bob, SIGN, id=request_id, password="wrong")

    assert (approved["errors"], approved["request"]["signature"]) == ([], None)


async def test_a_workflow_without_a_rule_of_its_own_says_nothing_of_signatures(admin: Caller, workflow_id: str) -> None:
    refused = await run(admin, SIGNED_RULE, id=workflow_id, needs=None, signature=True)
    kept = await run(admin, SIGNED_RULE, id=workflow_id, needs=True, signature=True)

    assert told(refused) == [("ValidationError", ["signature"])]
    assert kept["rule"]["workflowSignature"] is True


@pytest.mark.parametrize("role", list(Role))
async def test_only_who_manages_the_tenant_lifts_the_rule(
    engine_pool: EnginePool, http: httpx.AsyncClient, ada: Person, workflow_id: str, role: Role
) -> None:
    caller = await new_caller(engine_pool, http, ada.tenant, role)
    shown = "query ($id: ID!) { workflow(id: $id) { publishRule { signature workflowSignature tenantSignature } } }"

    payloads = [
        await run(caller, SIGNED_RULE, id=workflow_id, needs=True, signature=False),
        await run(caller, SIGNED_TENANT_RULE, needs=True, signature=True),
    ]

    changed = role is Role.ADMIN
    assert [told(each) for each in payloads] == [[] if changed else [("ForbiddenError", None)]] * 2
    assert (await ada.data(shown, id=workflow_id))["workflow"]["publishRule"] == {
        "signature": not changed,
        "workflowSignature": not changed,
        "tenantSignature": changed,
    }


async def test_signing_again_answers_with_what_was_signed(bob: Person, request_id: str) -> None:
    first = await run(bob, SIGN, id=request_id, password=PASSWORD)
    again = await run(bob, APPROVE, id=request_id)

    assert (again["errors"], again["version"]["number"]) == ([], 1)
    assert (await read(bob, request_id))["signature"] == first["request"]["signature"]


async def test_an_edit_and_a_signature_at_once_never_publish_what_was_not_signed(
    ada: Person, bob: Person, workflow_id: str, request_id: str
) -> None:
    edited, approved = await asyncio.gather(
        run(ada, UPDATE, id=workflow_id, input={"graph": says("unseen")}),
        run(bob, SIGN, id=request_id, password=PASSWORD),
    )

    stored = await read(bob, request_id)
    assert edited["errors"] == []
    assert told(approved) in ([], [("InvalidStateError", ["id"])])
    assert (stored["status"], stored["signatureHolds"]) in (("APPROVED", True), ("VOID", None))


async def test_the_table_keeps_signatures_whole_and_of_approvals(engine_pool: EnginePool, request_id: str) -> None:
    identity = PublishRequestId(decode("publishrequest", request_id))
    for changes in (
        "signature = 'x'",
        "signed_by = id, signed_at = now(), signature_meaning = 'approved', signature = 'x'",
    ):
        with pytest.raises(asyncpg.CheckViolationError, match="publish_request_signed"):
            await engine_pool.execute(f"UPDATE publish_request SET {changes} WHERE id = $1", identity)
