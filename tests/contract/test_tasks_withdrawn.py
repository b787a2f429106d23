"""What the journal does to open tasks: withdrawn with the events that make them nobody's, and told when durable."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
from msgspec.structs import replace as changed

from db.connections import EnginePool, tenant_scope
from db.journal import PostgresJournal
from db.journal_relations import Touched
from domain.engine.ports import ExecutionStatus, Finished, LostOwnership
from domain.ids import TaskId, TenantId
from domain.tasks import Task, TaskStatus
from tests.contract.ledger import NOW, append, take_over
from tests.contract.office import Office, completed

BROKEN = [ExecutionStatus.FAILED, ExecutionStatus.CANCELLED]


@pytest.fixture
async def office(engine_pool: EnginePool, tenant: TenantId, app_db: None) -> AsyncGenerator[Office]:
    with tenant_scope(tenant):
        yield Office(tenant=tenant, pool=engine_pool)


@pytest.fixture
def told() -> asyncio.Queue[Touched]:
    return asyncio.Queue()


@pytest.fixture
async def journal(engine_pool: EnginePool, told: asyncio.Queue[Touched]) -> AsyncGenerator[PostgresJournal]:
    journal = PostgresJournal(engine_pool, on_committed=lambda _: None, on_touched=told.put_nowait)
    journal.start()
    yield journal
    await journal.close()


def ended(status: ExecutionStatus) -> Finished:
    return Finished(status=status, output=None, error=None, at=NOW)


async def withdrawn(told: asyncio.Queue[Touched], tenant: TenantId) -> list[TaskId]:
    """The tasks in the next word of what a batch has done."""
    return list((await asyncio.wait_for(told.get(), 10)).withdrawn.get(tenant, ()))


async def statuses(office: Office, *tasks: Task) -> list[TaskStatus]:
    return [(await office.read(task)).status for task in tasks]


@pytest.mark.parametrize("status", BROKEN)
async def test_what_ends_in_the_midst_of_things_leaves_no_open_task(
    office: Office, journal: PostgresJournal, told: asyncio.Queue[Touched], status: ExecutionStatus
) -> None:
    request = await office.request("review")
    first, second = await office.desk.open(request), await office.desk.open(replace(request, path="loop[1].ask"))
    other = await office.opened()
    answered = await office.desk.open(replace(request, path="before"))
    await office.answer(completed(answered))

    await journal.submit(append(request.execution_id, office.tenant, 2, finished=ended(status)))

    gone, kept = TaskStatus.WITHDRAWN, TaskStatus.OPEN
    assert await statuses(office, first, second, other, answered) == [gone, gone, kept, TaskStatus.COMPLETED]
    assert sorted(await withdrawn(told, office.tenant)) == sorted([first.id, second.id])


async def test_the_task_of_a_settled_step_is_withdrawn_and_the_others_are_not(
    office: Office, journal: PostgresJournal, told: asyncio.Queue[Touched]
) -> None:
    request = await office.request("review")
    task, other = await office.desk.open(request), await office.desk.open(replace(request, path="other"))

    await journal.submit(changed(append(request.execution_id, office.tenant, 2), settled=("review",)))

    assert await statuses(office, task, other) == [TaskStatus.WITHDRAWN, TaskStatus.OPEN]
    assert await withdrawn(told, office.tenant) == [task.id]


async def test_who_has_lost_the_execution_withdraws_nothing(
    office: Office, journal: PostgresJournal, told: asyncio.Queue[Touched]
) -> None:
    task = await office.opened()
    await take_over(office.pool, [task.execution_id], epoch=2)

    lost = journal.submit(
        changed(
            append(task.execution_id, office.tenant, 2, finished=ended(ExecutionStatus.FAILED)), settled=("review",)
        )
    )

    with pytest.raises(LostOwnership):
        await lost
    assert await statuses(office, task) == [TaskStatus.OPEN]
    assert await withdrawn(told, office.tenant) == []
