"""Changes when what completing a task commits changes."""

from typing import TYPE_CHECKING

from db.inbox import LOCK, POST
from db.json_text import dump, dump_or_null
from db.outages import told_as_connection_error
from domain.engine.ports import InboxKind
from domain.ids import TenantId, encode
from domain.json import JSON, JSONObject
from domain.tasks import Answered, Task

if TYPE_CHECKING:
    from db.connections import EnginePool

_COMPLETE = """
UPDATE task
SET status = 'COMPLETED', decision = $4, output = $5::json, comment = $6, decided_by = $7, decided_at = $8,
    updated_at = $8, signed_by = $9, signature = $10, revision = revision + 1
WHERE tenant_id = $1 AND id = $2 AND revision = $3 AND status = 'OPEN'
RETURNING id
"""


class PostgresTaskAnswers:
    """`domain.tasks.TaskAnswers`. Raises ConnectionError when PostgreSQL does not answer; the same may be asked again.

    The signal's key is the task's id, so the execution hears one answer, whatever is repeated.
    """

    def __init__(self, pool: "EnginePool") -> None:
        self._pool = pool

    async def store(self, tenant_id: TenantId, completed: Task, answer: JSONObject) -> Answered:
        execution_id = completed.execution_id
        message: dict[str, JSON] = {"name": completed.signal, "payload": answer, "by": completed.decided_by}
        with told_as_connection_error():
            async with self._pool.acquire() as connection, connection.transaction():
                row = await connection.fetchrow(LOCK, [execution_id], tenant_id)
                if row is None or row["finished"]:
                    return Answered.OVER
                if await connection.fetchval(_COMPLETE, *_columns(tenant_id, completed)) is None:
                    return Answered.CHANGED
                key = encode("task", completed.id)
                await connection.execute(POST, [execution_id], [InboxKind.SIGNAL], [key], [dump(message)])
        return Answered.STORED


def _columns(tenant_id: TenantId, completed: Task) -> tuple[object, ...]:
    """The arguments of `_COMPLETE`."""
    signature = completed.signature
    return (
        tenant_id,
        completed.id,
        completed.revision,
        completed.decision,
        dump_or_null(completed.output),
        completed.comment,
        completed.decided_by,
        completed.decided_at,
        signature.by if signature else None,
        signature.digest if signature else None,
    )
