"""API keys: made by an administrator, shown once, narrowed, rotated without a gap, ended."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from app.clock import utc_now
from db.connections import EnginePool
from domain.access import Permission, Role
from tests.api.application import Application, Caller, new_caller, new_tenant
from tests.api.operations import ERRORS

KEY = """apiKey { id name role scopes permissions allowedIps status createdBy expiresAt lastUsedAt replaces }"""
CREATE = f"""mutation ($input: ApiKeyCreateInput!) {{ it: apiKeyCreate(input: $input) {{ {KEY} secret {ERRORS} }} }}"""
ROTATE = f"""mutation ($id: ID!, $overlap: Float, $expiresAt: DateTime) {{
  it: apiKeyRotate(id: $id, overlap: $overlap, expiresAt: $expiresAt) {{ {KEY} secret {ERRORS} }}
}}"""
REVOKE = f"""mutation ($id: ID!) {{ it: apiKeyRevoke(id: $id) {{ {KEY} {ERRORS} }} }}"""
LIST = "query ($over: Boolean) { apiKeys(includeOver: $over) { name status replaces } }"


@pytest.fixture
async def admin(engine_pool: EnginePool, http: httpx.AsyncClient) -> Caller:
    return await new_caller(engine_pool, http, await new_tenant(engine_pool), Role.ADMIN)


async def made(admin: Caller, **fields: object) -> Any:
    answer = (await admin.data(CREATE, input={"name": "robot", **fields}))["it"]
    assert answer["errors"] == []
    return answer


async def asks(http: httpx.AsyncClient, secret: str) -> int:
    """The status of a request with this key."""
    answer = await http.post("/graphql", json={"query": "{ viewer { role } }"}, headers={"X-API-Key": secret})
    return answer.status_code


def problems(answer: Any) -> Sequence[tuple[str, list[str]]]:
    return [(error["code"], error["path"]) for error in answer["it"]["errors"]]


async def test_a_key_is_made_and_its_secret_holds(admin: Caller) -> None:
    new = await made(admin, role="DEVELOPER", scopes=["workflow:read"], allowedIps=["127.0.0.1", "2001:db8::/32"])

    assert new["apiKey"] == {
        "id": new["apiKey"]["id"],
        "name": "robot",
        "role": "DEVELOPER",
        "scopes": ["workflow:read"],
        "permissions": ["workflow:read"],
        "allowedIps": ["127.0.0.1/32", "2001:db8::/32"],
        "status": "ACTIVE",
        "createdBy": (await admin.data("{ viewer { actorId } }"))["viewer"]["actorId"],
        "expiresAt": None,
        "lastUsedAt": None,
        "replaces": None,
    }
    assert await asks(admin.http, new["secret"]) == 200
    (listed, _) = (await admin.data("{ apiKeys { id lastUsedAt } }"))["apiKeys"]
    assert listed["id"] == new["apiKey"]["id"]
    assert utc_now() - datetime.fromisoformat(listed["lastUsedAt"]) < timedelta(minutes=1)


async def test_a_secret_is_kept_nowhere(admin: Caller, engine_pool: EnginePool) -> None:
    secret = (await made(admin))["secret"].split("_", 2)[2]

    kept = await engine_pool.fetch(
        "SELECT to_jsonb(k)::text AS kept FROM api_key AS k WHERE tenant_id = $1", admin.tenant.id
    )
    assert kept
    assert not any(secret in row["kept"] for row in kept)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": "  "}, ("VALIDATION", ["name"])),
        ({"name": "x" * 201}, ("VALIDATION", ["name"])),
        ({"scopes": ["workflow:fly"]}, ("VALIDATION", ["scopes"])),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, ("VALIDATION", ["expiresAt"])),
        ({"allowedIps": ["10.0.0.0/8", "10.0.0.1/8"]}, ("VALIDATION", ["allowedIps", "1"])),
        ({"allowedIps": ["nowhere"]}, ("VALIDATION", ["allowedIps", "0"])),
        ({"allowedIps": ["10.0.0.1"] * 101}, ("VALIDATION", ["allowedIps"])),
    ],
)
async def test_what_cannot_be_is_refused_by_name(
    admin: Caller, fields: dict[str, object], problem: tuple[str, list[str]]
) -> None:
    answer = await admin.data(CREATE, input={"name": "robot", **fields})

    assert problems(answer) == [problem]
    assert answer["it"]["secret"] is None
    assert [key["name"] for key in (await admin.data(LIST))["apiKeys"]] == ["admin"]


async def test_nobody_makes_a_key_that_may_more_than_themselves(
    admin: Caller, engine_pool: EnginePool, http: httpx.AsyncClient
) -> None:
    narrow = (Permission.TENANT_MANAGE, Permission.WORKFLOW_READ)
    clerk = await new_caller(engine_pool, http, admin.tenant, Role.ADMIN, scopes=narrow)

    assert problems(await clerk.data(CREATE, input={"name": "more", "role": "VIEWER"})) == [("VALIDATION", ["scopes"])]
    assert (
        problems(await clerk.data(CREATE, input={"name": "same", "role": "VIEWER", "scopes": ["workflow:read"]})) == []
    )
    mine = (await made(admin, role="ADMIN"))["apiKey"]["id"]
    assert problems(await clerk.data(ROTATE, id=mine)) == [("VALIDATION", ["scopes"])]


async def test_a_key_holds_from_its_addresses_only_also_for_what_it_signed_in_for(
    admin: Caller, engine_pool: EnginePool, api: Application
) -> None:
    new = await made(admin, allowedIps=["192.0.2.0/24"])
    client_id, client_secret = new["apiKey"]["id"], new["secret"].split("_", 2)[2]
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}

    def at(address: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(api.app, client=(address, 1))
        return httpx.AsyncClient(transport=transport, base_url="http://weir")

    async with (
        at("192.0.2.9") as inside,
        at("192.0.3.9") as outside,
        at("::ffff:192.0.2.9") as mapped,
    ):
        assert [await asks(each, new["secret"]) for each in (inside, outside, mapped)] == [200, 401, 200]
        assert (await outside.post("/auth/token", data=form)).json()["error"] == "invalid_client"
        token = (await inside.post("/auth/token", data=form)).json()["access_token"]
        query = {"query": "{ viewer { role } }"}
        statuses = [
            (await each.post("/graphql", json=query, headers={"Authorization": f"Bearer {token}"})).status_code
            for each in (inside, outside)
        ]
    assert statuses == [200, 401]


async def test_a_rotated_key_and_its_heir_both_hold_until_the_overlap_is_over(
    admin: Caller, engine_pool: EnginePool
) -> None:
    end = utc_now() + timedelta(days=10)
    old = await made(admin, scopes=["workflow:read"], expiresAt=end.isoformat())

    heir = (await admin.data(ROTATE, id=old["apiKey"]["id"], overlap=60.0))["it"]

    assert heir["errors"] == []
    same = ("name", "role", "scopes", "allowedIps", "status")
    assert {name: heir["apiKey"][name] for name in same} == {name: old["apiKey"][name] for name in same}
    assert heir["apiKey"]["replaces"] == old["apiKey"]["id"]
    assert datetime.fromisoformat(heir["apiKey"]["expiresAt"]) > end, "as long a life as the old one was given"
    assert [await asks(admin.http, each["secret"]) for each in (old, heir)] == [200, 200]
    ends = await engine_pool.fetchval(
        "SELECT expires_at - now() FROM api_key WHERE tenant_id = $1 AND name = 'robot' ORDER BY id LIMIT 1",
        admin.tenant.id,
    )
    assert timedelta() < ends <= timedelta(seconds=60)


async def test_a_rotation_without_overlap_ends_the_old_key(admin: Caller) -> None:
    old = await made(admin)
    await admin.data(ROTATE, id=old["apiKey"]["id"], overlap=0.0)

    assert await asks(admin.http, old["secret"]) == 401
    assert problems(await admin.data(ROTATE, id=old["apiKey"]["id"])) == [("INVALID_STATE", ["id"])]
    statuses = [key["status"] for key in (await admin.data(LIST, over=True))["apiKeys"]]
    assert statuses == ["ACTIVE", "EXPIRED", "ACTIVE"]
    assert problems(await admin.data(ROTATE, id=old["apiKey"]["id"], overlap=-1.0)) == [("INVALID_STATE", ["id"])]


@pytest.mark.parametrize("overlap", [-1.0, 30 * 86_400 + 1])
async def test_an_overlap_is_no_longer_than_thirty_days(admin: Caller, overlap: float) -> None:
    old = await made(admin)

    assert problems(await admin.data(ROTATE, id=old["apiKey"]["id"], overlap=overlap)) == [("VALIDATION", ["overlap"])]


async def test_a_revoked_key_is_over_and_stays_so(admin: Caller) -> None:
    new = await made(admin)
    first = (await admin.data(REVOKE, id=new["apiKey"]["id"]))["it"]
    again = (await admin.data(REVOKE, id=new["apiKey"]["id"]))["it"]

    assert first["apiKey"]["status"] == "REVOKED"
    assert again == first
    assert await asks(admin.http, new["secret"]) == 401
    assert problems(await admin.data(ROTATE, id=new["apiKey"]["id"])) == [("INVALID_STATE", ["id"])]
    assert [key["name"] for key in (await admin.data(LIST))["apiKeys"]] == ["admin"]
