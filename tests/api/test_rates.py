"""Rates as callers meet them: headers, `extensions`, refusals over HTTP, REST and WebSocket, and who is told apart."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uuid_utils.compat as uuid
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute

from app.clock import utc_now
from app.files import FileEndpoints
from app.throttle import Allowances, Throttle, Throttled, address_of
from db.connections import EnginePool
from db.quotas import PostgresQuotas
from domain.access import Role
from domain.rates import Rate
from domain.tenancy import Tenant
from jobs.rate_limits import SlidingRateLimiter
from schema.endpoint import GraphQLEndpoint
from tests.api.application import URL, Application, Caller, new_account, new_caller
from tests.contract.conftest import GraphQLServer, served
from tests.contract.redis_server import OwnRedis, own_redis
from tests.contract.test_graphql_ws import raw

VIEWER = "{ viewer { role } }"


@dataclass(frozen=True, kw_only=True)
class Throttles:
    """Makes the API with these rates in a window of a minute."""

    api: Application
    redis_url: str
    stack: AsyncExitStack

    def app(self, maxima: Mapping[Rate, int], redis_url: str | None = None) -> Starlette:
        limiter = SlidingRateLimiter(redis_url or self.redis_url)
        self.stack.push_async_callback(limiter.close)
        allowances = Allowances(maxima, 60, PostgresQuotas(self.api.pool), utc_now)
        authenticate = Throttled(self.api.authenticator, limiter, allowances)
        endpoint = GraphQLEndpoint(self.api.schema, authenticate)
        return Starlette(
            routes=[
                Route("/graphql", endpoint),
                WebSocketRoute("/graphql", endpoint),
                Route("/resume/{token}", _open),
                Route("/healthz", _open),
                *FileEndpoints(authenticate).routes,
            ],
            middleware=[Middleware(Throttle, limiter, allowances)],
        )

    def client(
        self, maxima: Mapping[Rate, int], redis_url: str | None = None, address: str | None = None
    ) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app(maxima, redis_url), client=(address or unused_address(), 1))
        return httpx.AsyncClient(transport=transport, base_url=URL)


async def _open(request: Request) -> Response:
    return PlainTextResponse("ok")


def unused_address() -> str:
    """Nobody else's: what others have asked is not counted with it."""
    digits = uuid.uuid7().hex[-16:]
    return f"2001:db8:{digits[:4]}:{digits[4:8]}::1"


@pytest.fixture
async def throttles(api: Application, redis_url: str) -> AsyncGenerator[Throttles]:
    async with AsyncExitStack() as stack:
        yield Throttles(api=api, redis_url=redis_url, stack=stack)


@pytest.fixture
async def second_key(engine_pool: EnginePool, http: httpx.AsyncClient, acme: Tenant) -> Caller:
    return await new_caller(engine_pool, http, acme, Role.DEVELOPER)


async def ask(client: httpx.AsyncClient, caller: Caller, query: str = VIEWER) -> httpx.Response:
    return await client.post("/graphql", json={"query": query}, headers={"X-API-Key": caller.key})


async def statuses(client: httpx.AsyncClient, caller: Caller, count: int) -> list[int]:
    return [(await ask(client, caller)).status_code for _ in range(count)]


async def test_headers_and_extensions_say_what_is_left(throttles: Throttles, developer: Caller) -> None:
    maxima = {Rate.KEY: 5, Rate.ROUTE: 6, Rate.TENANT: 7, Rate.COST: 100}

    answer = await ask(throttles.client(maxima), developer)

    assert (
        answer.headers["RateLimit-Policy"] == '"key";q=5;w=60, "route";q=6;w=60, "tenant";q=7;w=60, "cost";q=100;w=60'
    )
    assert answer.headers["RateLimit"] == '"key";r=4;t=60, "route";r=5;t=60, "tenant";r=6;t=60, "cost";r=99;t=60'
    assert answer.json()["extensions"]["rateLimit"] == [
        {"policy": "key", "limit": 5, "window": 60, "remaining": 4, "reset": 60},
        {"policy": "route", "limit": 6, "window": 60, "remaining": 5, "reset": 60},
        {"policy": "tenant", "limit": 7, "window": 60, "remaining": 6, "reset": 60},
        {"policy": "cost", "limit": 100, "window": 60, "remaining": 99, "reset": 60},
    ]


async def test_without_any_rate_nothing_is_said(throttles: Throttles, developer: Caller) -> None:
    answer = await ask(throttles.client({}), developer)

    assert "RateLimit" not in answer.headers
    assert list(answer.json()["extensions"]) == ["cost"]


async def test_graphql_refuses_with_429_a_code_and_when_to_come_back(throttles: Throttles, developer: Caller) -> None:
    client = throttles.client({Rate.KEY: 1})
    await ask(client, developer)

    answer = await ask(client, developer)

    (error,) = answer.json()["errors"]
    seconds = error["extensions"].pop("retryAfter")
    assert answer.status_code == 429
    assert 59 < seconds <= 60
    assert answer.headers["Retry-After"] == "60"
    assert (answer.headers["RateLimit-Policy"], answer.headers["RateLimit"]) == ('"key";q=1;w=60', '"key";r=0;t=60')
    assert error == {
        "message": "At most 1 requests in 60 s are allowed (policy key)",
        "extensions": {
            "code": "RATE_LIMITED",
            "remedy": "Wait as long as Retry-After says, and ask less often.",
        },
    }


async def test_rest_refuses_with_problem_json(throttles: Throttles, developer: Caller) -> None:
    client = throttles.client({Rate.ROUTE: 1})
    path, headers = "/api/v1/files/file_01j00000000000000000000000", {"X-API-Key": developer.key}
    first = await client.get(path, headers=headers)

    second = await client.get(f"{path[:-1]}1", headers=headers)

    assert (first.status_code, first.headers["RateLimit"]) == (404, '"route";r=0;t=60')
    assert (second.status_code, second.headers["Content-Type"]) == (429, "application/problem+json")
    assert (second.headers["Retry-After"], second.headers["RateLimit"]) == ("60", '"route";r=0;t=60')
    assert second.json() == {
        "type": "about:blank",
        "title": "At most 1 requests in 60 s are allowed (policy route)",
        "status": 429,
        "code": "RATE_LIMITED",
        "remedy": "Wait as long as Retry-After says, and ask less often.",
    }
    assert (await ask(client, developer)).status_code == 200


async def test_an_operation_that_costs_more_than_is_left_does_not_run(throttles: Throttles, developer: Caller) -> None:
    client = throttles.client({Rate.COST: 1})
    assert (await ask(client, developer)).status_code == 200

    answer = await ask(client, developer, 'mutation { workflowDelete(id: "x") { errors { code } } }')

    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (429, "RATE_LIMITED")
    assert answer.json()["errors"][0]["message"] == "At most 1 cost in 60 s are allowed (policy cost)"
    assert "data" not in answer.json()
    assert answer.headers["Retry-After"] == "60"


async def test_keys_of_a_tenant_are_counted_apart_and_their_tenant_together(
    throttles: Throttles, developer: Caller, second_key: Caller, stranger: Caller
) -> None:
    client = throttles.client({Rate.KEY: 2, Rate.TENANT: 3})

    assert await statuses(client, developer, 4) == [200, 200, 429, 429]
    assert await statuses(client, second_key, 2) == [200, 429]
    assert await statuses(client, stranger, 2) == [200, 200]


async def test_a_person_is_counted_however_they_signed_in(
    throttles: Throttles, api: Application, acme: Tenant, http: httpx.AsyncClient
) -> None:
    account = await new_account(api.pool, api.passwords, acme, Role.DEVELOPER, "correct horse")
    form = {"grant_type": "password", "username": account.email, "password": "correct horse"}
    tokens = [(await http.post("/auth/token", data=form)).json()["access_token"] for _ in range(2)]
    client = throttles.client({Rate.USER: 1, Rate.KEY: 1})

    answers = [
        await client.post("/graphql", json={"query": VIEWER}, headers={"Authorization": f"Bearer {token}"})
        for token in tokens
    ]

    assert [each.status_code for each in answers] == [200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"user";q=1;w=60'


async def test_what_was_set_for_a_tenant_goes_before_the_default(
    throttles: Throttles, api: Application, developer: Caller, stranger: Caller
) -> None:
    store = PostgresQuotas(api.pool)
    await store.put(developer.tenant.id, Rate.TENANT.setting, 1)
    await store.put(stranger.tenant.id, Rate.TENANT.setting, None)
    client = throttles.client({Rate.TENANT: 2})

    assert await statuses(client, developer, 2) == [200, 429]
    assert await statuses(client, stranger, 4) == [200] * 4


async def test_who_is_not_let_in_is_counted_by_address(throttles: Throttles, developer: Caller) -> None:
    client = throttles.client({Rate.ADDRESS: 2})
    wrong = {"X-API-Key": developer.key[:-4] + "0000"}

    refused = [await client.post("/graphql", json={"query": VIEWER}, headers=wrong) for _ in range(3)]

    assert [each.status_code for each in refused] == [401, 401, 429]
    assert refused[-1].json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert await statuses(client, developer, 2) == [200, 200]


async def test_where_nobody_signs_in_everybody_is_counted_by_address_and_health_by_nobody(
    throttles: Throttles,
) -> None:
    client = throttles.client({Rate.ADDRESS: 1})

    answers = [await client.get("/resume/token") for _ in range(2)]
    healthy = [await client.get("/healthz") for _ in range(2)]

    assert [each.status_code for each in answers] == [200, 429]
    assert answers[0].headers["RateLimit"] == '"address";r=0;t=60'
    assert (answers[1].headers["Content-Type"], answers[1].headers["Retry-After"]) == ("application/problem+json", "60")
    assert [each.status_code for each in healthy] == [200, 200]
    assert "RateLimit" not in healthy[0].headers


@pytest.mark.parametrize(
    ("host", "counted_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
    ],
)
def test_addresses_that_one_caller_may_choose_from_are_one(host: str, counted_as: str) -> None:
    assert address_of({"client": (host, 1)}) == counted_as


@asynccontextmanager
async def websocket_server(app: Starlette) -> AsyncGenerator[GraphQLServer]:
    async with served(app) as address:
        yield GraphQLServer(url=f"http://{address}/graphql", ws_url=f"ws://{address}/graphql", token="")


async def test_over_a_websocket_each_operation_is_a_request(throttles: Throttles, developer: Caller) -> None:
    async with websocket_server(throttles.app({Rate.KEY: 3})) as server, raw(server) as socket:
        await socket.greet(developer.key)
        heard: list[Any] = []
        for number in range(3):
            await socket.subscribe(VIEWER, str(number))
            heard.append(await socket.hear())
            if heard[-1]["type"] == "next":
                await socket.hear()  # complete

    assert [message["type"] for message in heard] == ["next", "next", "error"]
    assert heard[0]["payload"]["extensions"]["rateLimit"][0]["remaining"] == 1
    (error,) = heard[2]["payload"]
    assert error["extensions"]["code"] == "RATE_LIMITED"
    assert 59 < error["extensions"]["retryAfter"] <= 60


async def test_a_websocket_too_many_is_told_to_try_again_later(throttles: Throttles, developer: Caller) -> None:
    async with websocket_server(throttles.app({Rate.KEY: 1})) as server:
        async with raw(server) as first:
            await first.greet(developer.key)
        async with raw(server) as second:
            await second.say({"type": "connection_init", "payload": {"authorization": developer.key}})
            assert await second.closed() == (1013, "At most 1 requests in 60 s are allowed (policy key)")


@pytest.fixture
async def redis() -> AsyncGenerator[OwnRedis]:
    async with own_redis() as server:
        yield server


async def test_with_redis_taken_away_requests_are_served_and_still_limited(
    throttles: Throttles, developer: Caller, redis: OwnRedis
) -> None:
    client = throttles.client({Rate.KEY: 2}, redis.url)
    assert await statuses(client, developer, 1) == [200]

    await redis.kill()

    assert await statuses(client, developer, 4) == [200, 200, 429, 429]


async def test_quotas_are_shown_with_what_is_used_of_them(api: Application, developer: Caller) -> None:
    store = PostgresQuotas(api.pool)
    await store.put(developer.tenant.id, "WORKFLOWS", 1)
    create = """mutation ($name: String!) { workflowCreate(input: {name: $name}) {
      workflow { name } errors { code message remedy ... on QuotaError { quota limit used } } } }"""

    first = await developer.data(create, name="One")
    second = await developer.data(create, name="Two")
    shown = await developer.data("{ quotas { name limit used resetsAt } }")

    assert first["workflowCreate"] == {"workflow": {"name": "One"}, "errors": []}
    assert second["workflowCreate"] == {
        "workflow": None,
        "errors": [
            {
                "code": "QUOTA_EXCEEDED",
                "message": "The tenant may have 1 workflows (WORKFLOWS); it uses 1",
                "remedy": "Delete workflows, or have the operator raise the quota WORKFLOWS.",
                "quota": "WORKFLOWS",
                "limit": "1",
                "used": "1",
            }
        ],
    }
    quotas = {each["name"]: (each["limit"], each["used"], each["resetsAt"] is not None) for each in shown["quotas"]}
    assert quotas == {
        "EXECUTIONS_PER_DAY": (None, "0", True),
        "EXECUTIONS_PER_MONTH": (None, "0", True),
        "EXECUTIONS_UNDER_WAY": (None, "0", False),
        "FILE_BYTES": (None, "0", False),
        "STREAMS": (None, "0", False),
        "CONNECTIONS": (None, "0", False),
        "WORKFLOWS": ("1", "1", False),
    }
