"""Wires the API of one process: repositories, use cases' ports, the schema, the sign-in, and the routes."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, cast

import uuid_utils.compat as uuid
from arq.connections import ArqRedis, create_pool
from starlette.middleware import Middleware
from starlette.types import ASGIApp

from app import graphiql
from app.asgi import Parts, application
from app.audit import AuditExport
from app.auth import Authenticator
from app.bootstrap import new_secret
from app.clock import utc_now
from app.edge import EdgeRules
from app.files import FileEndpoints
from app.keyring import audit_seal, keyring
from app.master_keys import MasterKeys
from app.password_rules import password_rules
from app.passwords import Argon2Passwords
from app.quotas import default_quotas, default_rates
from app.resume import ResumeEndpoint
from app.settings import Settings
from app.sign_in import TokenEndpoint
from app.storage import file_limits, file_storage
from app.throttle import Allowances, Throttle, Throttled
from app.tokens import Tokens
from db import statements
from db.apikeys import TenantApiKeys
from db.audit import AuditLog, PostgresAuditAppender
from db.branches import Branches
from db.connections import EnginePool, app_database, current_tenant, engine_pool
from db.data_keys import Keyring
from db.dead_letters import DeadLetters
from db.environments import Environments
from db.executions import Executions
from db.files import Files, PostgresFiles
from db.identity import Accounts, ApiKeys, Tenants
from db.inbox import PostgresInbox
from db.limits import Queues
from db.load_runs import LoadRuns
from db.log import Log, heads
from db.placements import StartPlacements
from db.promotions import Promotions
from db.publish_requests import PublishRequests
from db.publish_rules import PublishRules
from db.quotas import PostgresQuotas, Quotas, with_default_quotas
from db.service_connections import ServiceConnections
from db.service_connections_step import StepConnections
from db.sessions import RefreshTokens, Sessions
from db.splits import Splits
from db.starts import PostgresStarts
from db.statistics import ExecutionStatistics
from db.streams import Streams
from db.tasks import Tasks
from db.tasks_answers import PostgresTaskAnswers
from db.testcases import TestCases
from db.throttling import PostgresThrottle
from db.triggers import Triggers
from db.versions import Versions
from db.workflows import Workflows
from domain.audit_chain import Seal
from domain.executions_plans import Plans
from domain.ids import TenantId
from domain.sessions import SignIn
from jobs.connection_tests import RealConnectionTester
from jobs.live_feed import RedisLiveFeed
from jobs.nodes.catalog import CATALOG
from jobs.outgoing import Outgoing
from jobs.publisher import Publisher
from jobs.queue import QUEUE, ArqDoorbell, redis_settings, serialize
from jobs.rate_limits import SlidingRateLimiter
from jobs.sandbox.evaluator import Evaluator
from jobs.sandbox.sandbox import Sandbox
from resolvers.context import Services, Stores, context_of
from schema.endpoint import GraphQLEndpoint
from schema.limits import Limits
from schema.root import build_schema
from schema.transport import TransportSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    app: ASGIApp
    services: Services
    pool: EnginePool


def stores_of(tenant_id: TenantId, *, keys: Keyring, seal: Seal, tenant_concurrency: int | None = None) -> Stores:
    """The tenant's repositories; from here on this task's queries see this tenant and no other."""
    current_tenant.set(tenant_id)
    workflows = Workflows(tenant_id)
    versions = Versions(tenant_id)
    branches = Branches(tenant_id)
    publish_requests = PublishRequests(tenant_id)
    tasks = Tasks(tenant_id)
    testcases = TestCases(tenant_id)
    connections = ServiceConnections(tenant_id, keys)
    return Stores(
        workflows=workflows,
        workflow_writer=workflows,
        versions=versions,
        version_history=versions,
        branches=branches,
        branch_writer=branches,
        publish_rules=PublishRules(tenant_id),
        publish_requests=publish_requests,
        publish_request_writer=publish_requests,
        environments=Environments(tenant_id),
        promotions=Promotions(tenant_id),
        splits=Splits(tenant_id),
        placements=StartPlacements(tenant_id),
        executions=Executions(tenant_id),
        statistics=ExecutionStatistics(tenant_id),
        queues=Queues(tenant_id, tenant_concurrency=tenant_concurrency),
        quotas=Quotas(tenant_id),
        dead_letters=DeadLetters(tenant_id),
        log=Log(tenant_id),
        triggers=Triggers(tenant_id),
        connections=connections,
        connection_writer=connections,
        streams=Streams(tenant_id),
        files=Files(tenant_id),
        file_rows=PostgresFiles(tenant_id, statements.fetch),
        tasks=tasks,
        task_writer=tasks,
        testcases=testcases,
        testcase_writer=testcases,
        load_runs=LoadRuns(tenant_id),
        api_keys=TenantApiKeys(tenant_id),
        audit=AuditLog(tenant_id, seal=seal, clock=utc_now),
    )


@asynccontextmanager
async def running_api(
    *, database_url: str, redis_url: str, master_keys: MasterKeys, settings: Settings, queue: str = QUEUE
) -> AsyncGenerator[Api]:
    """Everything a request needs, and the application that answers it; it rings at those who listen to `queue`."""
    database_url = with_default_quotas(database_url, default_quotas(settings))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app_database(database_url, size=settings.db_pool_size))
        pool = await engine_pool(database_url, settings.db_pool_size)
        stack.push_async_callback(pool.close)
        arq: ArqRedis = await create_pool(redis_settings(redis_url), job_serializer=serialize)
        stack.push_async_callback(arq.aclose)
        publisher = Publisher(arq)
        stack.push_async_callback(publisher.close)
        feed = RedisLiveFeed(arq, partial(heads, pool))
        feed.start()
        stack.push_async_callback(feed.close)
        limiter = SlidingRateLimiter(redis_url)
        stack.push_async_callback(limiter.close)
        evaluator = Evaluator(await stack.enter_async_context(Sandbox()))
        outgoing = Outgoing(allow=settings.http_allow, deny=settings.denied, block_private=settings.http_block_private)
        stack.push_async_callback(outgoing.close)
        keys, seal = keyring(master_keys, settings), audit_seal(master_keys)
        audit = PostgresAuditAppender(pool, seal=seal, clock=utc_now)
        stack.push_async_callback(audit.close)
        services = Services(
            stores=partial(stores_of, keys=keys, seal=seal, tenant_concurrency=settings.tenant_concurrency),
            accounts=Accounts(pool),
            passwords=Argon2Passwords(),
            password_rules=password_rules(settings.breached_passwords),
            throttle=PostgresThrottle(pool),
            sessions=Sessions(pool),
            starts=PostgresStarts(pool, tenants_limited=settings.tenant_concurrency is not None),
            inbox=PostgresInbox(pool),
            doorbell=ArqDoorbell(arq, queue),
            changes=publisher,
            task_answers=PostgresTaskAnswers(pool),
            task_announcer=publisher,
            feed=feed,
            catalog=CATALOG,
            plans=Plans(CATALOG),
            evaluator=evaluator,
            connections=partial(StepConnections, pool=pool, keyring=keys),
            connection_tester=RealConnectionTester(outgoing),
            storage=file_storage(settings),
            file_limits=file_limits(settings),
            audit=audit,
            clock=utc_now,
            ids=uuid.uuid7,
            secret=new_secret,
            url=settings.url,
        )
        parts = _parts(services, pool, arq, limiter, master_keys, settings)
        yield Api(app=application(parts), services=services, pool=pool)


def _parts(
    services: Services,
    pool: EnginePool,
    arq: ArqRedis,
    limiter: SlidingRateLimiter,
    master_keys: MasterKeys,
    settings: Settings,
) -> Parts:
    accounts, tenants, keys = Accounts(pool), Tenants(pool), ApiKeys(pool)
    life = timedelta(seconds=settings.access_token_seconds)
    tokens = Tokens(master_keys, life=life, clock=utc_now, ids=uuid.uuid7)
    sign_in = SignIn(
        accounts=accounts,
        refresh_tokens=RefreshTokens(pool),
        keys=keys,
        tenants=tenants,
        sessions=services.sessions,
        passwords=services.passwords,
        throttle=services.throttle,
        ids=uuid.uuid7,
        secret=new_secret,
        refresh_life=timedelta(seconds=settings.refresh_token_seconds),
    )
    authenticator = Authenticator(
        tokens=tokens,
        accounts=accounts,
        kept=services.sessions,
        keys=keys,
        tenants=tenants,
        clock=utc_now,
        context=partial(context_of, services=services),
    )
    allowances = Allowances(default_rates(settings), settings.rate_window_seconds, PostgresQuotas(pool), utc_now)
    authenticate = Throttled(authenticator, limiter, allowances)
    resume = ResumeEndpoint(
        secrets=partial(master_keys.derived, "resume token"),
        inbox=services.inbox,
        doorbell=services.doorbell,
        ids=uuid.uuid7,
    )
    return Parts(
        graphql=GraphQLEndpoint(
            build_schema(Limits(query_seconds=settings.query_seconds), introspection=settings.introspection),
            authenticate,
            settings=TransportSettings(body_limit=settings.max_body_bytes, allowed_origins=settings.cors_origins),
            page=graphiql.page(graphiql.EXAMPLES) if settings.shows_graphiql else None,
        ),
        token=TokenEndpoint(sign_in=sign_in, tokens=tokens, clock=utc_now, audit=services.audit).answer,
        resume=resume.__call__,
        files=FileEndpoints(authenticate).routes,
        audit=AuditExport(authenticate).routes,
        checks={"postgresql": _postgres(pool), "redis": _redis(arq), "sharedRates": limiter.check},
        middleware=(Middleware(Throttle, limiter, allowances),),
        assets=settings.shows_graphiql,
        rules=EdgeRules(
            hosts=settings.allowed_hosts,
            origins=settings.cors_origins,
            https=settings.url.startswith("https://"),
            body_seconds=settings.body_seconds,
        ),
    )


def _postgres(pool: EnginePool) -> Callable[[], object]:
    return partial(pool.fetchval, "SELECT 1", timeout=2)


def _redis(arq: ArqRedis) -> Callable[[], object]:
    return cast("Any", arq).ping
