"""Changes when what an append writes changes: one batch of many executions as one statement and its arguments."""

from asyncio import Future
from collections.abc import Sequence
from dataclasses import dataclass

from db.json_text import dump, dump_or_null
from domain.engine.ports import Append, JournalRefused
from domain.ids import ExecutionId

# All or nothing per execution. The row lock makes the fence exact: whoever claims an execution takes the same lock to
# raise its epoch, so an append sees that or comes before it. The log's key is the second fence, and what makes
# sending a batch again harmless. The rows are locked by themselves: one that is joined and sorted may get lost when it
# was changed while its lock was waited for, since PostgreSQL then looks at the other side of the join again too.
# `NOT IN` because it is always hashed, where a join may become a nested loop over thousands of rows: the plan is made
# once, before anybody knows how many there will be.
APPEND = """
WITH event AS (
    SELECT * FROM unnest(
        $1::uuid[], $2::bigint[], $3::uuid[], $4::int[], $5::text[], $6::text[], $7::text[], $8::int[], $9::text[],
        $10::timestamptz[], $11::boolean[]
    ) AS e (execution_id, seq, tenant_id, epoch, kind, node, path, attempt, payload, at, first)
), locked AS MATERIALIZED (
    SELECT id, epoch FROM execution WHERE id = ANY ($1::uuid[]) AND finished_at IS NULL
    ORDER BY id FOR NO KEY UPDATE
), head AS (
    INSERT INTO execution_event
        (execution_id, seq, tenant_id, epoch, kind, node, path, attempt, payload, at)
    SELECT e.execution_id, e.seq, e.tenant_id, e.epoch, e.kind, e.node, e.path, e.attempt, e.payload::json, e.at
    FROM event AS e
    JOIN locked AS x ON x.id = e.execution_id AND x.epoch = e.epoch
    WHERE e.first
    ON CONFLICT DO NOTHING
    RETURNING execution_id
), refused AS (
    SELECT execution_id FROM event WHERE first AND execution_id NOT IN (SELECT execution_id FROM head)
), rest AS (
    INSERT INTO execution_event
        (execution_id, seq, tenant_id, epoch, kind, node, path, attempt, payload, at)
    SELECT execution_id, seq, tenant_id, epoch, kind, node, path, attempt, payload::json, at
    FROM event
    WHERE NOT first AND execution_id NOT IN (SELECT execution_id FROM refused)
), consumed AS (
    DELETE FROM execution_inbox
    WHERE id = ANY ($12::bigint[]) AND execution_id NOT IN (SELECT execution_id FROM refused)
), changed AS (
    UPDATE execution AS x
    SET status = c.status,
        output = c.output::json,
        error = c.error::json,
        finished_at = c.finished_at,
        owner = CASE WHEN c.finished_at IS NULL THEN x.owner END,
        wants_owner = x.wants_owner AND c.finished_at IS NULL
    FROM unnest($13::uuid[], $14::text[], $15::text[], $16::text[], $17::timestamptz[])
        AS c (id, status, output, error, finished_at)
    WHERE x.id = c.id AND c.id NOT IN (SELECT execution_id FROM refused)
    RETURNING x.id, x.finished_at
), finished AS (
    SELECT id FROM changed WHERE finished_at IS NOT NULL
), no_wake_up AS (
    DELETE FROM wake_up USING finished WHERE execution_id = finished.id
), no_state AS (
    DELETE FROM execution_state USING finished WHERE execution_id = finished.id
), no_inbox AS (
    DELETE FROM execution_inbox USING finished WHERE execution_id = finished.id
)
SELECT execution_id FROM refused
"""

WRITTEN = """
SELECT execution_id
FROM unnest($1::uuid[], $2::bigint[], $3::int[]) AS head (execution_id, seq, epoch)
JOIN execution_event USING (execution_id, seq, epoch)
"""
"""Which of these heads are in the log, written in the same ownership: that is, by this process."""

GIVE_BACK = """
UPDATE execution SET owner = NULL, wants_owner = true, epoch = epoch + 1
WHERE id = $1 AND epoch = $2 AND finished_at IS NULL
"""


@dataclass(slots=True, eq=False)
class Entry:
    """An append on its way: its JSON as text, its rough size in bytes, who waits for it.

    `unwritable`: why there is no such text; it is found out when its turn comes, behind what was queued before it.
    """

    append: Append
    durable: "Future[None]"
    payloads: Sequence[str] = ()
    output: str | None = None
    error: str | None = None
    size: int = 0
    unwritable: str | None = None


def entry(append: Append, durable: "Future[None]") -> Entry:
    """Raises ValueError for an append without events."""
    if not append.events:
        raise ValueError("an append has at least one event")
    item = Entry(append, durable)
    try:
        item.payloads = [dump(event.payload) for event in append.events]
        if append.finished is not None:
            item.output = dump_or_null(append.finished.output)
            item.error = dump_or_null(append.finished.error)
    except (TypeError, ValueError, RecursionError) as problem:
        item.unwritable = f"It cannot be written as JSON: {problem}"
    item.size = sum(map(len, item.payloads)) + len(item.output or "")
    return item


def arguments(batch: Sequence[Entry]) -> tuple[Sequence[object], ...]:
    """Those of APPEND. Entries of one execution are contiguous in seq and of one epoch.

    Raises JournalRefused when something cannot be written.
    """
    events: list[tuple[object, ...]] = []
    consumed: list[int] = []
    changes: dict[ExecutionId, tuple[object, ...]] = {}
    begun: set[ExecutionId] = set()
    for item in batch:
        if item.unwritable is not None:
            raise JournalRefused(item.unwritable)
        append = item.append
        events += _rows(item, first=append.execution_id not in begun)
        begun.add(append.execution_id)
        consumed += append.consumed
        if append.finished is not None or append.status is not None:
            changes[append.execution_id] = _change(item)
    return (*zip(*events, strict=True), consumed, *(zip(*changes.values(), strict=True) if changes else ((),) * 5))


def heads(batch: Sequence[Entry]) -> tuple[Sequence[object], ...]:
    """The arguments of WRITTEN: each execution's first row in the batch."""
    first: dict[ExecutionId, tuple[object, ...]] = {}
    for append in (item.append for item in batch):
        first.setdefault(append.execution_id, (append.execution_id, append.events[0].seq, append.epoch))
    return tuple(zip(*first.values(), strict=True))


def _rows(item: Entry, *, first: bool) -> list[tuple[object, ...]]:
    """One per event, in the order of the log's columns; `first` is whether the first of them is its execution's."""
    execution, tenant, epoch = item.append.execution_id, item.append.tenant_id, item.append.epoch
    begins = item.append.events[0].seq if first else None
    return [
        (
            execution,
            event.seq,
            tenant,
            epoch,
            event.kind,
            event.node,
            event.path,
            event.attempt,
            payload,
            event.at,
            event.seq == begins,
        )
        for event, payload in zip(item.append.events, item.payloads, strict=True)
    ]


def _change(item: Entry) -> tuple[object, ...]:
    finished = item.append.finished
    if finished is None:
        return (item.append.execution_id, item.append.status, None, None, None)
    return (item.append.execution_id, finished.status, item.output, item.error, finished.at)
