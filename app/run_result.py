"""What `weir run` prints and how it ends."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.engine.ports import ExecutionStatus
from domain.json import JSON, JSONObject

INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How one execution ended; PENDING when it never did."""

    status: ExecutionStatus = ExecutionStatus.PENDING
    output: JSON = None
    error: JSONObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    results: Sequence[RunResult]
    interrupted: bool = False


def result_text(end: RunEnd, *, many: bool, with_status: bool) -> str:
    """JSON: the output of a single run, or `{status, output, error}` of each."""
    described = [_described(result) for result in end.results]
    shown: JSON = described if many else described[0]
    if not many and not with_status:
        only = end.results[0]
        shown = only.output if only.status is ExecutionStatus.COMPLETED else described[0]
    return json.dumps(shown, indent=2, ensure_ascii=False)


def exit_status(end: RunEnd) -> int:
    if end.interrupted:
        return INTERRUPTED
    return 0 if all(result.status is ExecutionStatus.COMPLETED for result in end.results) else 1


def _described(result: RunResult) -> Mapping[str, JSON]:
    return {"status": result.status.value, "output": result.output, "error": result.error}
