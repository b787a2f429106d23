"""Tasks in the database: one per activation, one answer each, and gone with what needed them."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
import uuid_utils.compat as uuid

from db.connections import EnginePool, tenant_scope
from db.tasks import Tasks
from domain.ids import TenantId, UserId, encode
from domain.json import JSON
from domain.paging import Page
from domain.tasks import Answered, Task, TaskEntry, TaskEntryKind, TaskKind, TaskSignature, TaskStatus
from tests.contract.ledger import NOW, Row, row_of
from tests.contract.office import HOUR, Office, completed
from tests.databases import make_tenant

WITHDRAW = """
UPDATE task SET status = 'WITHDRAWN', updated_at = clock_timestamp(), revision = revision + 1
FROM unnest($1::uuid[], $2::text[]) AS gone (execution_id, path)
WHERE task.execution_id = gone.execution_id AND task.path = gone.path AND task.status = 'OPEN'
RETURNING task.tenant_id, task.id
"""
FINISH = "UPDATE execution SET status = 'COMPLETED', finished_at = now(), owner = NULL WHERE id = $1"


@pytest.fixture
async def office(engine_pool: EnginePool, tenant: TenantId, app_db: None) -> AsyncGenerator[Office]:
    with tenant_scope(tenant):
        yield Office(tenant=tenant, pool=engine_pool)


async def test_a_task_is_kept_as_it_was_asked_for(office: Office) -> None:
    request = await office.request(
        kind=TaskKind.ENTRY,
        description="Why",
        form={"type": "object", "b": 1, "a": 2},
        data=[{"z": 1}],
        assignees=("role:admin", "ada@example.com"),
        due_at=NOW + HOUR,
        expires_at=NOW + 2 * HOUR,
        escalate_to=("eve@example.com",),
        signature=True,
    )

    task = await office.desk.open(request)

    assert task == Task(
        id=task.id,
        execution_id=request.execution_id,
        path="review",
        kind=TaskKind.ENTRY,
        title="Release?",
        description="Why",
        form={"type": "object", "b": 1, "a": 2},
        data=[{"z": 1}],
        assignees=("role:admin", "ada@example.com"),
        escalate_to=("eve@example.com",),
        needs_signature=True,
        due_at=NOW + HOUR,
        expires_at=NOW + 2 * HOUR,
        created_at=NOW,
        updated_at=NOW,
    )
    assert await office.read(task) == task
    assert list(task.form) == ["type", "b", "a"]
    assert office.announced.ids == [task.id]


async def test_a_step_that_is_run_again_finds_its_task(office: Office) -> None:
    request = await office.request()

    tasks = await asyncio.gather(*(office.desk.open(request) for _ in range(5)))
    later = await office.desk.open(replace(request, title="Another", assignees=("role:admin",)))
    other = await office.desk.open(replace(request, path="review#2"))

    assert tasks == [tasks[0]] * 5
    assert later == tasks[0]
    assert other.id != tasks[0].id
    assert office.announced.ids == [tasks[0].id, other.id]


async def test_no_task_is_opened_for_an_execution_that_is_over_or_another_tenants(office: Office) -> None:
    over, theirs = await office.request(), await office.request()
    await office.pool.execute(FINISH, over.execution_id)
    stranger = Office(tenant=await make_tenant(office.pool), pool=office.pool)

    for desk, request in ((office.desk, over), (stranger.desk, theirs)):
        with pytest.raises(LookupError):
            await desk.open(request)

    assert await office.pool.fetchval("SELECT count(*) FROM task WHERE tenant_id = $1", office.tenant) == 0


async def test_a_due_task_is_handed_on_once_with_an_entry_and_then_ends(office: Office) -> None:
    task = await office.opened(due_at=NOW + HOUR, expires_at=NOW + 2 * HOUR, escalate_to=("eve@example.com",))

    async def look(hours: float) -> Task:
        return await office.desk.look(task.execution_id, task.path, NOW + hours * HOUR)

    assert await look(0.5) == task
    handed_on = await look(1)
    assert handed_on == replace(
        task, assignees=("eve@example.com",), escalated_at=NOW + HOUR, updated_at=NOW + HOUR, revision=2
    )
    assert await look(1.5) == handed_on
    over = await look(2)
    assert over == replace(handed_on, status=TaskStatus.EXPIRED, updated_at=NOW + 2 * HOUR, revision=3)
    assert await look(3) == over

    (entry,) = (await office.tasks.history(task.id, Page(first=10))).items
    assert entry == TaskEntry(
        id=entry.id,
        task_id=task.id,
        kind=TaskEntryKind.ESCALATED,
        by=None,
        at=NOW + HOUR,
        assignees=("eve@example.com",),
    )
    assert office.announced.ids == [task.id] * 3


async def test_an_answer_is_stored_and_posted_in_one_commit(office: Office) -> None:
    task = await office.opened()
    await office.pool.execute("UPDATE execution SET owner = NULL, status = 'WAITING' WHERE id = $1", task.execution_id)

    assert await office.answer(completed(task)) is Answered.STORED

    assert await office.read(task) == replace(completed(task), revision=2)
    answer: JSON = {
        "decision": "approved",
        "data": {"z": 1, "a": None},
        "comment": "fine",
        "by": "user_a",
        "at": (NOW + HOUR).isoformat(),
    }
    message: JSON = {"name": "task:review", "payload": answer, "by": "user_a"}
    assert await office.inbox(task.execution_id) == [("signal", encode("task", task.id), message)]
    assert await row_of(office.pool, task.execution_id) == Row(status="WAITING", epoch=1, owned=False, wants_owner=True)


async def test_of_many_who_answer_at_once_one_is_heard(office: Office) -> None:
    task = await office.opened()

    answers = await asyncio.gather(*(office.answer(completed(task, by=f"user_{number}")) for number in range(8)))

    assert sorted(answers) == [*[Answered.CHANGED] * 7, Answered.STORED]
    winner = (await office.read(task)).decided_by
    assert [message[2]["by"] for message in await office.inbox(task.execution_id)] == [winner]


async def test_an_answer_to_what_has_changed_since_is_not_stored(office: Office) -> None:
    task = await office.opened(assignees=("ada@example.com",))
    entry = TaskEntry(id=uuid.uuid7(), task_id=task.id, kind=TaskEntryKind.DELEGATED, by="user_a", at=NOW)
    assert await office.tasks.change(replace(task, assignees=("bob@example.com",)), entry)

    assert await office.answer(completed(task)) is Answered.CHANGED

    assert (await office.read(task)).status is TaskStatus.OPEN
    assert await office.inbox(task.execution_id) == []


async def test_an_answer_that_comes_when_the_time_is_over_is_not_stored(office: Office) -> None:
    task = await office.opened(expires_at=NOW + HOUR)
    expired = await office.desk.look(task.execution_id, task.path, NOW + HOUR)

    assert await office.answer(completed(task)) is Answered.CHANGED
    assert await office.answer(completed(expired)) is Answered.CHANGED
    assert await office.inbox(task.execution_id) == []


async def test_time_and_answer_never_both_win(office: Office) -> None:
    tasks = [await office.opened(expires_at=NOW + HOUR) for _ in range(10)]

    results = await asyncio.gather(
        *(office.desk.look(task.execution_id, task.path, NOW + HOUR) for task in tasks),
        *(office.answer(completed(task)) for task in tasks),
    )

    for task, seen, answered in zip(tasks, results[:10], results[10:], strict=True):
        stored, heard = await office.read(task), await office.inbox(task.execution_id)
        assert (stored.status is TaskStatus.COMPLETED, len(heard)) == (
            (True, 1) if answered is Answered.STORED else (False, 0)
        )
        assert isinstance(seen, Task)
        assert stored.status is (TaskStatus.COMPLETED if answered is Answered.STORED else TaskStatus.EXPIRED)
        assert seen.status is stored.status


async def test_an_answer_to_an_execution_that_is_over_or_another_tenants_is_not_stored(office: Office) -> None:
    task, theirs = await office.opened(), await office.opened()
    await office.pool.execute(FINISH, task.execution_id)
    stranger = Office(tenant=await make_tenant(office.pool), pool=office.pool)

    assert await office.answer(completed(task)) is Answered.OVER
    assert await stranger.answer(completed(theirs)) is Answered.OVER

    assert [(await office.read(each)).status for each in (task, theirs)] == [TaskStatus.OPEN] * 2
    assert await office.inbox(theirs.execution_id) == []


async def test_a_signature_is_kept_and_nothing_is_completed_without_the_one_it_needs(office: Office) -> None:
    task = await office.opened(signature=True)
    signature = TaskSignature(by=UserId(uuid.uuid7()), digest="ab" * 32)

    with pytest.raises(Exception, match="task_signed"):
        await office.answer(completed(task))
    assert await office.inbox(task.execution_id) == []

    assert await office.answer(replace(completed(task), signature=signature)) is Answered.STORED
    assert (await office.read(task)).signature == signature


async def test_what_is_withdrawn_leaves_the_inboxes_and_takes_no_answer(office: Office) -> None:
    gone, kept = await office.opened(path="a"), await office.opened(path="b")
    answered = await office.opened(path="c")
    await office.answer(completed(answered))
    targets = [gone.execution_id, kept.execution_id, answered.execution_id], ["a", "other", "c"]

    rows = await office.pool.fetch(WITHDRAW, *targets)

    assert [(row["tenant_id"], row["id"]) for row in rows] == [(office.tenant, gone.id)]
    found = [await office.read(task) for task in (gone, kept, answered)]
    assert [task.status for task in found] == [TaskStatus.WITHDRAWN, TaskStatus.OPEN, TaskStatus.COMPLETED]
    assert await office.answer(completed(gone)) is Answered.CHANGED
    assert await office.answer(completed(found[0])) is Answered.CHANGED


async def test_withdrawing_reads_the_index_of_open_tasks_alone(office: Office) -> None:
    async with office.pool.acquire() as connection:
        await connection.execute("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off")
        plan = await connection.fetch("EXPLAIN " + WITHDRAW, [uuid.uuid7()], ["a"])
        await connection.execute("RESET plan_cache_mode; RESET enable_seqscan")

    assert "task_open_of_execution" in "\n".join(row[0] for row in plan)


async def test_only_an_open_task_as_it_was_read_can_be_changed(office: Office) -> None:
    task = await office.opened()

    def entry(comment: str) -> TaskEntry:
        return TaskEntry(
            id=uuid.uuid7(),
            task_id=task.id,
            kind=TaskEntryKind.CLAIMED,
            by="user_a",
            at=NOW + HOUR,
            assignees=("x",),
            comment=comment,
        )

    first = entry("first")
    claimed = replace(task, claimed_by="user_a", updated_at=NOW + HOUR)

    assert await office.tasks.change(claimed, first) is True
    assert await office.tasks.change(replace(task, claimed_by="user_b"), entry("second")) is False
    with tenant_scope(stranger := await make_tenant(office.pool)):
        assert await Tasks(stranger).change(replace(claimed, revision=2), entry("third")) is False
        assert await Tasks(stranger).by_ids([task.id]) == []
        assert (await Tasks(stranger).history(task.id, Page(first=5))).items == []

    assert await office.read(task) == replace(claimed, revision=2)
    assert (await office.tasks.history(task.id, Page(first=5))).items == [first]
