"""Lists of tasks and their histories: what is in them, in which order, and where a page goes on."""

from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
import uuid_utils.compat as uuid

from db.connections import EnginePool, tenant_scope
from domain.ids import TenantId
from domain.paging import Page, Place
from domain.tasks import TaskEntry, TaskEntryKind, TaskFilter, TaskRequest, TaskStatus, matches
from domain.tasks_people import Caller
from tests.contract.ledger import NOW, started
from tests.contract.office import HOUR, Office, completed


@pytest.fixture
async def office(engine_pool: EnginePool, tenant: TenantId, app_db: None) -> AsyncGenerator[Office]:
    with tenant_scope(tenant):
        yield Office(tenant=tenant, pool=engine_pool)


async def test_a_history_is_read_in_pages(office: Office) -> None:
    task = await office.opened()
    entries = [
        TaskEntry(id=uuid.uuid7(), task_id=task.id, kind=TaskEntryKind.COMMENTED, by="user_a", at=NOW, comment=text)
        for text in "abc"
    ]
    for entry in entries:
        await office.tasks.note(entry)

    first = await office.tasks.history(task.id, Page(first=2))
    rest = await office.tasks.history(task.id, Page(first=2, after=Place(id=entries[1].id)))

    assert (first.items, first.has_next) == (entries[:2], True)
    assert (rest.items, rest.has_next, rest.has_previous) == (entries[2:], False, True)


ADA = Caller(actor="user_a", person="user_a", names=frozenset({"ada@example.com", "role:viewer"}))
CHIEF = Caller(actor="user_c", person="user_c", names=frozenset({"role:admin"}), manages=True)


@pytest.mark.parametrize(
    "chosen",
    [
        TaskFilter(),
        TaskFilter(mine=ADA),
        TaskFilter(mine=CHIEF),
        TaskFilter(mine=ADA, status=(TaskStatus.OPEN,)),
        TaskFilter(status=(TaskStatus.OPEN,)),
        TaskFilter(status=(TaskStatus.COMPLETED, TaskStatus.WITHDRAWN)),
        TaskFilter(overdue=True),
        TaskFilter(overdue=True, status=(TaskStatus.COMPLETED,)),
    ],
)
async def test_a_list_holds_what_is_in_its_filter_latest_first(office: Office, chosen: TaskFilter) -> None:
    made = [
        await office.opened(assignees=("ada@example.com",), due_at=NOW - 9000 * HOUR),
        await office.opened(assignees=("role:viewer", "role:admin")),
        await office.opened(assignees=("bob@example.com",), due_at=NOW + 9_000_000 * HOUR),
        await office.opened(),
        await office.opened(assignees=("ada@example.com",), due_at=NOW - 9000 * HOUR),
        await office.opened(assignees=("ada@example.com",)),
    ]
    await office.answer(completed(made[4]))
    entry = TaskEntry(id=uuid.uuid7(), task_id=made[5].id, kind=TaskEntryKind.CLAIMED, by="user_b", at=NOW)
    await office.tasks.change(replace(made[5], claimed_by="user_b"), entry)
    stored = [await office.read(task) for task in made]

    found = await office.tasks.page(chosen, Page(first=10))

    expected = [task for task in stored[::-1] if matches(chosen, task, NOW)]
    assert list(found.items) == expected
    assert await office.tasks.count(chosen) == len(expected)


async def test_pages_go_on_where_the_last_one_ended_in_both_directions(office: Office) -> None:
    made = [await office.opened() for _ in range(5)][::-1]

    second = await office.tasks.page(TaskFilter(), Page(first=2, after=Place(id=made[1].id)))
    last = await office.tasks.page(TaskFilter(), Page(last=2))
    before = await office.tasks.page(TaskFilter(), Page(last=2, before=Place(id=made[3].id)))

    assert (list(second.items), second.has_next, second.has_previous) == (made[2:4], True, True)
    assert (list(last.items), last.has_next, last.has_previous) == (made[3:], False, True)
    assert (list(before.items), before.has_next, before.has_previous) == (made[1:3], True, True)


async def test_of_one_execution_its_own_tasks_alone_are_listed(office: Office) -> None:
    (execution,) = await started(office.pool, office.tenant)
    one = await office.desk.open(TaskRequest(execution_id=execution, path="a", title="A"))
    two = await office.desk.open(TaskRequest(execution_id=execution, path="b", title="B"))
    await office.opened()

    found = await office.tasks.page(TaskFilter(execution_id=execution), Page(first=10))

    assert list(found.items) == [two, one]
