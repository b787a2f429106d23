"""Who comes first: tenants take turns, and a worker that may be taken for dead begins nothing."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import uuid_utils.compat as uuid

from app.clock import utc_now
from db.claims import PostgresOwnership
from db.definitions import PostgresDefinitions
from db.journal import PostgresJournal
from db.liveness import PostgresLiveness
from db.log import EngineLogs
from domain.callbacks import Callback
from domain.children import Children
from domain.engine.events import EventKind
from domain.ids import TenantId, WorkerId
from domain.live import Changed
from jobs.driver import Driver
from jobs.executor import Executor
from jobs.failure_handlers import Handlers
from jobs.grace import Grace
from jobs.nodes.catalog import CATALOG
from jobs.outgoing import Outgoing
from jobs.programs import Programs
from jobs.run_snapshots import RunSnapshots
from jobs.runs import Run
from jobs.sandbox.evaluator import Evaluator
from jobs.sandbox.sandbox import Sandbox
from jobs.services import StepServices, Supplies
from jobs.steps import StepRunner
from jobs.version_changes import VersionChanges
from tests.contract.engine_room import EngineRoom
from tests.contract.flows import flow, give, http
from tests.contract.ledger import nobody_waits
from tests.contract.local_server import LocalServer

pytest_plugins = ["tests.contract.engine_fixture"]


async def test_a_tenant_with_one_execution_does_not_wait_for_one_with_hundreds(
    room: EngineRoom, server: LocalServer
) -> None:
    many = await room.publish(flow(http("call", f"{server.url}/many"), "start > call"))
    one = await room.publish(flow(*(http(name, f"{server.url}/one") for name in ("a", "b", "c")), "start > a > b > c"))
    async with room.running(worker_steps=2, worker_capacity=40, drain_seconds=0.0):
        crowd = await room.start_all(many, [None] * 500)
        await room.heard(lambda: sum(each in room.finished_in_order for each in crowd) >= 20)
        single = await room.start(one)
        await room.over(single)
    await nobody_waits(room.pool)

    log = await room.log(single)
    meanwhile = await room.pool.fetchval(
        """SELECT count(*) FROM execution_event
           WHERE execution_id = ANY ($1) AND kind = 'EXECUTION_COMPLETED' AND at BETWEEN $2 AND $3""",
        crowd,
        log[1].at,
        log[-1].at,
    )
    assert meanwhile <= 30, "three steps of one tenant, each in its turn between two slots of the other's"
    earlier = room.finished_in_order[: room.finished_in_order.index(single)]
    assert len(set(earlier) & set(crowd)) < 250, "most of the crowd was still to come"


@dataclass(slots=True)
class Pulse:
    healthy: bool = False
    lapses: int = 0


class _Silence:
    """Announces nothing."""

    def step_began(self, run: Run, path: str, node: str, attempt: int, at: datetime) -> None: ...

    def announce(self, tenant_id: TenantId, changes: Sequence[Changed]) -> None: ...


def _no_children(tenant: TenantId) -> Children:
    raise AssertionError(f"no workflow here has a failure handler: {tenant}")


@asynccontextmanager
async def engine_with(room: EngineRoom, pulse: Pulse) -> AsyncGenerator[Executor]:
    """An engine that takes itself for as alive as `pulse` says."""
    async with AsyncExitStack() as stack:
        worker = WorkerId(uuid.uuid7())
        await PostgresLiveness(room.pool).register(worker, utc_now(), host="here", pid=1)
        journal = PostgresJournal(room.pool, on_committed=room.hear)
        journal.start()
        stack.push_async_callback(journal.close)
        evaluator = Evaluator(await stack.enter_async_context(Sandbox()))
        outgoing = Outgoing(allow=("127.0.0.1",))
        stack.push_async_callback(outgoing.close)
        programs = Programs(PostgresDefinitions(room.pool), CATALOG)
        ownership = PostgresOwnership(room.pool)
        executor = Executor(
            worker=worker,
            journal=journal,
            ownership=ownership,
            programs=programs,
            pulse=pulse,
            changes=_Silence(),
            clock=utc_now,
            capacity=10,
        )
        steps = StepRunner(
            evaluator=evaluator,
            services=lambda tenant: StepServices(tenant=tenant, supplies=Supplies(http=outgoing, evaluator=evaluator)),
            callback_url=lambda callback: Callback.__name__,
            max_output_bytes=10_000,
        )
        executor.attach(
            Driver(
                journal=journal,
                steps=steps,
                announcer=_Silence(),
                clock=utc_now,
                draw=lambda: 0.5,
                healthy=lambda: executor.trusted,
                slots=10,
                dropped=executor.dropped,
                settled=executor.settled,
                handlers=Handlers(_no_children),
                versions=VersionChanges(
                    programs=programs, logs=EngineLogs(room.pool), clock=utc_now, settled=executor.settled
                ),
                grace=Grace(10.0),
                snapshot=RunSnapshots(ownership).save,
            )
        )
        executor.start()
        stack.push_async_callback(executor.drain, 1.0)
        yield executor


async def test_a_worker_that_may_count_as_dead_claims_and_begins_nothing(room: EngineRoom, server: LocalServer) -> None:
    server.hold("/gate")
    published = await room.publish(flow(http("gate", f"{server.url}/gate"), give("after", n=1), "start > gate > after"))
    pulse = Pulse(healthy=True)
    async with engine_with(room, pulse) as executor:
        held = await room.start(published, ring=False)
        executor.ring([held])
        await server.has("/gate")

        pulse.healthy = False
        unclaimed = await room.start(published, ring=False)
        executor.ring([unclaimed])
        server.let_go("/gate")
        await room.event(held, EventKind.STEP_COMPLETED, "gate")
        assert await room.trail(held) == [("STEP_COMPLETED", "start"), ("STEP_COMPLETED", "gate")]
        assert len(await room.log(unclaimed)) == 1

        pulse.healthy = True
        await room.over(held, unclaimed)
