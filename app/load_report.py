"""What `weir test-workflow --load` prints, and how it ends: for people and as JSON."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from app.run_result import INTERRUPTED
from domain.engine.ports import ExecutionStatus
from domain.json import JSONObject
from domain.load_runs_report import LoadReport, Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadEnd:
    workflow: str
    case: str
    report: LoadReport
    interrupted: bool = False

    @property
    def exit_status(self) -> int:
        if self.interrupted:
            return INTERRUPTED
        return 0 if set(self.report.statuses) <= {ExecutionStatus.COMPLETED} else 1


def as_json(end: LoadEnd) -> str:
    report = end.report
    described: JSONObject = {
        "workflow": end.workflow,
        "case": end.case,
        "begun": report.begun,
        "running": report.running,
        "seconds": report.seconds,
        "perSecond": report.per_second,
        "statuses": {status.value: number for status, number in report.statuses.items()},
        "errors": report.errors,
        "durations": _times(report.durations),
        "queueWaits": _times(report.queue_waits),
        "nodes": [
            {
                "node": node.node,
                "attempts": node.attempts,
                "totalMs": node.total_ms,
                "p50Ms": node.p50_ms,
                "p95Ms": node.p95_ms,
                "maxMs": node.max_ms,
            }
            for node in report.nodes
        ],
    }
    return json.dumps(described, indent=2, ensure_ascii=False)


def as_text(end: LoadEnd) -> str:
    return "\n".join(_lines(end))


def _lines(end: LoadEnd) -> Iterator[str]:
    report = end.report
    speed = f", {report.per_second:,.1f} per second" if report.per_second is not None else ""
    yield f"{end.workflow}, {end.case}: {report.begun:,} executions in {report.seconds:,.2f} s{speed}"
    for status, number in report.statuses.items():
        yield f"  {status.value.lower():<10}{number:>8,}"
    for code, number in report.errors.items():
        yield f"    {code:<24}{number:>6,}"
    yield f"  {'milliseconds':<28}{'p50':>10}{'p95':>10}{'p99':>10}{'max':>10}"
    yield f"  {'duration':<28}{_spread(report.durations)}"
    yield f"  {'wait for a worker':<28}{_spread(report.queue_waits)}"
    if report.nodes:
        yield f"  {'slowest nodes':<28}{'p50':>10}{'p95':>10}{'max':>10}{'total':>12}{'attempts':>10}"
    for node in report.nodes:
        times = "".join(f"{each:>10,.1f}" for each in (node.p50_ms, node.p95_ms, node.max_ms))
        yield f"    {node.node[:26]:<26}{times}{node.total_ms:>12,.1f}{node.attempts:>10,}"


def _times(spread: Spread) -> JSONObject:
    return dict(zip(("p50Ms", "p95Ms", "p99Ms", "maxMs"), _values(spread), strict=True))


def _spread(spread: Spread) -> str:
    return "".join(f"{each:>10,.1f}" if each is not None else f"{'-':>10}" for each in _values(spread))


def _values(spread: Spread) -> tuple[float | None, ...]:
    return spread.p50, spread.p95, spread.p99, spread.max
