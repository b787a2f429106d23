"""A tenant's tasks in the database, seen from all sides: changes when tests need another grip on them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import orjson
import uuid_utils.compat as uuid

from db.connections import EnginePool
from db.tasks import Tasks
from db.tasks_answers import PostgresTaskAnswers
from db.tasks_desk import PostgresTaskDesk
from domain.ids import ExecutionId, TaskId, TenantId
from domain.tasks import Answered, Task, TaskDecision, TaskRequest, TaskStatus
from domain.tasks_complete import answer_json
from tests.contract.ledger import NOW, owned

HOUR = timedelta(hours=1)


@dataclass
class Announced:
    """A `TaskAnnouncer` that remembers."""

    ids: list[TaskId] = field(default_factory=list[TaskId])

    def announce_tasks(self, tenant_id: TenantId, ids: Sequence[TaskId]) -> None:
        self.ids += ids


@dataclass(frozen=True, kw_only=True)
class Office:
    """One tenant's tasks, seen from all sides."""

    tenant: TenantId
    pool: EnginePool
    announced: Announced = field(default_factory=Announced)

    @property
    def desk(self) -> PostgresTaskDesk:
        return PostgresTaskDesk(self.pool, self.tenant, announcer=self.announced, ids=uuid.uuid7, clock=lambda: NOW)

    @property
    def tasks(self) -> Tasks:
        return Tasks(self.tenant)

    async def request(self, path: str = "review", **given: Any) -> TaskRequest:
        (execution,) = await owned(self.pool, self.tenant)
        return TaskRequest(execution_id=execution, path=path, title="Release?", **given)

    async def opened(self, **given: Any) -> Task:
        return await self.desk.open(await self.request(**given))

    async def read(self, task: Task) -> Task:
        (found,) = await self.tasks.by_ids([task.id])
        return found

    async def answer(self, completed: Task) -> Answered:
        return await PostgresTaskAnswers(self.pool).store(self.tenant, completed, answer_json(completed))

    async def inbox(self, execution: ExecutionId) -> list[tuple[str, str, Any]]:
        rows = await self.pool.fetch(
            "SELECT kind, key, payload::text AS payload FROM execution_inbox WHERE execution_id = $1", execution
        )
        return [(row["kind"], row["key"], orjson.loads(row["payload"])) for row in rows]


def completed(task: Task, by: str = "user_a", decision: TaskDecision = TaskDecision.APPROVED) -> Task:
    return replace(
        task,
        status=TaskStatus.COMPLETED,
        decision=decision,
        output={"z": 1, "a": None},
        comment="fine",
        decided_by=by,
        decided_at=NOW + HOUR,
        updated_at=NOW + HOUR,
    )
