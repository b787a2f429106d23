"""Identical subscriptions on real servers: each gets all of its own, and what they are shown alike is executed once."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute

from app.clock import utc_now
from app.stack import Stack
from db.connections import EnginePool
from domain.access import Role
from domain.ids import WorkflowId, decode
from domain.tenancy import Tenant
from jobs.nodes.catalog import CATALOG
from schema.endpoint import GraphQLEndpoint
from tests.api.application import Application, Caller, application, new_account, new_caller, new_tenant
from tests.api.operations import published
from tests.contract.conftest import served
from tests.contract.watching import PATIENCE, Author, Watcher, Watchers, Written, author, watchers_of

PASSWORD = "correct horse battery staple"
LIST = "subscription { executions { refetch execution { id status workflow { name } } } }"
OWN = "subscription { executions { execution { id workflow { createdBy { email } } } } }"


@dataclass(kw_only=True)
class Counted:
    """What cohorts counted since `begin`."""

    api: Application
    _begun: tuple[int, int] = (0, 0)

    def begin(self) -> None:
        self._begun = (self.api.schema.cohorts.executed, self.api.schema.cohorts.shared)

    @property
    def executed(self) -> int:
        return self.api.schema.cohorts.executed - self._begun[0]

    @property
    def shared(self) -> int:
        return self.api.schema.cohorts.shared - self._begun[1]


@pytest.fixture(scope="module")
async def api(stack: Stack, engine_pool: EnginePool, app_db: None) -> AsyncGenerator[Application]:
    async with application(engine_pool, stack.redis_url, CATALOG) as built:
        yield built


@pytest.fixture(scope="module")
async def address(api: Application) -> AsyncGenerator[str]:
    endpoint = GraphQLEndpoint(api.schema, api.authenticator)
    routes = [Route("/graphql", endpoint), WebSocketRoute("/graphql", endpoint)]
    async with served(Starlette(routes=routes)) as address:
        yield address


@pytest.fixture(scope="module")
async def hand(stack: Stack, engine_pool: EnginePool) -> AsyncGenerator[Author]:
    async with author(engine_pool, stack.redis_url) as writing:
        yield writing


@pytest.fixture
async def watchers(address: str) -> AsyncGenerator[Watchers]:
    async with watchers_of(address) as opened:
        yield opened


@pytest.fixture
async def http(api: Application) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api.app), base_url="http://weir.test") as client:
        yield client


@pytest.fixture
async def acme(engine_pool: EnginePool) -> Tenant:
    return await new_tenant(engine_pool)


@pytest.fixture
async def developer(engine_pool: EnginePool, http: httpx.AsyncClient, acme: Tenant) -> Caller:
    return await new_caller(engine_pool, http, acme)


@pytest.fixture
async def execution(hand: Author, acme: Tenant) -> Written:
    return await hand.begin(acme.id)


@pytest.fixture
def counted(api: Application) -> Counted:
    counted = Counted(api=api)
    counted.begin()
    return counted


async def _ends(*watchers: Watcher) -> None:
    await asyncio.gather(*(watcher.to_the_end() for watcher in watchers))


async def test_all_get_the_same_whole_sequence_and_every_frame_is_executed_once(
    watchers: Watchers, hand: Author, developer: Caller, execution: Written, counted: Counted
) -> None:
    together = await watchers.caught_up(10, developer.key, execution.id)

    for size in (1, 1, 30, 250, 1):
        await hand.write(execution, size)
    await hand.stir(execution, "price")
    await hand.finish(execution)
    await _ends(*together)

    assert together[0].seqs == list(range(1, 286))
    assert together[0].frames[-1]["ended"] == "COMPLETED"
    assert [each.texts for each in together] == [together[0].texts] * 10, "byte for byte the same"
    assert counted.executed == len(together[0].texts)
    assert counted.shared == 9 * len(together[0].texts)


async def test_who_joins_in_the_middle_gets_everything_from_its_own_cursor_on(
    watchers: Watchers, hand: Author, developer: Caller, execution: Written, counted: Counted
) -> None:
    (first,) = await watchers.caught_up(1, developer.key, execution.id)
    joined: list[tuple[int, Watcher]] = []

    async def write() -> None:
        for _ in range(150):
            await hand.write(execution, 3)

    writing = asyncio.create_task(write())
    for _ in range(12):
        seq = first.seqs[-1]
        joined.append((seq, await watchers.open(developer.key, id=execution.id, after=first.cursor)))
        joined.append((0, await watchers.open(developer.key, id=execution.id)))
        await first.until_seq(seq + 9)
    await writing
    await hand.finish(execution)
    await _ends(first, *(watcher for _, watcher in joined))

    for seq, watcher in [(0, first), *joined]:
        assert watcher.seqs == list(range(seq + 1, 453)), f"after {seq}: nothing missing, nothing twice, in order"
        assert watcher.frames[-1]["ended"] == "COMPLETED"
    assert counted.shared > counted.executed


async def test_two_tenants_share_nothing_though_they_are_shown_the_same(
    watchers: Watchers, hand: Author, http: httpx.AsyncClient, engine_pool: EnginePool, counted: Counted
) -> None:
    opened: list[list[Watcher]] = []
    executions: list[Written] = []
    for _ in range(2):
        caller = await new_caller(engine_pool, http, await new_tenant(engine_pool))
        executions.append(await hand.begin(caller.tenant.id))
        opened.append(await watchers.caught_up(2, caller.key, executions[-1].id))
    counted.begin()

    for execution in executions:
        await hand.stir(execution, "price")
    shown = [[await watcher.hear() for watcher in pair] for pair in opened]

    assert shown[0] == shown[1]
    assert (counted.executed, counted.shared) == (2, 2), "once in each tenant"


async def test_two_permission_sets_of_a_tenant_share_nothing(
    watchers: Watchers,
    hand: Author,
    http: httpx.AsyncClient,
    engine_pool: EnginePool,
    developer: Caller,
    execution: Written,
    counted: Counted,
) -> None:
    viewer = await new_caller(engine_pool, http, developer.tenant, Role.VIEWER)
    together = [(await watchers.caught_up(1, key, execution.id))[0] for key in (developer.key, viewer.key)]

    await hand.write(execution, 5)
    await hand.finish(execution)
    await _ends(*together)

    assert together[0].texts == together[1].texts
    assert (counted.executed, counted.shared) == (2 * len(together[0].texts), 0)


async def test_the_first_may_leave_and_the_others_go_on(
    watchers: Watchers, hand: Author, developer: Caller, execution: Written
) -> None:
    completes, leaves, *others = await watchers.caught_up(4, developer.key, execution.id)
    await hand.write(execution)
    await asyncio.gather(*(each.until_seq(2) for each in (completes, leaves, *others)))

    await completes.complete()
    await leaves.socket.close()
    await hand.write(execution, 3)
    await hand.finish(execution)
    await _ends(*others)

    assert [other.seqs for other in others] == [list(range(1, 7))] * 2
    assert completes.seqs == [1, 2]


async def test_credentials_that_end_close_the_socket_of_their_holder_alone(
    watchers: Watchers,
    hand: Author,
    http: httpx.AsyncClient,
    engine_pool: EnginePool,
    developer: Caller,
    execution: Written,
    counted: Counted,
) -> None:
    soon = utc_now() + timedelta(seconds=1.5)
    passing = await new_caller(engine_pool, http, developer.tenant, expires_at=soon)
    (short,) = await watchers.caught_up(1, passing.key, execution.id)
    (long,) = await watchers.caught_up(1, developer.key, execution.id)
    await hand.write(execution)
    await asyncio.gather(short.until_seq(2), long.until_seq(2))
    assert counted.shared > 0, "they are of one cohort"

    assert await short.closed() == (4403, "Token expired")
    assert utc_now() >= soon
    await hand.write(execution)
    await hand.finish(execution)

    assert (await long.to_the_end()).seqs == [1, 2, 3, 4]


async def test_the_list_is_read_once_for_all_who_watch_it(
    api: Application, watchers: Watchers, hand: Author, developer: Caller, counted: Counted
) -> None:
    execution = await _of_a_workflow(hand, developer)
    together = [await watchers.open(developer.key, LIST) for _ in range(5)]
    await _all_follow(hand, together, developer.tenant)
    counted.begin()

    await hand.change(execution)
    texts = {await watcher.hear() for watcher in together}

    change = {"id": execution.id, "status": "RUNNING", "workflow": {"name": "Adding"}}
    assert [json.loads(text or "") for text in texts] == [
        {"data": {"executions": {"refetch": False, "execution": change}}}
    ]
    assert (counted.executed, counted.shared) == (1, 4)
    assert len(api.schema.broadcasts) == 1
    for watcher in together:
        await watcher.complete()
    assert await _nobody_is_told(api)


async def test_what_is_somebodys_own_in_the_list_is_shown_to_nobody_else(
    api: Application,
    watchers: Watchers,
    hand: Author,
    http: httpx.AsyncClient,
    acme: Tenant,
    engine_pool: EnginePool,
    developer: Caller,
) -> None:
    ada, bob = [await new_account(engine_pool, api.passwords, acme, Role.DEVELOPER, PASSWORD) for _ in range(2)]
    tokens = [await _token(http, account.email) for account in (ada, bob)]
    execution = await _of_a_workflow(hand, Caller(tenant=acme, key=tokens[0], key_id=developer.key_id, http=http))
    of_ada, of_bob = together = [await watchers.open(token, OWN) for token in tokens]
    await _all_follow(hand, together, acme)

    await hand.change(execution)

    def shown(created_by: dict[str, str] | None) -> dict[str, object]:
        return {"execution": {"id": execution.id, "workflow": {"createdBy": created_by}}}

    await asyncio.gather(of_ada.hear(), of_bob.hear())
    assert of_ada.frames[-1] == shown({"email": ada.email})
    assert of_bob.frames[-1] == shown(None)


async def _of_a_workflow(hand: Author, caller: Caller) -> Written:
    """An execution of a workflow that the caller made."""
    workflow = await published(caller)
    return await hand.begin(caller.tenant.id, WorkflowId(decode("workflow", workflow)))


async def _all_follow(hand: Author, watchers: list[Watcher], tenant: Tenant) -> None:
    """Return once each of them hears of changes, and has read all there were."""
    first, last = await hand.begin(tenant.id), await hand.begin(tenant.id)
    hearing = [asyncio.create_task(watcher.hear()) for watcher in watchers]
    async with asyncio.timeout(PATIENCE):
        while not all(task.done() for task in hearing):
            await hand.change(first)
            await asyncio.wait(hearing, timeout=0.1)
    await hand.change(last)
    await asyncio.gather(*(watcher.until_told(last.id) for watcher in watchers))


async def _token(http: httpx.AsyncClient, email: str) -> str:
    form = {"grant_type": "password", "username": email, "password": PASSWORD}
    return (await http.post("/auth/token", data=form)).json()["access_token"]


async def _nobody_is_told(api: Application) -> bool:
    """Asked until the server has noticed that its clients have gone."""
    for _ in range(1_000):
        if not len(api.schema.broadcasts):
            return True
        await asyncio.sleep(0.01)
    return False
