"""Sessions, their refresh tokens and counts of failed attempts as sign-in finds them."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import uuid_utils.compat as uuid

from db.connections import EnginePool
from db.identity import Accounts, Tenants
from db.sessions import RefreshTokens, Sessions
from db.throttling import PostgresThrottle
from domain import throttling
from domain.accounts import Account
from domain.ids import SessionId, TenantId, UserId
from domain.sessions_kept import Origin, RefreshToken, Session
from domain.tenancy import Tenant
from tests.contract.test_repositories_identity import new_account, new_tenant

AT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
async def stored_tenant(engine_pool: EnginePool) -> Tenant:
    made = new_tenant()
    await Tenants(engine_pool).insert(made)
    return made


@pytest.fixture
async def account(engine_pool: EnginePool) -> Account:
    made = new_account()
    await Accounts(engine_pool).insert(made)
    return made


def new_session(tenant: TenantId, account: UserId) -> Session:
    return Session(
        id=SessionId(uuid.uuid7()),
        tenant_id=tenant,
        account_id=account,
        origin=Origin(address="192.0.2.7", user_agent="curl/8"),
        created_at=AT,
        last_used_at=AT,
        expires_at=AT + timedelta(days=14),
    )


def new_token(session: Session) -> RefreshToken:
    return RefreshToken(
        id=uuid.uuid7(),
        tenant_id=session.tenant_id,
        account_id=session.account_id,
        family=session.id,
        secret_hash=b"\x00\xff",
        created_at=AT,
        expires_at=AT + timedelta(days=30),
    )


async def test_a_refresh_token_is_used_once_even_at_the_same_time(
    stored_tenant: Tenant, account: Account, engine_pool: EnginePool
) -> None:
    tokens, token = RefreshTokens(engine_pool), new_token(new_session(stored_tenant.id, account.id))
    await tokens.insert(token)
    assert await tokens.get(token.id) == token

    used = await asyncio.gather(*(tokens.use(token.id, AT + timedelta(hours=1)) for _ in range(4)))

    assert sorted(used) == [False, False, False, True]
    assert await tokens.get(token.id) == replace(token, used_at=AT + timedelta(hours=1))
    assert await tokens.get(uuid.uuid7()) is None


async def test_a_revoked_session_ends_with_its_tokens_and_no_others(
    stored_tenant: Tenant, account: Account, engine_pool: EnginePool
) -> None:
    tokens, sessions = RefreshTokens(engine_pool), Sessions(engine_pool)
    first, other = (new_session(stored_tenant.id, account.id) for _ in range(2))
    token, heir, stranger = new_token(first), new_token(first), new_token(other)
    for session in (first, other):
        await sessions.insert(session)
    for each in (token, heir, stranger):
        await tokens.insert(each)

    ended = await sessions.revoke(account.id, AT, only=first.id)
    again = await sessions.revoke(account.id, AT + timedelta(hours=1), only=first.id)
    await sessions.touch(replace(first, last_used_at=AT + timedelta(hours=1)))

    assert (ended, again) == (1, 0)
    assert await sessions.get(first.id) == replace(first, revoked_at=AT)
    assert await sessions.of_person(stored_tenant.id, account.id) == [other]
    assert await tokens.get(heir.id) == replace(heir, revoked_at=AT)
    assert await tokens.get(stranger.id) == stranger
    assert (await tokens.use(token.id, AT), await tokens.use(stranger.id, AT)) == (False, True)


async def test_sessions_are_ended_for_one_person_in_one_tenant_or_in_all(
    stored_tenant: Tenant, account: Account, engine_pool: EnginePool
) -> None:
    sessions, elsewhere, somebody = Sessions(engine_pool), new_tenant(), new_account()
    await Tenants(engine_pool).insert(elsewhere)
    await Accounts(engine_pool).insert(somebody)
    kept, here, there, theirs = (
        new_session(stored_tenant.id, account.id),
        new_session(stored_tenant.id, account.id),
        new_session(elsewhere.id, account.id),
        new_session(stored_tenant.id, somebody.id),
    )
    for session in (kept, here, there, theirs):
        await sessions.insert(session)

    in_tenant = await sessions.revoke(account.id, AT, but=kept.id, tenant_id=stored_tenant.id)
    everywhere = await sessions.revoke(account.id, AT, but=kept.id)

    assert (in_tenant, everywhere) == (1, 1)
    assert await sessions.of_person(stored_tenant.id, account.id) == [kept]
    assert await sessions.of_person(stored_tenant.id, somebody.id) == [theirs]


async def test_a_session_that_is_used_remembers_when_and_from_where(
    stored_tenant: Tenant, account: Account, engine_pool: EnginePool
) -> None:
    sessions, session = Sessions(engine_pool), new_session(stored_tenant.id, account.id)
    await sessions.insert(session)
    used = replace(session, origin=Origin(address="2001:db8::1"), last_used_at=AT + timedelta(hours=1))

    await sessions.touch(used)

    assert await sessions.get(session.id) == used


async def test_failures_are_counted_once_each_even_at_the_same_time(engine_pool: EnginePool) -> None:
    throttle = PostgresThrottle(engine_pool)
    theirs, place = throttling.email(f"{uuid.uuid7()}@example.org"), throttling.address(str(uuid.uuid7()))

    waits = await asyncio.gather(*(throttle.begin([theirs, place], AT) for _ in range(9)))

    assert (waits.count(None), waits.count(SECOND)) == (5, 4)
    assert await throttle.begin([place], AT) is None


async def test_waits_grow_with_every_failure_and_end_when_they_are_over(engine_pool: EnginePool) -> None:
    throttle, theirs = PostgresThrottle(engine_pool), throttling.email(f"{uuid.uuid7()}@example.org")
    for _ in range(5):
        assert await throttle.begin([theirs], AT) is None

    early = await throttle.begin([theirs], AT + SECOND / 2)
    due = await throttle.begin([theirs], AT + SECOND)
    longer = await throttle.begin([theirs], AT + SECOND)

    assert (early, due, longer) == (SECOND / 2, None, 2 * SECOND)


async def test_success_clears_what_it_proves_and_takes_back_one_failure_of_the_place(engine_pool: EnginePool) -> None:
    throttle = PostgresThrottle(engine_pool)
    theirs, place = throttling.email(f"{uuid.uuid7()}@example.org"), throttling.address(str(uuid.uuid7()))
    for _ in range(5):
        await throttle.begin([theirs], AT)
    for _ in range(20):
        await throttle.begin([place], AT)
    assert await throttle.begin([theirs, place], AT) == SECOND

    await throttle.forget(theirs)
    await throttle.give_back(place)

    assert [await throttle.begin([theirs], AT) for _ in range(5)] == [None] * 5
    assert await throttle.begin([theirs], AT) == SECOND
    assert await throttle.begin([place], AT) is None
    assert await throttle.begin([place], AT) == SECOND


async def test_failures_of_yesterday_are_forgotten_and_swept(engine_pool: EnginePool) -> None:
    throttle = PostgresThrottle(engine_pool)
    old, new = (throttling.email(f"{uuid.uuid7()}@example.org") for _ in range(2))
    long_ago = datetime(2001, 1, 1, tzinfo=UTC)
    for _ in range(5):
        await throttle.begin([old, new], long_ago)

    assert await throttle.begin([new], long_ago + timedelta(days=2)) is None
    assert await throttle.begin([new], long_ago + timedelta(days=2)) is None
    assert await engine_pool.fetchval("SELECT count(*) FROM failed_attempt WHERE subject = $1", old.digest) == 0
