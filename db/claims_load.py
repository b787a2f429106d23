"""Changes when a new owner needs to know something else of the executions it takes over."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import asyncpg
import orjson

from domain.engine.events import Event, EventKind
from domain.engine.ports import Claimed, InboxKind, InboxMessage
from domain.ids import ExecutionId, VersionId
from domain.json import JSON

if TYPE_CHECKING:
    from db.connections import Connection

_STATES = "SELECT execution_id, seq, state FROM execution_state WHERE execution_id = ANY ($1::uuid[])"
# LATERAL and sorted within, so that each execution is looked up by key: planned as a plain join this reads the whole
# log where the planner takes executions to be long.
_EVENTS = """
SELECT e.execution_id, e.seq, e.epoch, e.kind, e.node, e.path, e.attempt, e.payload, e.at
FROM unnest($1::uuid[], $2::bigint[]) AS after (execution_id, seq)
CROSS JOIN LATERAL (
    SELECT * FROM execution_event
    WHERE execution_id = after.execution_id AND seq > after.seq
    ORDER BY seq
) AS e
ORDER BY e.execution_id, e.seq
"""
_INBOX = (
    "SELECT id, execution_id, kind, key, payload FROM execution_inbox WHERE execution_id = ANY ($1::uuid[]) ORDER BY id"
)


async def load(connection: "Connection", rows: Sequence[asyncpg.Record]) -> list[Claimed]:
    """What continuing these rows of `execution` needs, in their order."""
    if not rows:
        return []
    ids: list[ExecutionId] = [row["id"] for row in rows]
    states = await _states(connection, {row["id"]: row["version_id"] for row in rows if row["epoch"] > 1})
    after = [states[execution][0] if execution in states else 0 for execution in ids]
    events: dict[ExecutionId, list[Event]] = defaultdict(list)
    for row in await connection.fetch(_EVENTS, ids, after):
        events[row["execution_id"]].append(_event(row))
    inbox: dict[ExecutionId, list[InboxMessage]] = defaultdict(list)
    for message in messages(await connection.fetch(_INBOX, ids)):
        inbox[message.execution_id].append(message)
    return [
        Claimed(
            execution_id=row["id"],
            tenant_id=row["tenant_id"],
            workflow_id=row["workflow_id"],
            version_id=row["version_id"],
            epoch=row["epoch"],
            priority=row["priority"],
            snapshot=states[row["id"]][1] if row["id"] in states else None,
            snapshot_seq=seq,
            events=events[row["id"]],
            inbox=inbox[row["id"]],
        )
        for row, seq in zip(rows, after, strict=True)
    ]


def messages(rows: Iterable[asyncpg.Record]) -> list[InboxMessage]:
    return [
        InboxMessage(
            id=row["id"],
            execution_id=row["execution_id"],
            kind=InboxKind(row["kind"]),
            key=row["key"],
            payload=orjson.loads(row["payload"]),
        )
        for row in rows
    ]


async def _states(
    connection: "Connection", versions: Mapping[ExecutionId, VersionId]
) -> dict[ExecutionId, tuple[int, JSON]]:
    """Snapshots with their seq; only an execution that was owned before can have one.

    One made with another version than the execution has now is none: it came later than that was changed.
    """
    if not versions:
        return {}
    states: dict[ExecutionId, tuple[int, JSON]] = {}
    for row in await connection.fetch(_STATES, list(versions)):
        execution, state = ExecutionId(row["execution_id"]), orjson.loads(row["state"])
        if state.get("version", str(versions[execution])) == str(versions[execution]):
            states[execution] = row["seq"], state
    return states


def _event(row: asyncpg.Record) -> Event:
    return Event(
        seq=row["seq"],
        kind=EventKind(row["kind"]),
        at=row["at"],
        epoch=row["epoch"],
        node=row["node"],
        path=row["path"],
        attempt=row["attempt"],
        payload=orjson.loads(row["payload"]),
    )
