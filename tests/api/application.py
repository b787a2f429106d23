"""The API on real servers, in this process, and who asks it: changes when the API is put together differently."""

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import uuid_utils.compat as uuid
from arq.connections import ArqRedis, create_pool
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp

from app.api import stores_of
from app.audit import AuditExport
from app.auth import Authenticator
from app.bootstrap import new_secret
from app.clock import utc_now
from app.edge import EdgeRules, guarded
from app.files import FileEndpoints
from app.keyring import audit_seal, keyring
from app.master_keys import MasterKeys
from app.password_rules import password_rules
from app.passwords import Argon2Passwords
from app.sign_in import TokenEndpoint
from app.tokens import Tokens
from db.audit import PostgresAuditAppender
from db.connections import EnginePool
from db.identity import Accounts, ApiKeys, Tenants
from db.inbox import PostgresInbox
from db.log import heads
from db.service_connections_step import StepConnections
from db.sessions import RefreshTokens, Sessions
from db.starts import PostgresStarts
from db.tasks_answers import PostgresTaskAnswers
from db.throttling import PostgresThrottle
from domain import accounts, apikeys
from domain.access import Permission, Role
from domain.accounts import Account
from domain.executions_plans import Plans
from domain.files_keep import FileLimits
from domain.ids import ApiKeyId, TenantId
from domain.nodes import NodeCatalog
from domain.sessions import SignIn
from domain.tenancy import Tenant
from jobs.connection_tests import RealConnectionTester
from jobs.live_feed import RedisLiveFeed
from jobs.outgoing import Outgoing
from jobs.publisher import Publisher
from jobs.queue import ArqDoorbell, redis_settings, serialize
from jobs.sandbox.evaluator import Evaluator
from jobs.sandbox.sandbox import Sandbox
from jobs.storage import ObjectStorage
from resolvers.context import RequestContext, Services, context_of
from schema.endpoint import GraphQLEndpoint
from schema.protection import ProtectedSchema
from schema.root import build_schema

URL = "http://weir.test"
FILE_LIMITS = FileLimits(max_bytes=12_000_000, quota_bytes=20_000_000, retention=timedelta(days=30))
MASTER_KEY = b"0123456789abcdef0123456789abcdef"


@dataclass(frozen=True, kw_only=True)
class Application:
    app: ASGIApp
    pool: EnginePool
    schema: ProtectedSchema
    services: Services
    authenticator: Authenticator
    passwords: Argon2Passwords

    async def context(self, key: str) -> RequestContext:
        """The context of whoever holds this key, for what is asked of the schema without HTTP."""
        return context_of(await self.authenticator.identify(key), self.services)


@asynccontextmanager
async def application(pool: EnginePool, redis_url: str, catalog: NodeCatalog) -> AsyncGenerator[Application]:
    """Everything but workers; inside `app_database` only."""
    async with AsyncExitStack() as stack:
        arq: ArqRedis = await create_pool(redis_settings(redis_url), job_serializer=serialize)
        stack.push_async_callback(arq.aclose)
        publisher = Publisher(arq)
        stack.push_async_callback(publisher.close)
        feed = RedisLiveFeed(arq, partial(heads, pool))
        feed.start()
        stack.push_async_callback(feed.close)
        evaluator = Evaluator(await stack.enter_async_context(Sandbox()))
        passwords = Argon2Passwords()
        outgoing = Outgoing(allow=("127.0.0.1",))
        stack.push_async_callback(outgoing.close)
        keys, seal = keyring(MasterKeys.of(MASTER_KEY)), audit_seal(MasterKeys.of(MASTER_KEY))
        audit = PostgresAuditAppender(pool, seal=seal, clock=utc_now)
        stack.push_async_callback(audit.close)
        services = Services(
            stores=partial(stores_of, keys=keys, seal=seal),
            accounts=Accounts(pool),
            passwords=passwords,
            password_rules=password_rules(None),
            throttle=PostgresThrottle(pool),
            sessions=Sessions(pool),
            starts=PostgresStarts(pool),
            inbox=PostgresInbox(pool),
            doorbell=ArqDoorbell(arq),
            changes=publisher,
            task_answers=PostgresTaskAnswers(pool),
            task_announcer=publisher,
            feed=feed,
            catalog=catalog,
            plans=Plans(catalog),
            evaluator=evaluator,
            connections=partial(StepConnections, pool=pool, keyring=keys),
            connection_tester=RealConnectionTester(outgoing),
            storage=ObjectStorage(directory=Path(stack.enter_context(TemporaryDirectory()))),
            file_limits=FILE_LIMITS,
            audit=audit,
            clock=utc_now,
            ids=uuid.uuid7,
            secret=new_secret,
            url=URL,
        )
        tokens = Tokens(MasterKeys.of(MASTER_KEY), life=timedelta(minutes=15), clock=utc_now, ids=uuid.uuid7)
        sign_in = SignIn(
            accounts=Accounts(pool),
            refresh_tokens=RefreshTokens(pool),
            keys=ApiKeys(pool),
            tenants=Tenants(pool),
            sessions=services.sessions,
            passwords=passwords,
            throttle=services.throttle,
            ids=uuid.uuid7,
            secret=new_secret,
            refresh_life=timedelta(days=14),
        )

        authenticator = Authenticator(
            tokens=tokens,
            accounts=Accounts(pool),
            kept=services.sessions,
            keys=ApiKeys(pool),
            tenants=Tenants(pool),
            clock=utc_now,
            context=partial(context_of, services=services),
        )
        schema = build_schema()
        endpoint = GraphQLEndpoint(schema, authenticator)
        token_endpoint = TokenEndpoint(sign_in=sign_in, tokens=tokens, clock=utc_now, audit=services.audit)
        routes: list[BaseRoute] = [
            Route("/graphql", endpoint),
            Route("/auth/token", token_endpoint.answer, methods=["POST"]),
        ]
        routes += [*FileEndpoints(authenticator).routes, *AuditExport(authenticator).routes]
        yield Application(
            app=guarded(Router(routes), EdgeRules()),
            pool=pool,
            schema=schema,
            services=services,
            authenticator=authenticator,
            passwords=passwords,
        )


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Somebody of a tenant who asks the API by an API key."""

    tenant: Tenant
    key: str
    key_id: ApiKeyId
    http: httpx.AsyncClient

    async def ask(self, query: str, **variables: object) -> Any:
        """The whole answer: `data`, `errors`, `extensions`."""
        answer = await self.http.post(
            "/graphql",
            content=json.dumps({"query": query, "variables": variables}),
            headers={
                "X-API-Key": self.key,
                "Accept": "application/graphql-response+json",
                "Content-Type": "application/json",
            },
        )
        return answer.json()

    async def data(self, query: str, **variables: object) -> Any:
        """The data of an answer without errors."""
        answer = await self.ask(query, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]


async def new_tenant(pool: EnginePool, name: str = "Acme") -> Tenant:
    tenant_id = TenantId(uuid.uuid7())
    tenant = Tenant(id=tenant_id, slug=f"t-{tenant_id.hex}", name=name, created_at=utc_now())
    await Tenants(pool).insert(tenant)
    return tenant


async def new_caller(
    pool: EnginePool,
    http: httpx.AsyncClient,
    tenant: Tenant,
    role: Role = Role.DEVELOPER,
    scopes: tuple[Permission, ...] = (),
    expires_at: datetime | None = None,
) -> Caller:
    key, text = await apikeys.create(
        tenant_id=tenant.id,
        name=role.value,
        role=role,
        scopes=scopes,
        expires_at=expires_at,
        store=ApiKeys(pool),
        ids=uuid.uuid7,
        secret=new_secret,
        now=utc_now(),
    )
    return Caller(tenant=tenant, key=text, key_id=key.id, http=http)


async def new_account(
    pool: EnginePool, passwords: Argon2Passwords, tenant: Tenant, role: Role, password: str
) -> Account:
    store = Accounts(pool)
    account = await accounts.create(
        email=f"{uuid.uuid7().hex}@example.com",
        name="Ada",
        password=password,
        store=store,
        passwords=passwords,
        rules=password_rules(None),
        ids=uuid.uuid7,
        now=utc_now(),
    )
    await store.join(tenant.id, account.id, role, utc_now())
    return account
