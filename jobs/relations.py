"""What an execution's events mean for others: its parent, its children, its failure handler, the tasks it left open."""

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Protocol

from domain.engine.bodies import node_of
from domain.engine.commands import CancelStep, Finish
from domain.engine.events import TERMINAL, Event, EventKind
from domain.engine.ports import Append, Finished, InboxKind, Post
from domain.engine.state import StepState
from domain.ids import ExecutionId, TenantId, decode, encode
from domain.starts import NewExecution
from jobs.runs import Run

_SETTLES = (EventKind.STEP_COMPLETED, EventKind.STEP_FAILED, EventKind.STEP_SKIPPED)
_TASK = "task:"
_REASON = "The execution that began it no longer wants it"


class FailureHandlers(Protocol):
    async def prepare(self, run: Run, finish: Finish) -> NewExecution | None:
        """The execution of the workflow's failure handler, not begun yet; None when it cannot be begun."""
        ...


def ended_children(stops: Iterable[CancelStep]) -> Iterator[Post]:
    """The children whose steps are no longer wanted are to be cancelled."""
    for stop in stops:
        if stop.child is not None:
            yield Post(
                execution_id=ExecutionId(decode("execution", stop.child)),
                kind=InboxKind.CANCEL,
                key="parent",
                payload={"reason": _REASON},
            )


def end_told(run: Run, finished: Finished | None) -> Iterator[Post]:
    """The step that waits for this execution hears of its end."""
    parent = run.draft.parent
    if finished is None or parent is None or parent.path is None:
        return
    child = encode("execution", run.execution_id)
    yield Post(
        execution_id=ExecutionId(decode("execution", parent.execution)),
        kind=InboxKind.CHILD,
        key=child,
        payload={
            "path": parent.path,
            "execution": child,
            "status": finished.status.value,
            "output": finished.output,
            "error": finished.error,
        },
    )


def left_behind(event: Event, before: StepState | None, stops: Iterable[CancelStep]) -> list[str]:
    """The paths of steps that are over with this event and whose tasks are nobody's any more.

    A step that waits for nothing yet may have opened one all the same.
    """
    paths = [
        stop.path
        for stop in stops
        if stop.child is None and (not stop.signals or any(name.startswith(_TASK) for name in stop.signals))
    ]
    wait = before.wait if before is not None else None
    settled = event.path if event.kind in _SETTLES else None
    if wait is not None and settled is not None and any(name.startswith(_TASK) for name in wait.signals):
        paths.append(settled)
    return paths


def released(locking: Container[str], event: Event, stops: Iterable[CancelStep]) -> list[str | None]:
    """The paths of steps that give up their lock with this event, None for all; `locking` are the nodes with one."""
    if event.kind in TERMINAL:
        return [None]
    paths: list[str | None] = [stop.path for stop in stops if node_of(stop.path) in locking]
    settled = event.kind in _SETTLES and not event.payload.get("retryAt")
    if settled and event.node is not None and event.node in locking:
        paths.append(event.path)
    return paths


class Relatives:
    """Rings for whom durable appends have begun or told something: implements the journal's `on_committed`."""

    def __init__(self, ring: Callable[[TenantId, Sequence[ExecutionId]], None]) -> None:
        self._ring = ring

    def committed(self, appends: Sequence[Append]) -> None:
        for append in appends:
            if not append.related:
                continue
            ids = [child.id for child in append.children] + [post.execution_id for post in append.posts]
            if ids:
                self._ring(append.tenant_id, ids)

    def woken(self, executions: Sequence[tuple[TenantId, ExecutionId]]) -> None:
        """These got a lock that a durable append has given up."""
        by_tenant: dict[TenantId, list[ExecutionId]] = defaultdict(list)
        for tenant, execution in executions:
            by_tenant[tenant].append(execution)
        for tenant, ids in by_tenant.items():
            self._ring(tenant, ids)
