"""The lines that steps wrote, read out of an execution's log."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.engine.events import Event
from domain.engine.outcomes import LogLevel
from domain.executions import LogReader
from domain.ids import ExecutionId
from domain.json import JSON, as_list, as_object

CHUNK = 500
_RANKS = {level: rank for rank, level in enumerate(LogLevel)}

LogPlace = tuple[int, int]
"""Where a line stands: the seq of its event and its index in it."""

BEGINNING: LogPlace = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    place: LogPlace
    at: datetime
    level: LogLevel
    message: str
    data: JSON
    node: str | None
    path: str | None


async def read_entries(
    execution_id: ExecutionId, after: LogPlace, limit: int, level: LogLevel, *, log: LogReader
) -> Sequence[LogEntry]:
    """Up to `limit` lines behind `after` that are at least as grave as `level`, in order."""
    found: list[LogEntry] = []
    seq = max(0, after[0] - 1)  # the event of `after` may hold more lines
    while len(found) < limit:
        events = await log.after(execution_id, seq, CHUNK)
        for event in events:
            found += [line for line in _lines(event) if line.place > after and _RANKS[line.level] >= _RANKS[level]]
            seq = event.seq
        if len(events) < CHUNK:
            break
    return found[:limit]


def _lines(event: Event) -> Iterator[LogEntry]:
    for index, line in enumerate(as_list(event.payload.get("logs"))):
        fields = as_object(line)
        yield LogEntry(
            place=(event.seq, index),
            at=event.at,
            level=LogLevel(str(fields.get("level", LogLevel.INFO))),
            message=str(fields.get("message", "")),
            data=fields.get("data"),
            node=event.node,
            path=event.path,
        )
