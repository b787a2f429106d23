"""What a live view knows of each execution: frames folded into steps with state, attempt and times.

Frames arrive in any mixture of log events and activities; an activity that comes late (its step has an outcome
already) changes nothing.
"""

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from domain.engine.events import Event, EventKind
from domain.engine.ports import ExecutionStatus
from domain.engine.state import StepStatus
from domain.json import JSON, JSONObject, as_list, as_object

PlanNode = tuple[str, str, str]
"""Id, name and kind of a node of the plan."""

_SEEDED = {"STEP_FAILED": StepStatus.FAILED, "STEP_SKIPPED": StepStatus.SKIPPED}


@dataclass(slots=True, kw_only=True)
class StepProgress:
    """One step as last heard of, `changed` being when.

    `due` is the next attempt or the end of a wait; `note` says why it is so.
    """

    node: str
    name: str
    status: StepStatus
    attempt: int
    began: datetime
    changed: datetime
    ended: datetime | None = None
    due: datetime | None = None
    note: str = ""

    def seconds(self, now: datetime) -> float:
        """From the first attempt to the outcome, or until now."""
        return max(0.0, ((self.ended or now) - self.began).total_seconds())


@dataclass(slots=True, kw_only=True)
class RunProgress:
    """One execution. `names` gives the node's name by id; `heard` is told each step whose state has changed."""

    label: str
    names: Mapping[str, str]
    heard: Callable[[StepProgress], None] | None = None
    status: ExecutionStatus = ExecutionStatus.PENDING
    began: datetime | None = None
    ended: datetime | None = None
    steps: dict[str, StepProgress] = field(default_factory=dict[str, StepProgress])
    result: str = ""

    def open_steps(self) -> list[StepProgress]:
        return [step for step in self.steps.values() if step.status.open]

    def seconds(self, now: datetime) -> float:
        return max(0.0, ((self.ended or now) - self.began).total_seconds()) if self.began else 0.0

    def event(self, event: Event) -> None:
        payload = event.payload
        match event.kind:
            case EventKind.EXECUTION_STARTED:
                self.began, self.status = event.at, ExecutionStatus.RUNNING
            case EventKind.SEEDED:
                for seed in as_list(payload.get("steps")):
                    self._seed(as_object(seed), event.at)
            case EventKind.STEP_COMPLETED:
                self._settle(event, StepStatus.COMPLETED)
            case EventKind.STEP_SKIPPED:
                self._settle(event, StepStatus.SKIPPED, f"skipped by {payload.get('by', 'hand')}")
            case EventKind.STEP_FAILED if payload.get("retryAt") is not None:
                self._open(event, StepStatus.RETRYING, reason(payload.get("error")), payload.get("retryAt"))
            case EventKind.STEP_FAILED:
                self._settle(event, StepStatus.FAILED, reason(payload.get("error")))
            case EventKind.WAITING:
                self._open(event, StepStatus.WAITING, _awaited(payload), payload.get("until"))
            case EventKind.PAUSED:
                self.status = ExecutionStatus.PAUSED
            case EventKind.RESUMED:
                self.status = ExecutionStatus.RUNNING
            case EventKind.EXECUTION_COMPLETED:
                self.result = preview(payload.get("output"))
                self.finished(ExecutionStatus.COMPLETED, event.at)
            case EventKind.EXECUTION_FAILED:
                self.result = reason(payload.get("error"))
                self.finished(ExecutionStatus.FAILED, event.at)
            case EventKind.EXECUTION_CANCELLED:
                self.result = text if isinstance(text := payload.get("reason"), str) else ""
                self.finished(ExecutionStatus.CANCELLED, event.at)
            case _:
                pass  # the rest of the log changes nothing that is shown

    def activity(self, path: str, node: str, attempt: int, status: StepStatus, at: datetime) -> None:
        """A step began: forgotten when something later is known of it."""
        step = self.steps.get(path)
        if self.status.terminal or (step is not None and at <= step.changed):
            return
        self._put(path, node, attempt, status, at)

    def finished(self, status: ExecutionStatus, at: datetime) -> None:
        if self.status.terminal:
            return
        self.status, self.ended = status, at
        self.began = self.began or at
        for step in self.open_steps():
            step.status, step.ended, step.due, step.note = StepStatus.CANCELLED, at, None, ""

    def _seed(self, seed: JSONObject, at: datetime) -> None:
        path, node = seed.get("path"), seed.get("node")
        if isinstance(path, str) and isinstance(node, str):
            step = self._put(path, node, 1, _SEEDED.get(str(seed.get("kind")), StepStatus.COMPLETED), at)
            step.ended, step.note = at, "from the execution retried"

    def _settle(self, event: Event, status: StepStatus, note: str = "") -> None:
        step = self._of(event, status, note)
        step.ended = event.at
        self._tell(step)

    def _open(self, event: Event, status: StepStatus, note: str, due: JSON) -> None:
        step = self._of(event, status, note)
        step.due = datetime.fromisoformat(due) if isinstance(due, str) else None
        self._tell(step)

    def _tell(self, step: StepProgress) -> None:
        if self.heard is not None:
            self.heard(step)

    def _of(self, event: Event, status: StepStatus, note: str) -> StepProgress:
        path = event.path or event.node or ""
        known = path in self.steps
        step = self._put(path, event.node or path, event.attempt or 1, status, event.at)
        ms = event.payload.get("ms")
        if not known and isinstance(ms, int | float):
            step.began = event.at - timedelta(milliseconds=ms)
        step.note = note
        return step

    def _put(self, path: str, node: str, attempt: int, status: StepStatus, at: datetime) -> StepProgress:
        step = self.steps.get(path)
        if step is None:
            name = self.names.get(node, "") or node
            step = StepProgress(node=node, name=name, status=status, attempt=attempt, began=at, changed=at)
            self.steps[path] = step
        step.status, step.attempt, step.changed, step.due, step.note = status, attempt, at, None, ""
        return step


def ranks(nodes: Sequence[PlanNode], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The longest way from a beginning to each node: nodes of one rank may run side by side.

    Without edges every node has its own rank, in the plan's order. An edge that closes a cycle counts for nothing.
    """
    if not edges:
        return {node: rank for rank, (node, _, _) in enumerate(nodes)}
    rank = {node: 0 for node, _, _ in nodes}
    missing = dict.fromkeys(rank, 0)
    targets: dict[str, list[str]] = {node: [] for node in rank}
    for source, target in edges:
        targets[source].append(target)
        missing[target] += 1
    left = dict.fromkeys(rank)
    free = deque(node for node in left if not missing[node])
    while left:
        # In a cycle nobody is free: its first node in the plan's order begins it.
        node = free.popleft() if free else next(iter(left))
        if node not in left:
            continue
        del left[node]
        for target in targets[node]:
            if target in left:
                rank[target] = max(rank[target], rank[node] + 1)
                missing[target] -= 1
                if not missing[target]:
                    free.append(target)
    return rank


def preview(output: JSON, *, limit: int = 100) -> str:
    """A result in one line: its `status` and `reason` when it has them, as business results do, else its JSON."""
    if isinstance(output, Mapping) and isinstance(output.get("status"), str):
        parts = [str(output[name]) for name in ("status", "reason") if output.get(name)]
        return ": ".join(parts)[:limit]
    return "" if output is None else json.dumps(output, ensure_ascii=False)[:limit]


def reason(error: JSON) -> str:
    """An error's message, or its code, or nothing."""
    fields = as_object(error)
    return str(fields.get("message") or fields.get("code") or "")


def _awaited(payload: JSONObject) -> str:
    if payload.get("callback"):
        return "waits for its callback"
    if payload.get("signal"):
        return f"waits for {payload['signal']}"
    return "waits"
