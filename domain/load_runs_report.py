"""What a load run came to: how fast, how well, and where the time went."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from domain.engine.ports import ExecutionStatus
from domain.json import JSON, JSONObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Milliseconds; None when there is nothing to measure."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTime:
    """The attempts of one node, named as tests name it; milliseconds."""

    node: str
    attempts: int
    total_ms: float
    p50_ms: float
    p95_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """`seconds`: from the first that was begun to the last that is over; `per_second`: of those that are over.

    `errors`: how many failed by each code, the most frequent first. `queue_waits`: from its beginning until a worker
    takes it up; `durations`: from then to its end. `nodes`: the slowest by total and by 95th percentile, by total.
    """

    begun: int = 0
    running: int = 0
    seconds: float = 0.0
    per_second: float | None = None
    statuses: Mapping[ExecutionStatus, int] = field(default_factory=dict[ExecutionStatus, int])
    errors: Mapping[str, int] = field(default_factory=dict[str, int])
    durations: Spread = field(default_factory=Spread)
    queue_waits: Spread = field(default_factory=Spread)
    nodes: Sequence[NodeTime] = ()


def report_to_json(report: LoadReport) -> JSONObject:
    return {**asdict(report), "statuses": {status.value: number for status, number in report.statuses.items()}}


def report_from_json(value: JSON) -> LoadReport | None:
    """The inverse of `report_to_json`; None stays None."""
    document: Any = value
    if document is None:
        return None
    return LoadReport(
        begun=document["begun"],
        running=document["running"],
        seconds=document["seconds"],
        per_second=document["per_second"],
        statuses={ExecutionStatus(status): number for status, number in document["statuses"].items()},
        errors=document["errors"],
        durations=Spread(**document["durations"]),
        queue_waits=Spread(**document["queue_waits"]),
        nodes=[NodeTime(**node) for node in document["nodes"]],
    )
