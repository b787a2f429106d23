"""The first start of a data directory: a tenant, an administrator, an API key, and the file that names them."""

import json
import logging
import secrets
from dataclasses import dataclass
from pathlib import Path

import uuid_utils.compat as uuid

from app.clock import utc_now
from app.data_directory import DataDirectory
from app.password_rules import password_rules
from app.passwords import Argon2Passwords
from db.connections import EnginePool
from db.identity import Accounts, ApiKeys, Tenants
from domain import accounts, apikeys
from domain.access import Role
from domain.errors import Conflict
from domain.ids import TenantId
from domain.tenancy import Tenant

log = logging.getLogger("weir")

SLUG = "default"
EMAIL = "admin@example.com"
FILE = "credentials.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What `credentials.json` holds."""

    url: str
    tenant: str
    email: str
    password: str
    api_key: str


async def ensure_tenant(pool: EnginePool) -> Tenant:
    """The tenant `default`, made when there is none; safe when two processes do it at once."""
    tenants = Tenants(pool)
    found = await tenants.by_slug(SLUG)
    if found is not None:
        return found
    tenant = Tenant(id=TenantId(uuid.uuid7()), slug=SLUG, name="Default", created_at=utc_now())
    try:
        await tenants.insert(tenant)
    except Conflict:
        found = await tenants.by_slug(SLUG)
        if found is None:
            raise
        return found
    return tenant


async def ensure_credentials(pool: EnginePool, data_dir: Path, url: str) -> Credentials:
    """Those of the file, with the address of this start; made, with administrator and key, when there are none.

    Should the process die between the database and the file, the next start makes a new key and a new password
    under another address, for nobody knows the first.
    """
    directory = DataDirectory.prepare(data_dir)
    kept = _read(directory.path / FILE)
    tenant = await ensure_tenant(pool)
    if kept is None:
        kept = await _make(pool, tenant, url)
    credentials = Credentials(
        url=url, tenant=kept.tenant, email=kept.email, password=kept.password, api_key=kept.api_key
    )
    directory.write(FILE, json.dumps(_fields(credentials), indent=2) + "\n")
    return credentials


async def _make(pool: EnginePool, tenant: Tenant, url: str) -> Credentials:
    store = Accounts(pool)
    email, number = EMAIL, 2
    while await store.by_email(email) is not None:
        email, number = f"admin{number}@example.com", number + 1
    password = secrets.token_urlsafe(18)
    account = await accounts.create(
        email=email,
        name="Administrator",
        password=password,
        store=store,
        passwords=Argon2Passwords(),
        rules=password_rules(None),
        ids=uuid.uuid7,
        now=utc_now(),
    )
    await store.join(tenant.id, account.id, Role.ADMIN, utc_now())
    _, key = await apikeys.create(
        tenant_id=tenant.id,
        name="first key",
        role=Role.ADMIN,
        account_id=account.id,
        store=ApiKeys(pool),
        ids=uuid.uuid7,
        secret=new_secret,
        now=utc_now(),
    )
    return Credentials(url=url, tenant=tenant.slug, email=email, password=password, api_key=key)


def new_secret() -> str:
    """256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)


def _read(file: Path) -> Credentials | None:
    try:
        return Credentials(**json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        log.warning("%s is unreadable and is made anew: %s", file, error)
        return None


def _fields(credentials: Credentials) -> dict[str, str]:
    return {
        "url": credentials.url,
        "tenant": credentials.tenant,
        "email": credentials.email,
        "password": credentials.password,
        "api_key": credentials.api_key,
    }
