"""Limits: no more at once and a minute than a workflow or a tenant may have, in order, and nothing leaks."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
import uuid_utils.compat as uuid

from app.clock import utc_now
from db.claims import PostgresOwnership
from db.connections import EnginePool, tenant_scope
from db.inbox import PostgresInbox
from db.limits import PostgresTenantLimits, Queues
from db.starts import PostgresStarts
from db.sweeps import PostgresSweeping
from domain.engine.ports import ExecutionStatus, Finished, InboxKind, Release
from domain.ids import ExecutionId, TenantId, WorkflowId
from domain.limits import QueuePlace, QueueReason, TenantLimits
from domain.starts import NewExecution
from tests.contract.journals import journal_on
from tests.contract.ledger import append, new_execution, new_worker, nobody_waits, started
from tests.databases import make_tenant


@pytest.fixture
async def ownership(engine_pool: EnginePool) -> PostgresOwnership:
    await nobody_waits(engine_pool)
    return PostgresOwnership(engine_pool)


@pytest.fixture
async def workflow(engine_pool: EnginePool, tenant: TenantId) -> WorkflowId:
    """Without a limit."""
    return await stored_workflow(engine_pool, tenant)


async def stored_workflow(pool: EnginePool, tenant: TenantId) -> WorkflowId:
    workflow = WorkflowId(uuid.uuid7())
    await pool.execute(
        "INSERT INTO workflow (id, tenant_id, name, draft, created_at, updated_at) VALUES ($1, $2, $3, '{}', $4, $4)",
        workflow,
        tenant,
        workflow.hex,
        utc_now(),
    )
    return workflow


async def activate(
    pool: EnginePool, tenant: TenantId, workflow: WorkflowId, number: int, concurrency: str | None
) -> None:
    """Publish a version with these `concurrency` settings, as JSON."""
    version = uuid.uuid7()
    definition = '{"settings": {"concurrency": ' + concurrency + "}}" if concurrency else "{}"
    await pool.execute(
        """INSERT INTO workflow_version (id, tenant_id, workflow_id, number, content_hash, definition, created_at)
           VALUES ($1, $2, $3, $4, 'x', $5, now())""",
        version,
        tenant,
        workflow,
        number,
        definition,
    )
    await pool.execute("UPDATE workflow SET active_version_id = $2 WHERE id = $1", workflow, version)


def of(workflow: WorkflowId, count: int, priority: int = 0) -> list[NewExecution]:
    return [new_execution(workflow=workflow, priority=priority) for _ in range(count)]


async def claimed(ownership: PostgresOwnership, capacity: int = 100) -> list[ExecutionId]:
    return [claim.execution_id for claim in await ownership.claim(new_worker(), capacity)]


async def finish(pool: EnginePool, tenant: TenantId, ids: Sequence[ExecutionId], epoch: int = 1) -> None:
    finished = Finished(status=ExecutionStatus.COMPLETED, output=None, error=None, at=utc_now())
    async with journal_on(pool) as journal:
        await asyncio.gather(*(journal.submit(append(each, tenant, 2, epoch=epoch, finished=finished)) for each in ids))


async def test_no_more_of_a_workflow_begin_than_its_active_version_allows(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId, workflow: WorkflowId
) -> None:
    await activate(engine_pool, tenant, workflow, 1, '{"max": 2}')
    ids = await started(engine_pool, tenant, *of(workflow, 5))
    other = await started(engine_pool, tenant)

    assert sorted(await claimed(ownership)) == sorted([*ids[:2], *other])
    assert await claimed(PostgresOwnership(engine_pool)) == []

    await finish(engine_pool, tenant, ids[:1])
    assert await claimed(PostgresOwnership(engine_pool)) == [ids[2]]


async def test_those_that_wait_begin_by_priority_and_then_by_age(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId, workflow: WorkflowId
) -> None:
    await activate(engine_pool, tenant, workflow, 1, '{"max": 1}')
    ids = await started(engine_pool, tenant, *of(workflow, 3), *of(workflow, 1, priority=5))

    order: list[ExecutionId] = []
    while found := await claimed(PostgresOwnership(engine_pool)):
        order += found
        await finish(engine_pool, tenant, found)

    assert order == [ids[3], *ids[:3]]


async def test_twenty_claimers_at_once_never_pass_a_limit(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId, workflow: WorkflowId
) -> None:
    await activate(engine_pool, tenant, workflow, 1, '{"max": 7}')
    await started(engine_pool, tenant, *of(workflow, 50))

    taken = await asyncio.gather(*(claimed(PostgresOwnership(engine_pool), 5) for _ in range(20)))

    assert sum(map(len, taken)) == 7


async def test_what_a_dead_worker_had_goes_on_in_the_places_it_has(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId, workflow: WorkflowId
) -> None:
    await activate(engine_pool, tenant, workflow, 1, '{"max": 2}')
    ids = await started(engine_pool, tenant, *of(workflow, 3))
    await claimed(ownership)  # by a worker that was never alive

    await PostgresSweeping(engine_pool).sweep(orphan_after=0.0)

    assert sorted(await claimed(PostgresOwnership(engine_pool))) == ids[:2]
    await finish(engine_pool, tenant, ids[:2], epoch=2)
    assert await claimed(PostgresOwnership(engine_pool)) == [ids[2]]


async def test_what_waits_for_something_outside_keeps_its_place(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId, workflow: WorkflowId
) -> None:
    await activate(engine_pool, tenant, workflow, 1, '{"max": 1}')
    (first, _) = await started(engine_pool, tenant, *of(workflow, 2))
    await claimed(ownership)
    await ownership.release([Release(execution_id=first, epoch=1, status=ExecutionStatus.WAITING)])

    assert await claimed(PostgresOwnership(engine_pool)) == []


async def test_a_rate_is_kept_over_a_sliding_minute_whoever_claims(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId, workflow: WorkflowId
) -> None:
    await activate(engine_pool, tenant, workflow, 1, '{"perMinute": 3}')
    ids = await started(engine_pool, tenant, *of(workflow, 5))

    assert await claimed(ownership) == ids[:3]
    await finish(engine_pool, tenant, ids[:3])
    assert await claimed(PostgresOwnership(engine_pool)) == []

    await engine_pool.execute(
        "UPDATE execution SET admitted_at = admitted_at - interval '1 minute' WHERE id = $1", ids[0]
    )
    swept = await PostgresSweeping(engine_pool).sweep()
    assert swept.forgotten == ((tenant, ids[3]),)
    assert await claimed(PostgresOwnership(engine_pool)) == [ids[3]]


async def test_children_begin_whatever_the_limit_of_their_workflow(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId, workflow: WorkflowId
) -> None:
    await activate(engine_pool, tenant, workflow, 1, '{"max": 1}')
    (parent,) = await started(engine_pool, tenant, *of(workflow, 1))
    assert await claimed(ownership) == [parent]
    (child,) = of(workflow, 1)
    await engine_pool.execute(
        """INSERT INTO execution (id, tenant_id, workflow_id, version_id, created_at, trigger_type, parent_id)
           VALUES ($1, $2, $3, $4, now(), 'PARENT', $5)""",
        child.id,
        tenant,
        workflow,
        child.version_id,
        parent,
    )

    assert await claimed(ownership) == [child.id]


async def test_a_tenants_limit_holds_over_all_its_workflows(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId
) -> None:
    await PostgresTenantLimits(engine_pool).put(tenant, TenantLimits(max_concurrent=3))
    ids = await started(engine_pool, tenant, count=5)
    others = await started(engine_pool, await make_tenant(engine_pool), count=5)

    assert sorted(await claimed(ownership)) == sorted([*ids[:3], *others])
    await finish(engine_pool, tenant, ids[:1])
    assert await claimed(PostgresOwnership(engine_pool)) == [ids[3]]


async def test_the_default_limit_is_that_of_tenants_without_one_of_their_own(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId
) -> None:
    free = await make_tenant(engine_pool)
    await PostgresTenantLimits(engine_pool).put(free, TenantLimits(max_concurrent=None))
    starts = PostgresStarts(engine_pool, tenants_limited=True)
    await starts.insert(tenant, [new_execution() for _ in range(4)])
    await starts.insert(free, [new_execution() for _ in range(4)])

    found = await PostgresOwnership(engine_pool, tenant_concurrency=2).claim(new_worker(), 100)

    assert [claim.tenant_id for claim in found].count(tenant) == 2
    assert [claim.tenant_id for claim in found].count(free) == 4


async def test_a_raised_limit_lets_more_through_and_a_lowered_one_waits(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId, workflow: WorkflowId
) -> None:
    await activate(engine_pool, tenant, workflow, 1, '{"max": 2}')
    ids = await started(engine_pool, tenant, *of(workflow, 6))
    await claimed(ownership)

    await activate(engine_pool, tenant, workflow, 2, '{"max": 4}')
    assert await claimed(PostgresOwnership(engine_pool)) == ids[2:4]

    await activate(engine_pool, tenant, workflow, 3, '{"max": 1}')
    await finish(engine_pool, tenant, ids[:3])
    assert await claimed(PostgresOwnership(engine_pool)) == []

    await activate(engine_pool, tenant, workflow, 4, None)
    assert sorted(await claimed(PostgresOwnership(engine_pool))) == ids[4:]


async def test_a_new_limit_counts_what_runs_and_holds_what_waits(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId, workflow: WorkflowId
) -> None:
    ids = await started(engine_pool, tenant, *of(workflow, 4))
    assert await claimed(ownership, 2) == ids[:2]
    await activate(engine_pool, tenant, workflow, 1, '{"max": 2}')

    await PostgresSweeping(engine_pool).sweep()

    assert sorted(await claimed(ownership)) == ids[:2], "those of the worker that is not there"
    await finish(engine_pool, tenant, ids[:1], epoch=2)
    assert await claimed(PostgresOwnership(engine_pool)) == [ids[2]]


async def test_one_that_is_cancelled_while_it_waits_is_claimed_for_its_end_alone(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId, workflow: WorkflowId
) -> None:
    await activate(engine_pool, tenant, workflow, 1, '{"max": 1}')
    _, second, third = await started(engine_pool, tenant, *of(workflow, 3))
    await claimed(ownership)
    inbox = PostgresInbox(engine_pool)
    await inbox.post(tenant, third, InboxKind.CANCEL, "cancel", {})
    await inbox.post(tenant, second, InboxKind.SIGNAL, "a", {"name": "a"})

    assert await claimed(PostgresOwnership(engine_pool)) == [third]
    assert await engine_pool.fetchval("SELECT admitted_at FROM execution WHERE id = $1", third) is None


async def test_the_end_of_one_that_had_a_place_rings_and_that_of_others_does_not(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId, workflow: WorkflowId
) -> None:
    rings: list[None] = []
    ringing = PostgresOwnership(engine_pool, bell=lambda: rings.append(None))
    await activate(engine_pool, tenant, workflow, 1, '{"max": 1}')
    limited, _ = await started(engine_pool, tenant, *of(workflow, 2))
    (free,) = await started(engine_pool, tenant)
    await claimed(ringing)
    finished = Finished(status=ExecutionStatus.COMPLETED, output=None, error=None, at=utc_now())

    ringing.committed([append(free, tenant, 2, finished=finished), append(limited, tenant, 2)])
    assert rings == []
    ringing.committed([append(limited, tenant, 3, finished=finished)])
    ringing.committed([append(limited, tenant, 3, finished=finished)])
    assert rings == [None]


async def test_a_claim_too_soon_after_a_futile_one_is_made_up_for(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId, workflow: WorkflowId
) -> None:
    rung = asyncio.Event()
    ringing = PostgresOwnership(engine_pool, bell=rung.set)
    await activate(engine_pool, tenant, workflow, 1, '{"max": 1}')
    first, second = await started(engine_pool, tenant, *of(workflow, 2))
    assert await claimed(ringing) == [first]
    await finish(engine_pool, tenant, [first])  # elsewhere, so unheard here

    assert await claimed(ringing) == []
    async with asyncio.timeout(5):
        await rung.wait()
    assert await claimed(ringing) == [second]


async def test_a_tenant_of_more_weight_gets_so_much_more_of_busy_workers(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId
) -> None:
    heavy = await make_tenant(engine_pool)
    await PostgresTenantLimits(engine_pool).put(heavy, TenantLimits(weight=3))
    for each in (tenant, heavy):
        await started(engine_pool, each, count=40)

    at_once = [claim.tenant_id for claim in await ownership.claim(new_worker(), 8)]
    one_by_one = [(await ownership.claim(new_worker(), 1))[0].tenant_id for _ in range(8)]

    round_of_both = [tenant, heavy, heavy, heavy]
    assert at_once == round_of_both * 2
    assert one_by_one == round_of_both * 2


async def test_those_that_wait_see_their_place_the_reason_and_the_limit(
    ownership: PostgresOwnership,
    engine_pool: EnginePool,
    tenant: TenantId,
    workflow: WorkflowId,
    app_db: None,
) -> None:
    await activate(engine_pool, tenant, workflow, 1, '{"max": 1}')
    rated = await stored_workflow(engine_pool, tenant)
    await activate(engine_pool, tenant, rated, 1, '{"perMinute": 1}')
    ids = await started(engine_pool, tenant, *of(workflow, 3), *of(workflow, 1, priority=1))
    slow = await started(engine_pool, tenant, *of(rated, 2))
    assert sorted(await claimed(ownership)) == sorted([ids[3], slow[0]])
    (late,) = await started(engine_pool, tenant)

    with tenant_scope(tenant):
        places = await Queues(tenant).places([*ids, *slow, late])

    concurrency = QueueReason.WORKFLOW_CONCURRENCY
    assert places == {
        ids[0]: QueuePlace(position=1, reason=concurrency, limit=1),
        ids[1]: QueuePlace(position=2, reason=concurrency, limit=1),
        ids[2]: QueuePlace(position=3, reason=concurrency, limit=1),
        slow[1]: QueuePlace(position=1, reason=QueueReason.WORKFLOW_RATE, limit=1),
        late: QueuePlace(position=1, reason=QueueReason.CAPACITY),
    }


async def test_those_that_wait_for_their_tenants_limit_see_that(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId, app_db: None
) -> None:
    await PostgresTenantLimits(engine_pool).put(tenant, TenantLimits(max_concurrent=1))
    ids = await started(engine_pool, tenant, count=3)
    await claimed(ownership)

    with tenant_scope(tenant):
        places = await Queues(tenant).places(ids)

    reason = QueueReason.TENANT_CONCURRENCY
    assert places == {
        ids[1]: QueuePlace(position=1, reason=reason, limit=1),
        ids[2]: QueuePlace(position=2, reason=reason, limit=1),
    }


async def test_a_sweep_does_not_ring_for_those_that_have_no_room(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId, workflow: WorkflowId
) -> None:
    await activate(engine_pool, tenant, workflow, 1, '{"max": 1}')
    at = utc_now() - timedelta(minutes=1)
    await started(engine_pool, tenant, *(new_execution(workflow=workflow, created_at=at) for _ in range(3)))
    await claimed(ownership)

    assert (await PostgresSweeping(engine_pool).sweep()).forgotten == ()
