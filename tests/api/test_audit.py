"""The audit log through the API: what is written down of everything that is done, and who may read it."""

import asyncio
import csv
import io
from typing import Any

import httpx
import pytest

from app.clock import utc_now
from app.keyring import audit_seal
from app.master_keys import MasterKeys
from db import audit_verify
from db.connections import EnginePool
from domain.access import Role
from domain.ids import encode
from domain.tenancy import Tenant
from schema.audit_recording import TOGETHER, action_of
from tests.api.application import MASTER_KEY, Application, Caller, new_account, new_caller, new_tenant
from tests.api.id_places import asked_with
from tests.api.operations import CREATE, PUBLISH, created, published
from tests.api.schema_words import fields
from tests.api.test_connections import created as connected
from tests.api.test_connections import updated
from tests.api.test_environments import environment
from tests.api.test_files import stored
from tests.api.test_sign_in import PASSWORD, sign_in
from tests.api.whole_world import World, missing, new_world

AFTERWARDS = frozenset(
    {
        *("executionStart", "executionStartMany", "executionCancel", "executionPause", "executionResume"),
        *("executionRetry", "executionContinue", "executionSetVariable", "executionsMigrate", "stepSkip", "signalSend"),
        *("deadLetterReplay", "deadLetterDismiss", "deadLetterPurge", "testCaseRun", "loadRunStart", "loadRunCancel"),
        *("taskComplete", "taskClaim", "taskUnclaim", "taskDelegate", "taskEscalate", "taskComment"),
        *("fileDelete", "connectionTest", "viewerSetPassword", "sessionRevoke", "sessionRevokeOthers"),
    }
)
"""Mutations that ring at a worker, announce something, wait or reach beyond the database."""
LIST = """query ($filter: AuditEntryFilter, $first: Int, $after: String, $last: Int, $before: String) {
  auditEntries(filter: $filter, first: $first, after: $after, last: $last, before: $before) {
    nodes {
      seq action outcome code ids before after ip userAgent requestId hash
      actor { kind id name } object { type id }
    }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}"""


@pytest.fixture
async def admin(engine_pool: EnginePool, http: httpx.AsyncClient, acme: Tenant) -> Caller:
    return await new_caller(engine_pool, http, acme, Role.ADMIN)


async def entries(caller: Caller, **filter: object) -> Any:
    """The newest entries, the newest first."""
    return (await caller.data(LIST, filter=filter or None, first=100))["auditEntries"]["nodes"]


def summary(entry: Any) -> tuple[Any, ...]:
    return (entry["action"], entry["outcome"], entry["code"], entry["object"] and entry["object"]["id"])


async def export(caller: Caller, **parameters: str) -> httpx.Response:
    return await caller.http.get("/audit/export", params=parameters, headers={"X-API-Key": caller.key})


@pytest.fixture(scope="module")
async def world(api: Application, http: httpx.AsyncClient) -> World:
    return await new_world(api, http)


def test_it_has_been_decided_for_every_mutation_whether_its_entry_is_part_of_its_transaction() -> None:
    assert TOGETHER.isdisjoint(AFTERWARDS)
    assert fields("Mutation").keys() == TOGETHER | AFTERWARDS


@pytest.mark.parametrize("name", sorted(fields("Mutation")))
async def test_every_mutation_is_recorded_with_the_ids_that_it_named(
    engine_pool: EnginePool, http: httpx.AsyncClient, world: World, name: str
) -> None:
    caller = await new_caller(engine_pool, http, world.tenant, Role.ADMIN)
    ids = {prefix: missing(prefix) for prefix in world.ids}
    asked = asked_with("Mutation", name, ids)

    payload = (await caller.ask(asked.text, **asked.variables))["data"]["it"]
    (entry,) = await entries(caller, actor=encode("apikey", caller.key_id))

    codes = [error["code"] for error in payload["errors"]]
    assert (entry["action"], entry["outcome"]) == (action_of(name)[1], "REFUSED" if codes else "DONE")
    assert entry["code"] == (codes[0] if codes else None)
    assert entry["ids"] == [each for each in ids.values() if f'"{each}"' in str(asked).replace("'", '"')]


async def test_an_entry_says_who_did_what_to_what_from_where(
    acme: Tenant, admin: Caller, http: httpx.AsyncClient
) -> None:
    answer = await http.post(
        "/graphql",
        json={"query": CREATE, "variables": {"input": {"name": "Adding", "graph": {"nodes": [], "edges": []}}}},
        headers={"X-API-Key": admin.key, "User-Agent": "curl/8\x7f", "X-Request-ID": "order-7"},
    )
    workflow_id = answer.json()["data"]["workflowCreate"]["workflow"]["id"]

    (entry,) = await entries(admin)

    digest = entry["after"].pop("draftDigest")
    assert len(digest) == len(entry.pop("hash")) == 64
    assert entry == {
        "seq": "1",
        "action": "workflow.create",
        "outcome": "DONE",
        "code": None,
        "ids": [],
        "actor": {"kind": "API_KEY", "id": encode("apikey", admin.key_id), "name": "admin"},
        "object": {"type": "workflow", "id": workflow_id},
        "before": None,
        "after": {
            "name": "Adding",
            "description": "",
            "category": "",
            "tags": [],
            "status": "DRAFT",
            "revision": 1,
            "activeVersion": None,
            "deletedAt": None,
        },
        "ip": "127.0.0.1",
        "userAgent": "curl/8",
        "requestId": "order-7",
    }


async def test_a_change_shows_the_object_as_it_was_and_as_it_became(admin: Caller) -> None:
    workflow_id = await published(admin)

    (publish, create) = await entries(admin)

    assert publish["before"] == create["after"]
    changed = {name for name in publish["after"] if publish["after"][name] != publish["before"][name]}
    assert changed == {"activeVersion", "revision", "status"}
    assert publish["after"]["activeVersion"].startswith("version_")
    assert summary(publish) == ("workflow.publish", "DONE", None, workflow_id)


async def test_no_secret_reaches_the_log(admin: Caller) -> None:
    canary = "canary-5e1f"
    settings = {"host": "mail.example.com", "username": f"https://shop:{canary}@example.com"}
    made = await connected(admin, settings=settings, secrets={"password": canary})
    await updated(admin, made["id"], secrets={"password": f"{canary}-2"}, settings=settings)
    await environment(admin, "staging", variables={"tone": canary})

    found = await entries(admin)

    assert [summary(entry)[0] for entry in found] == ["environment.create", "connection.update", "connection.create"]
    assert found[0]["after"]["variables"] == ["tone"]
    assert found[1]["after"]["settings"]["username"] == "https://shop:•••••@example.com"
    assert canary not in str(found)
    assert canary not in (await export(admin)).text


async def test_a_refused_change_is_recorded_although_its_transaction_is_undone(admin: Caller) -> None:
    first = await created(admin, name="Adding")

    again = await admin.data(CREATE, input={"name": "Adding", "graph": {"nodes": [], "edges": []}})
    other = missing("workflow")
    await admin.data(PUBLISH, id=other)

    assert [error["code"] for error in again["workflowCreate"]["errors"]] == ["CONFLICT"]
    assert [summary(entry) for entry in await entries(admin)] == [
        ("workflow.publish", "REFUSED", "NOT_FOUND", other),
        ("workflow.create", "REFUSED", "CONFLICT", None),
        ("workflow.create", "DONE", None, first),
    ]


async def test_of_many_that_were_asked_for_it_is_told_that_some_were_refused(admin: Caller) -> None:
    known, unknown = await published(admin), missing("workflow")

    await admin.data(
        "mutation ($inputs: [ExecutionStartInput!]!) { executionStartMany(inputs: $inputs) { errors { code } } }",
        inputs=[{"workflowId": known, "input": {"a": 1, "b": 2}}, {"workflowId": unknown}],
    )

    entry = (await entries(admin))[0]
    assert (*summary(entry), entry["ids"]) == ("execution.startMany", "PARTLY", "NOT_FOUND", None, [known, unknown])


async def test_a_change_that_cannot_be_recorded_is_not_made(engine_pool: EnginePool, admin: Caller) -> None:
    await engine_pool.execute(
        "INSERT INTO audit_entry (tenant_id, seq, at, actor_kind, action, ids, outcome, request_id, hash)"
        " VALUES ($1, 9223372036854775807, now(), 'nobody', 'end', '{}', 'DONE', '', '')",
        admin.tenant.id,
    )

    answer = await admin.ask(CREATE, input={"name": "Adding", "graph": {"nodes": [], "edges": []}})

    assert [error["extensions"]["code"] for error in answer["errors"]] == ["INTERNAL"]
    assert await engine_pool.fetchval("SELECT count(*) FROM workflow WHERE tenant_id = $1", admin.tenant.id) == 0


async def test_entries_are_found_by_actor_action_object_and_time(admin: Caller, developer: Caller) -> None:
    before = utc_now().isoformat()
    first = await created(admin, name="One")
    between = utc_now().isoformat()
    second = await published(developer, name="Two")

    async def seen(**filter: object) -> list[tuple[str, str]]:
        return [(each["action"], each["object"]["id"]) for each in await entries(admin, **filter)]

    one, two, out = ("workflow.create", first), ("workflow.create", second), ("workflow.publish", second)
    assert await seen() == [out, two, one]
    assert await seen(actor=encode("apikey", developer.key_id)) == [out, two]
    assert await seen(action="workflow.create") == [two, one]
    assert await seen(object=second) == [out, two]
    assert await seen(**{"from": between}) == [out, two]
    assert await seen(**{"from": before, "to": between}) == [one]
    assert await seen(object=second, action="workflow.create", actor=encode("apikey", admin.key_id)) == []


async def test_pages_lead_through_the_log_both_ways_and_cursors_belong_to_their_filter(admin: Caller) -> None:
    for number in range(5):
        await created(admin, name=f"W{number}")

    async def page(**given: object) -> tuple[list[int], Any]:
        found = (await admin.data(LIST, **given))["auditEntries"]
        return [int(each["seq"]) for each in found["nodes"]], found["pageInfo"]

    first, info = await page(first=2)
    second, later = await page(first=2, after=info["endCursor"])
    back, earlier = await page(last=1, before=later["startCursor"])
    oldest, _ = await page(last=2)
    answer = await admin.ask(LIST, first=2, after=info["endCursor"], filter={"action": "workflow.create"})

    assert (first, second, back, oldest) == ([5, 4], [3, 2], [4], [2, 1])
    assert (info["hasNextPage"], later["hasNextPage"], earlier["hasPreviousPage"]) == (True, True, True)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["VALIDATION"]


async def test_another_tenant_sees_nothing_of_it(
    engine_pool: EnginePool, http: httpx.AsyncClient, admin: Caller
) -> None:
    workflow_id = await created(admin)
    stranger = await new_caller(engine_pool, http, await new_tenant(engine_pool), Role.ADMIN)

    assert await entries(stranger) == await entries(stranger, object=workflow_id) == []
    assert (await export(stranger)).json()[1:] == []


async def written(admin: Caller, count: int) -> None:
    """So many entries are there: those of refusals come after the answer."""
    async with asyncio.timeout(10):
        while len(await entries(admin)) < count:
            pass


async def test_signing_in_is_recorded_and_so_is_who_did_not_get_in(
    api: Application, engine_pool: EnginePool, http: httpx.AsyncClient, admin: Caller
) -> None:
    account = await new_account(engine_pool, api.passwords, admin.tenant, Role.VIEWER, PASSWORD)
    user, key = encode("user", account.id), encode("apikey", admin.key_id)
    right = {"grant_type": "password", "username": account.email, "tenant": admin.tenant.slug}

    signed_in = await sign_in(http, **right, password=PASSWORD)
    refresh = {"grant_type": "refresh_token", "refresh_token": signed_in.json()["refresh_token"]}
    await sign_in(http, **refresh)
    await sign_in(http, **refresh)
    await written(admin, 3)
    await sign_in(http, **right, password="wrong")
    await written(admin, 4)
    await sign_in(http, **{**right, "username": "nobody@example.com"}, password="wrong")
    await written(admin, 5)
    await sign_in(http, grant_type="client_credentials", client_id=key, client_secret="wrong")
    await written(admin, 6)
    await sign_in(http, grant_type="client_credentials", client_id=key, client_secret=admin.key.split("_")[2])

    found = await entries(admin)
    assert [(*summary(entry), entry["actor"]["kind"], entry["actor"]["name"]) for entry in found] == [
        ("session.signIn", "DONE", None, key, "API_KEY", "admin"),
        ("session.signIn", "REFUSED", "invalid_client", key, "NOBODY", None),
        ("session.signIn", "REFUSED", "invalid_grant", None, "NOBODY", None),
        ("session.signIn", "REFUSED", "invalid_grant", user, "NOBODY", None),
        ("session.refresh", "REFUSED", "invalid_grant", user, "NOBODY", None),
        ("session.refresh", "DONE", None, user, "USER", "Ada"),
        ("session.signIn", "DONE", None, user, "USER", "Ada"),
    ]
    assert PASSWORD not in str(found)


async def test_the_whole_log_is_exported_as_json_and_as_csv(admin: Caller, http: httpx.AsyncClient) -> None:
    await http.post(
        "/graphql",
        json={"query": CREATE, "variables": {"input": {"name": "Adding", "graph": {"nodes": [], "edges": []}}}},
        headers={"X-API-Key": admin.key, "User-Agent": "=HYPERLINK(1)"},
    )
    await connected(admin)

    as_json = await export(admin)
    as_csv = await export(admin, format="csv", action="workflow.create")

    assert [(each["seq"], each["action"]) for each in as_json.json()] == [
        (3, "audit.export"),
        (2, "connection.create"),
        (1, "workflow.create"),
    ]
    assert as_json.json()[1]["after"]["name"] == "Mail"
    (line,) = csv.DictReader(io.StringIO(as_csv.text))
    assert (line["seq"], line["ids"], line["userAgent"]) == ("1", "[]", "'=HYPERLINK(1)")
    assert line["hash"] == as_json.json()[2]["hash"]
    assert as_csv.headers["content-disposition"] == 'attachment; filename="audit.csv"'


async def test_an_upload_is_recorded(admin: Caller) -> None:
    file_id = await stored(admin)

    assert [summary(entry) for entry in await entries(admin)] == [("file.upload", "DONE", None, file_id)]


async def test_the_export_is_refused_to_who_may_not_read_the_log(
    engine_pool: EnginePool, http: httpx.AsyncClient, admin: Caller, developer: Caller
) -> None:
    nobody = await http.get("/audit/export")

    assert [(await export(developer)).status_code, nobody.status_code] == [403, 401]
    assert [(await export(admin, **{"format": "xml"})).status_code] == [422]
    assert [(await export(admin, **{"from": "yesterday"})).status_code] == [422]
    assert await entries(admin) == []


async def test_what_the_api_wrote_is_as_it_was_written(engine_pool: EnginePool, admin: Caller) -> None:
    for name in ("Mail", "Post", "Letters"):
        await connected(admin, name=name)
    await stored(admin)

    seal = audit_seal(MasterKeys.of(MASTER_KEY))
    assert [each async for each in audit_verify.verify(engine_pool, admin.tenant.id, seal)] == [4]
