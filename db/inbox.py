"""Changes when the rules change by which a message reaches an execution's owner."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from db.json_text import dump
from db.outages import told_as_connection_error
from domain.engine.ports import InboxKind
from domain.ids import ExecutionId, TenantId
from domain.inbox import Posted
from domain.json import JSONObject

if TYPE_CHECKING:
    from db.connections import EnginePool

# Two statements, so that the second sees what the owner had consumed before the first had the row's lock. What an
# owner reads and what letting go looks for is committed under the same lock.
LOCK = """
SELECT id, finished_at IS NOT NULL AS finished FROM execution
WHERE id = ANY ($1::uuid[]) AND tenant_id = $2
ORDER BY id
FOR NO KEY UPDATE
"""
POST = """
WITH message AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY
        AS m (execution_id, kind, key, payload, number)
), taken AS (
    SELECT number, execution_id, kind, key
    FROM message AS m JOIN (VALUES
        ('signal', 'SIGNAL_RECEIVED'), ('variable', 'VARIABLE_SET'), ('cancel', 'CANCEL_REQUESTED'),
        ('pause', 'PAUSED'), ('resume', 'RESUMED'), ('skip', 'STEP_SKIPPED')
    ) AS said (kind, event) USING (kind)
    WHERE EXISTS (
        SELECT FROM execution_event AS e
        WHERE e.execution_id = m.execution_id AND e.kind = said.event AND e.payload ->> 'key' = m.key
    )
), posted AS (
    INSERT INTO execution_inbox (execution_id, tenant_id, kind, key, payload, created_at)
    SELECT m.execution_id, x.tenant_id, m.kind, m.key, m.payload::json, clock_timestamp()
    FROM message AS m JOIN execution AS x ON x.id = m.execution_id
    WHERE x.finished_at IS NULL AND m.number NOT IN (SELECT number FROM taken)
    ORDER BY m.number
    ON CONFLICT DO NOTHING
    RETURNING execution_id, kind, key
), marked AS (
    UPDATE execution AS x
    SET wants_owner = true,
        cancel_requested_at = CASE
            WHEN x.id IN (SELECT execution_id FROM posted WHERE kind = 'cancel')
            THEN coalesce(x.cancel_requested_at, clock_timestamp())
            ELSE x.cancel_requested_at
        END
    WHERE x.id IN (SELECT execution_id FROM posted)
)
SELECT execution_id, kind, key, true AS accepted FROM posted
UNION ALL
SELECT execution_id, kind, key, false FROM taken
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    execution_id: ExecutionId
    kind: InboxKind
    key: str
    payload: JSONObject

    @property
    def identity(self) -> tuple[ExecutionId, str, str]:
        return self.execution_id, self.kind, self.key


class PostgresInbox:
    """`domain.inbox.Inbox`. Raises ConnectionError when PostgreSQL does not answer; then ask again with the same key.

    What an event names as its `key` is not delivered twice, not even after it was consumed: every signal's is, and
    those of other messages whose payload holds it. Without one they may be repeated as soon as the first was consumed.
    """

    def __init__(self, pool: "EnginePool") -> None:
        self._pool = pool

    async def post(
        self, tenant_id: TenantId, execution_id: ExecutionId, kind: InboxKind, key: str, payload: JSONObject
    ) -> Posted:
        message = Message(execution_id=execution_id, kind=kind, key=key, payload=payload)
        (answer,) = await self.post_many(tenant_id, [message])
        return answer

    async def post_many(self, tenant_id: TenantId, messages: Sequence[Message]) -> Sequence[Posted]:
        """All in one transaction, to any number of executions; answers in the order given."""
        with told_as_connection_error():
            async with self._pool.acquire() as connection, connection.transaction():
                rows = await connection.fetch(LOCK, list({each.execution_id for each in messages}), tenant_id)
                finished: dict[ExecutionId, bool] = {row["id"]: row["finished"] for row in rows}
                known = [each for each in messages if each.execution_id in finished]
                answers = await connection.fetch(POST, *_columns(known)) if known else []
        accepted = {(row["execution_id"], row["kind"], row["key"]) for row in answers if row["accepted"]}
        taken = {(row["execution_id"], row["kind"], row["key"]) for row in answers if not row["accepted"]}

        def answer(message: Message) -> Posted:
            if message.execution_id not in finished:
                return Posted.MISSING
            if message.identity in accepted:
                accepted.remove(message.identity)  # the same message again in one call is a repetition
                return Posted.ACCEPTED
            if finished[message.execution_id] and message.identity not in taken:
                return Posted.FINISHED
            return Posted.REPEATED

        return [answer(message) for message in messages]


def _columns(messages: Sequence[Message]) -> tuple[Sequence[object], ...]:
    """The arguments of `POST`."""
    return (
        [each.execution_id for each in messages],
        [each.kind for each in messages],
        [each.key for each in messages],
        [dump(each.payload) for each in messages],
    )
