"""Who is asking: credentials that hold and those that do not, and how people and keys sign in."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.clock import utc_now
from db.connections import EnginePool
from db.identity import ApiKeys
from domain.access import Role
from tests.api.application import Application, Caller, new_account, new_caller, new_tenant


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": "weir_nonsense"},
        {"X-API-Key": "weir_00000000000000000000000000_secret"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic QWxhZGRpbjpvcGVu"},
        {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."},
    ],
)
async def test_credentials_that_do_not_hold_are_answered_with_401(
    http: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await http.post("/graphql", json={"query": "{ viewer { role } }"}, headers=headers)

    assert answer.status_code == 401
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_an_expired_a_revoked_and_a_suspended_tenants_key_do_not_hold(
    engine_pool: EnginePool, http: httpx.AsyncClient
) -> None:
    tenant, suspended = await new_tenant(engine_pool), await new_tenant(engine_pool)
    expired = await new_caller(engine_pool, http, tenant, expires_at=utc_now() - timedelta(seconds=1))
    revoked = await new_caller(engine_pool, http, tenant)
    await ApiKeys(engine_pool).revoke(revoked.key_id, utc_now())
    locked_out = await new_caller(engine_pool, http, suspended)
    await engine_pool.execute("UPDATE tenant SET suspended_at = now() WHERE id = $1", suspended.id)

    for caller in (expired, revoked, locked_out):
        answer = await caller.ask("{ viewer { role } }")
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"]


async def test_the_use_of_a_key_is_remembered(engine_pool: EnginePool, developer: Caller) -> None:
    await developer.data("{ viewer { role } }")

    key = await ApiKeys(engine_pool).get(developer.key_id)

    assert key is not None
    assert key.last_used_at is not None


async def sign_in(http: httpx.AsyncClient, **fields: str) -> httpx.Response:
    return await http.post("/auth/token", data=fields)


async def who(http: httpx.AsyncClient, token: str) -> Any:
    answer = await http.post(
        "/graphql",
        json={"query": "{ viewer { role tenant { slug } user { email } } }"},
        headers={"Authorization": f"Bearer {token}"},
    )
    return answer.json().get("data") or answer.json()["errors"][0]["extensions"]["code"]


PASSWORD = "correct horse battery staple"


async def test_a_person_signs_in_to_one_of_their_tenants(
    api: Application, engine_pool: EnginePool, http: httpx.AsyncClient
) -> None:
    first, second = await new_tenant(engine_pool), await new_tenant(engine_pool)
    account = await new_account(engine_pool, api.passwords, first, Role.VIEWER, PASSWORD)
    await api.services.accounts.join(second.id, account.id, Role.ADMIN, utc_now())

    to_first = await sign_in(http, grant_type="password", username=account.email.upper(), password=PASSWORD)
    to_second = await sign_in(
        http, grant_type="password", username=account.email, password=PASSWORD, tenant=second.slug
    )

    for answer, tenant, role in ((to_first, first, "viewer"), (to_second, second, "admin")):
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert (answer.json()["token_type"], answer.json()["tenant"]) == ("Bearer", tenant.slug)
        assert await who(http, answer.json()["access_token"]) == {
            "viewer": {"role": role, "tenant": {"slug": tenant.slug}, "user": {"email": account.email}}
        }


async def test_wrong_passwords_emails_and_tenants_are_refused_in_the_same_words(
    api: Application, engine_pool: EnginePool, http: httpx.AsyncClient
) -> None:
    tenant, other = await new_tenant(engine_pool), await new_tenant(engine_pool)
    account = await new_account(engine_pool, api.passwords, tenant, Role.VIEWER, PASSWORD)

    answers = [
        await sign_in(http, grant_type="password", username=account.email, password="wrong"),
        await sign_in(http, grant_type="password", username="nobody@example.com", password=PASSWORD),
        await sign_in(http, grant_type="password", username=account.email, password=PASSWORD, tenant=other.slug),
    ]

    expected = {"error": "invalid_grant", "error_description": "Email, password or tenant is wrong"}
    assert [(answer.status_code, answer.json()) for answer in answers] == [(400, expected)] * 3


async def test_a_refresh_token_is_good_once_and_its_reuse_ends_the_session(
    api: Application, engine_pool: EnginePool, http: httpx.AsyncClient
) -> None:
    tenant = await new_tenant(engine_pool)
    account = await new_account(engine_pool, api.passwords, tenant, Role.VIEWER, PASSWORD)
    first = (await sign_in(http, grant_type="password", username=account.email, password=PASSWORD)).json()
    other = (await sign_in(http, grant_type="password", username=account.email, password=PASSWORD)).json()

    second = await sign_in(http, grant_type="refresh_token", refresh_token=first["refresh_token"])
    stolen = await sign_in(http, grant_type="refresh_token", refresh_token=first["refresh_token"])
    after = await sign_in(http, grant_type="refresh_token", refresh_token=second.json()["refresh_token"])
    elsewhere = await sign_in(http, grant_type="refresh_token", refresh_token=other["refresh_token"])

    assert (second.status_code, stolen.status_code, after.status_code) == (200, 400, 400)
    assert [await who(http, each["access_token"]) for each in (first, second.json())] == ["UNAUTHENTICATED"] * 2
    assert after.json() == {"error": "invalid_grant", "error_description": "The session is over"}
    assert elsewhere.status_code == 200


async def test_an_api_key_can_be_changed_into_an_access_token(http: httpx.AsyncClient, developer: Caller) -> None:
    _, identity, secret = developer.key.split("_", 2)

    good = await sign_in(http, grant_type="client_credentials", client_id=identity, client_secret=secret)
    bad = await sign_in(http, grant_type="client_credentials", client_id=identity, client_secret="wrong")

    assert "refresh_token" not in good.json()
    assert (await who(http, good.json()["access_token"]))["viewer"]["role"] == "developer"
    assert (bad.status_code, bad.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "implicit"}, "unsupported_grant_type"),
        ({"grant_type": "password", "username": "a@b.example"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "nonsense"}, "invalid_grant"),
        ({"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"}, "invalid_client"),
    ],
)
async def test_a_token_request_that_is_wrong_is_told_as_oauth_words_it(
    http: httpx.AsyncClient, fields: dict[str, str], error: str
) -> None:
    answer = await sign_in(http, **fields)

    assert answer.json()["error"] == error
