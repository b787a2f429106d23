"""Tenants, accounts and API keys as sign-in finds them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import uuid_utils.compat as uuid

from db.connections import EnginePool
from db.identity import Accounts, ApiKeys, Tenants
from domain.access import Role
from domain.accounts import Account, Membership
from domain.apikeys import ApiKey
from domain.errors import Conflict
from domain.ids import ApiKeyId, TenantId, UserId
from domain.tenancy import Tenant

AT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


def new_tenant(slug: str | None = None) -> Tenant:
    tenant_id = TenantId(uuid.uuid7())
    return Tenant(
        id=tenant_id,
        slug=slug or f"t-{tenant_id.hex}",
        name="Tenant",
        created_at=AT,
        settings={"limits": {"executions": 5}},
    )


def new_account() -> Account:
    user_id = UserId(uuid.uuid7())
    return Account(
        id=user_id, email=f"{user_id.hex}@example.org", name="Ada", password_hash="$argon2id$…", created_at=AT
    )


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


async def test_a_tenant_is_found_by_id_and_slug(stored_tenant: Tenant, engine_pool: EnginePool) -> None:
    tenants = Tenants(engine_pool)
    suspended = replace(new_tenant(), suspended_at=AT)
    await tenants.insert(suspended)

    assert await tenants.get(stored_tenant.id) == stored_tenant
    assert await tenants.by_slug(suspended.slug) == suspended
    assert await tenants.by_ids([stored_tenant.id, TenantId(uuid.uuid7())]) == [stored_tenant]
    assert await tenants.get(TenantId(uuid.uuid7())) is None
    assert await tenants.by_slug("nobody") is None


async def test_a_slug_is_taken_once(stored_tenant: Tenant, engine_pool: EnginePool) -> None:
    with pytest.raises(Conflict, match="There is already a tenant"):
        await Tenants(engine_pool).insert(new_tenant(stored_tenant.slug))


async def test_an_account_is_found_by_id_and_email_which_is_taken_once(
    account: Account, engine_pool: EnginePool
) -> None:
    accounts = Accounts(engine_pool)

    assert await accounts.get(account.id) == account
    assert await accounts.by_email(account.email) == account
    assert await accounts.by_email("nobody@example.org") is None
    with pytest.raises(Conflict, match="There is already an account"):
        await accounts.insert(replace(account, id=UserId(uuid.uuid7())))


async def test_memberships_come_oldest_first_and_joining_again_changes_the_role(
    account: Account, engine_pool: EnginePool
) -> None:
    accounts, first, second = Accounts(engine_pool), new_tenant(), new_tenant()
    for tenant in (first, second):
        await Tenants(engine_pool).insert(tenant)
    await accounts.join(second.id, account.id, Role.VIEWER, AT)
    await accounts.join(first.id, account.id, Role.ADMIN, AT + timedelta(days=1))
    await accounts.join(second.id, account.id, Role.DEVELOPER, AT + timedelta(days=2))

    assert await accounts.memberships(account.id) == [
        Membership(tenant=second, user_id=account.id, role=Role.DEVELOPER),
        Membership(tenant=first, user_id=account.id, role=Role.ADMIN),
    ]


async def test_a_password_takes_the_place_of_the_one_it_was_meant_for(
    account: Account, engine_pool: EnginePool
) -> None:
    accounts = Accounts(engine_pool)

    changed = await accounts.set_password(account.id, account.password_hash, "new")
    late = await accounts.set_password(account.id, account.password_hash, "newer")

    assert (changed, late) == (True, False)
    assert await accounts.get(account.id) == replace(account, password_hash="new")


async def test_an_api_key_comes_back_is_touched_and_revoked(
    stored_tenant: Tenant, account: Account, engine_pool: EnginePool
) -> None:
    keys = ApiKeys(engine_pool)
    full = ApiKey(
        id=ApiKeyId(uuid.uuid7()),
        tenant_id=stored_tenant.id,
        account_id=account.id,
        name="ci",
        role=Role.SERVICE,
        scopes=("execution:start", "execution:read"),
        secret_hash=b"\x00\xff",
        created_at=AT,
        expires_at=AT + timedelta(days=1),
    )
    plain = ApiKey(
        id=ApiKeyId(uuid.uuid7()),
        tenant_id=stored_tenant.id,
        name="all",
        role=Role.ADMIN,
        secret_hash=b"x",
        created_at=AT,
    )
    for key in (full, plain):
        await keys.insert(key)
    assert await keys.of_tenant(stored_tenant.id) == [full, plain]

    await keys.touch(full.id, AT + timedelta(hours=1))
    await keys.revoke(full.id, AT + timedelta(hours=2))
    await keys.revoke(full.id, AT + timedelta(hours=3))

    ended = replace(full, last_used_at=AT + timedelta(hours=1), revoked_at=AT + timedelta(hours=2))
    assert await keys.get(full.id) == ended
    assert await keys.get(plain.id) == plain
    assert await keys.get(ApiKeyId(uuid.uuid7())) is None
