"""Guessing passwords: how soon it is slowed down, for whom, and that nothing is told by it."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
import uuid_utils.compat as uuid
from argon2 import PasswordHasher

from app.passwords import Argon2Passwords
from db.connections import EnginePool
from db.throttling import PostgresThrottle
from domain import throttling
from domain.access import Role
from domain.accounts import Account
from domain.ids import UserId, decode
from domain.tenancy import Tenant
from tests.api.application import URL, Application, new_account, new_caller
from tests.api.change_world import PUBLISH, SIGN, SIGNED_RULE, run
from tests.api.operations import created
from tests.api.task_world import COMPLETE, PASSWORD, asked, new_person


@asynccontextmanager
async def coming_from(api: Application, address: str) -> AsyncGenerator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(api.app, client=(address, 4711))
    async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
        yield client


def somewhere() -> str:
    """An address that nobody has tried from."""
    return f"2001:db8:{uuid.uuid7().hex[-8:-4]}:{uuid.uuid7().hex[-4:]}::1"


async def guess(http: httpx.AsyncClient, email: str, password: str = "wrong") -> tuple[int, str | None, Any]:  # noqa: S107
    answer = await http.post("/auth/token", data={"grant_type": "password", "username": email, "password": password})
    return answer.status_code, answer.headers.get("Retry-After"), answer.json().get("error")


@pytest.fixture
async def account(api: Application, engine_pool: EnginePool, acme: Tenant) -> Account:
    return await new_account(engine_pool, api.passwords, acme, Role.VIEWER, PASSWORD)


WRONG = (400, None, "invalid_grant")
SLOW = (429, "1", "slow_down")


async def test_after_five_failures_even_the_right_password_waits_as_it_does_for_nobody(
    api: Application, account: Account
) -> None:
    async with coming_from(api, somewhere()) as http:
        known = [await guess(http, account.email) for _ in range(5)]
        known.append(await guess(http, account.email, PASSWORD))
    async with coming_from(api, somewhere()) as http:
        nobody = f"{uuid.uuid7()}@example.com"
        unknown = [await guess(http, nobody) for _ in range(6)]

    assert known == unknown == [WRONG] * 5 + [SLOW]


async def test_the_right_password_clears_the_failures(api: Application, account: Account) -> None:
    async with coming_from(api, somewhere()) as http:
        first = [await guess(http, account.email) for _ in range(4)]
        right = await guess(http, account.email, PASSWORD)
        second = [await guess(http, account.email) for _ in range(5)]

    assert (first, right, second) == ([WRONG] * 4, (200, None, None), [WRONG] * 5)


async def test_who_guesses_at_many_from_one_address_is_slowed_down_and_others_are_not(
    api: Application, account: Account
) -> None:
    async with coming_from(api, somewhere()) as http:
        many = [await guess(http, f"{uuid.uuid7()}@example.com") for _ in range(19)]
        own = await guess(http, account.email, PASSWORD)
        many.append(await guess(http, f"{uuid.uuid7()}@example.com"))
        slowed = await guess(http, account.email, PASSWORD)
    async with coming_from(api, somewhere()) as http:
        elsewhere = await guess(http, account.email, PASSWORD)

    assert many == [WRONG] * 20
    assert (own[0], slowed, elsewhere[0]) == (200, SLOW, 200)


async def test_a_tenant_that_is_wrong_counts_as_a_failure(api: Application, account: Account) -> None:
    fields = {"grant_type": "password", "username": account.email, "password": PASSWORD, "tenant": "nowhere"}
    async with coming_from(api, somewhere()) as http:
        answers = [await http.post("/auth/token", data=fields) for _ in range(6)]

    assert [answer.status_code for answer in answers] == [400] * 5 + [429]


@pytest.mark.parametrize("email", [" ", "no email", "a\0b@example.com", "x" * 300 + "@example.com", "\ud83d@b.example"])
async def test_what_is_no_email_is_answered_as_an_unknown_one(api: Application, email: str) -> None:
    async with coming_from(api, somewhere()) as http:
        answer = await http.post(
            "/auth/token",
            content=json.dumps({"grant_type": "password", "username": email, "password": "wrong"}),
            headers={"Content-Type": "application/json"},
        )

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_a_password_that_was_hashed_more_weakly_is_hashed_anew_at_the_next_sign_in(
    api: Application, engine_pool: EnginePool, acme: Tenant
) -> None:
    weak = Argon2Passwords(PasswordHasher(time_cost=1, memory_cost=1024))
    account = await new_account(engine_pool, weak, acme, Role.VIEWER, PASSWORD)

    async with coming_from(api, somewhere()) as http:
        refused = await guess(http, account.email)
        unchanged = await api.services.accounts.get(account.id)
        answers = [await guess(http, account.email, PASSWORD) for _ in range(2)]
    renewed = await api.services.accounts.get(account.id)

    assert (refused, [each[0] for each in answers]) == (WRONG, [200, 200])
    assert unchanged == account
    assert renewed is not None
    assert replace(renewed, password_hash="") == replace(account, password_hash="")
    assert (api.passwords.outdated(account.password_hash), api.passwords.outdated(renewed.password_hash)) == (
        True,
        False,
    )


async def spend(pool: EnginePool, api: Application, person: str) -> None:
    """All guesses at the person's password but those that wait."""
    guessing = throttling.person(UserId(decode("user", person)))
    for _ in range(5):
        assert await PostgresThrottle(pool).begin([guessing], api.services.clock() + timedelta(minutes=1)) is None


async def test_guessing_at_the_password_of_a_signature_is_slowed_down(
    api: Application, engine_pool: EnginePool, http: httpx.AsyncClient, acme: Tenant
) -> None:
    admin = await new_caller(engine_pool, http, acme, Role.ADMIN)
    ada = await new_person(api, http, acme, Role.DEVELOPER)
    bob = await new_person(api, http, acme, Role.DEVELOPER)
    workflow_id = await created(ada)
    await run(admin, SIGNED_RULE, id=workflow_id, needs=True, signature=True)
    request_id = (await run(ada, PUBLISH, id=workflow_id))["request"]["id"]

    wrong = [await run(bob, SIGN, id=request_id, password="wrong") for _ in range(5)]
    right = await run(bob, SIGN, id=request_id, password=PASSWORD)

    assert {each["errors"][0]["message"] for each in wrong} == {"The password is wrong"}
    assert right["errors"][0]["__typename"] == "QuotaError"
    assert right["errors"][0]["message"] == "Too many attempts have failed"


async def test_guessing_at_the_password_of_a_task_is_slowed_down_and_a_sign_in_is_not(
    api: Application, engine_pool: EnginePool, http: httpx.AsyncClient, acme: Tenant
) -> None:
    bob = await new_person(api, http, acme)
    task = await asked(api, acme, bob.email, signature=True)
    await spend(engine_pool, api, bob.id)

    answer = await bob.data(COMPLETE, id=task.id, decision="APPROVED", password=PASSWORD)
    async with coming_from(api, somewhere()) as elsewhere:
        signed_in = await guess(elsewhere, bob.email, PASSWORD)

    assert [each["__typename"] for each in answer["taskComplete"]["errors"]] == ["QuotaError"]
    assert signed_in[0] == 200
