"""Executions that wait for people: each answer takes its way, none is lost, and time runs out when it should."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
import uuid_utils.compat as uuid

from app.clock import utc_now
from db.tasks import SELECT, task_of
from db.tasks_answers import PostgresTaskAnswers
from db.tasks_desk import PostgresTaskDesk
from domain.engine.events import EventKind
from domain.engine.ports import ExecutionStatus, InboxKind
from domain.graphs import Definition, Node
from domain.ids import ExecutionId, TenantId
from domain.json import JSON
from domain.tasks import Answered, Task, TaskDecision, TaskRequest, TaskStatus
from domain.tasks_complete import answer_json
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import flow, step
from tests.contract.ledger import until

pytest_plugins = ["tests.contract.engine_fixture"]


class Nobody:
    """A `TaskAnnouncer`: nobody watches."""

    def announce_tasks(self, tenant_id: TenantId, ids: object) -> None: ...


def asking(**config: Any) -> Definition:
    """Ends with `[way, what came]`."""
    return flow(
        step("review", "approval", title="Go?", **config),
        *(step(way, "end", output=[way, "{{ input }}"]) for way in ("yes", "no", "late")),
        "start > review:approved > yes",
        "review:rejected > no",
        "review:timeout > late",
    )


async def task_of_execution(room: EngineRoom, execution: ExecutionId, path: str = "review") -> Task:
    """The task, once there is one."""
    condition = "execution_id = $1 AND path = $2"
    await until(room.pool, f"SELECT count(*) = 1 FROM task WHERE {condition}", execution, path)
    row: Any = await room.pool.fetchrow(SELECT + condition, execution, path)
    return task_of(dict(row))


async def answered(
    room: EngineRoom, task: Task, decision: TaskDecision = TaskDecision.APPROVED, *, ring: bool = True
) -> tuple[Answered, JSON]:
    """Whether the answer was stored, and what the execution is told."""
    now = utc_now()
    done = replace(
        task,
        status=TaskStatus.COMPLETED,
        decision=decision,
        output={"n": 1},
        decided_by="user_a",
        decided_at=now,
        updated_at=now,
    )
    tenant: Any = await room.pool.fetchval("SELECT tenant_id FROM task WHERE id = $1", task.id)
    stored = await PostgresTaskAnswers(room.pool).store(tenant, done, answer_json(done))
    if ring:
        await room.doorbell.ring(tenant, [task.execution_id])
    return stored, answer_json(done)


@pytest.mark.parametrize(("decision", "way"), [(TaskDecision.APPROVED, "yes"), (TaskDecision.REJECTED, "no")])
async def test_an_answer_takes_its_way_after_the_execution_was_let_go(
    engine: EngineRoom, decision: TaskDecision, way: str
) -> None:
    execution = await engine.run(asking(timeout=3600))
    await engine.let_go(execution)

    stored, told = await answered(engine, await task_of_execution(engine, execution), decision)

    assert stored is Answered.STORED
    assert await engine.ending(execution) == Ending(status="COMPLETED", output=[way, told])
    received = await engine.event(execution, EventKind.SIGNAL_RECEIVED)
    assert (received.payload["name"], received.payload["by"]) == ("task:review", "user_a")


async def test_without_an_answer_the_timeout_is_taken_and_a_late_one_is_refused(engine: EngineRoom) -> None:
    execution = await engine.run(asking(timeout=0.2), {"n": 5})

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=["late", {"n": 5}])
    task = await task_of_execution(engine, execution)
    assert task.status is TaskStatus.EXPIRED
    assert (await answered(engine, task))[0] is Answered.OVER


async def test_a_late_answer_is_refused_while_the_execution_goes_on(engine: EngineRoom) -> None:
    definition = flow(
        step("review", "approval", title="Go?", timeout=0.2),
        step("hold", "wait", signal="go"),
        "start > review:timeout > hold",
    )
    execution = await engine.run(definition)
    await engine.event(execution, EventKind.STEP_COMPLETED, "review")

    assert (await answered(engine, await task_of_execution(engine, execution)))[0] is Answered.CHANGED

    await engine.signal(execution, "go", 1)
    assert await engine.ending(execution) == Ending(status="COMPLETED", output=1)


async def test_a_due_task_is_handed_on_and_waited_for_again(engine: EngineRoom) -> None:
    execution = await engine.run(asking(due=0.2, escalateTo=["eve@example.com"], assignees=["ada@example.com"]))
    await engine.event(execution, EventKind.WAITING, "review", count=2)

    task = await task_of_execution(engine, execution)
    _, told = await answered(engine, task)

    assert (task.assignees, task.escalated_at is not None) == (("eve@example.com",), True)
    assert await engine.ending(execution) == Ending(status="COMPLETED", output=["yes", told])


async def test_what_was_handed_on_and_still_not_answered_times_out(engine: EngineRoom) -> None:
    execution = await engine.run(asking(due=0.1, timeout=0.3, escalateTo=["eve@example.com"]), 5)

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=["late", 5])
    task = await task_of_execution(engine, execution)
    assert (task.status, task.assignees) == (TaskStatus.EXPIRED, ("eve@example.com",))


async def test_a_step_that_is_run_again_after_a_crash_finds_its_task_and_its_answer(room: EngineRoom) -> None:
    published = await room.publish(asking())
    execution = await room.start(published, ring=False)
    desk = PostgresTaskDesk(room.pool, published.tenant_id, announcer=Nobody(), ids=uuid.uuid7, clock=utc_now)
    task = await desk.open(TaskRequest(execution_id=execution, path="review", title="Go?"))
    _, told = await answered(room, task)

    async with room.running():
        assert await room.ending(execution) == Ending(status="COMPLETED", output=["yes", told])

    assert (await task_of_execution(room, execution)).id == task.id


async def test_an_answer_that_comes_before_the_wait_is_recorded_is_kept_for_it(room: EngineRoom) -> None:
    published = await room.publish(asking())
    execution = await room.start(published, ring=False)
    told: JSON = {"decision": "approved", "by": "user_a"}
    await room.signal(execution, "task:review", told, ring=False)

    async with room.running():
        assert await room.ending(execution) == Ending(status="COMPLETED", output=["yes", told])


async def test_an_answer_that_comes_while_the_clock_is_looked_at_is_heard(engine: EngineRoom) -> None:
    execution = await engine.run(asking(due=0.5, escalateTo=["eve@example.com"]))
    task = await task_of_execution(engine, execution)
    told: JSON = {"decision": "approved", "by": "user_a"}

    async with engine.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT id FROM task WHERE id = $1 FOR UPDATE", task.id)
        blocked = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')"
        await until(engine.pool, blocked)
        await engine.signal(execution, "task:review", told)
        await engine.event(execution, EventKind.SIGNAL_RECEIVED)

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=["yes", told])


async def test_an_answer_whose_ring_was_lost_is_found_all_the_same(engine: EngineRoom) -> None:
    execution = await engine.run(asking())
    await engine.let_go(execution)
    _, told = await answered(engine, await task_of_execution(engine, execution), ring=False)

    await engine.sweep()

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=["yes", told])


async def test_each_generation_and_branch_asks_for_itself(engine: EngineRoom) -> None:
    execution = await engine.run(
        flow(
            step("first", "approval", title="One?"),
            Node(id="second", kind="approval", config={"title": "Two?", "kind": "entry"}),
            step("both", "merge"),
            "start > first:approved > both",
            "start > second:approved > both",
        )
    )
    _, two = await answered(engine, await task_of_execution(engine, execution, "second"))
    _, one = await answered(engine, await task_of_execution(engine, execution, "first"))

    assert await engine.ending(execution) == Ending(status="COMPLETED", output={"first": one, "second": two})


async def test_a_paused_execution_keeps_its_answer(engine: EngineRoom) -> None:
    execution = await engine.run(asking())
    await engine.let_go(execution)
    await engine.post(execution, InboxKind.PAUSE)
    await engine.let_go(execution, ExecutionStatus.PAUSED)
    _, told = await answered(engine, await task_of_execution(engine, execution))
    await engine.event(execution, EventKind.SIGNAL_RECEIVED)

    await engine.post(execution, InboxKind.RESUME)

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=["yes", told])


@pytest.mark.parametrize("how", ["cancelled", "skipped", "race lost"])
async def test_a_task_that_is_not_needed_any_more_is_withdrawn(engine: EngineRoom, how: str) -> None:
    race = flow(
        step("review", "approval", title="Go?"),
        step("other", "wait", signal="other"),
        step("first", "merge", mode="any"),
        step("hold", "wait", signal="go"),
        "start > review:approved > first > hold",
        "start > other > first",
    )
    execution = await engine.run(race)
    task = await task_of_execution(engine, execution)
    await engine.let_go(execution)

    match how:
        case "cancelled":
            await engine.post(execution, InboxKind.CANCEL)
        case "skipped":
            await engine.post(execution, InboxKind.SKIP, {"path": "review", "output": 1})
        case _:
            await engine.signal(execution, "other", 1)

    await until(engine.pool, "SELECT status = 'WITHDRAWN' FROM task WHERE id = $1", task.id)
    assert (await answered(engine, task))[0] in (Answered.CHANGED, Answered.OVER)


async def test_the_log_says_who_decided(engine: EngineRoom) -> None:
    execution = await engine.run(asking())
    await answered(engine, await task_of_execution(engine, execution))
    await engine.over(execution)

    done = await engine.event(execution, EventKind.STEP_COMPLETED, "review")

    assert orjson.loads(orjson.dumps(done.payload["decision"])) == {"decision": "approved", "by": "user_a"}
