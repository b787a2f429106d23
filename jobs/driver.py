"""Drives the executions of this process: an outcome becomes an event, an event gives commands, commands become steps.

A step without outside effect starts while the outcomes before it are still being written; a step with effects
waits until they are durable, so nothing the outside has seen is ever forgotten.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from domain.engine.commands import CancelStep, Command, Ending, Finish, ResumeStep, RunStep
from domain.engine.decide import proceed
from domain.engine.events import Event, EventKind
from domain.engine.outcomes import Cause, SignalArrived, TimerDue
from domain.engine.ports import (
    Append,
    ExecutionStatus,
    Finished,
    InboxMessage,
    Journal,
    JournalRefused,
    LostOwnership,
)
from domain.engine.state import Lifecycle, StepStatus
from domain.ids import ExecutionId
from domain.json import JSON, JSONObject
from domain.nodes import error_json
from domain.sources import Clock
from domain.starts import NewExecution
from jobs.announcements import Announcer
from jobs.grace import Grace
from jobs.ready import ReadyQueues
from jobs.records import Record, of_attempt, of_message, version_of
from jobs.relations import FailureHandlers, end_told, ended_children, left_behind, released
from jobs.runs import DEADLINE, Run
from jobs.steps import StepRunner
from jobs.trials import handed_down
from jobs.version_changes import VersionChanges

log = logging.getLogger("weir.executor")

_SNAPSHOT_EVERY = 1_000
"""Events between snapshots of a run that never lets go."""
_CREDIT = 50
"""Steps of an execution that go ahead of those that have yet to begin; then it is at the end of the line again."""
_AT_ONCE = 20
"""Steps begun in one turn of the event loop: whoever waits for an answer, as a claim does, waits for these."""
_STATUS = {
    Ending.COMPLETED: (ExecutionStatus.COMPLETED, EventKind.EXECUTION_COMPLETED),
    Ending.FAILED: (ExecutionStatus.FAILED, EventKind.EXECUTION_FAILED),
    Ending.CANCELLED: (ExecutionStatus.CANCELLED, EventKind.EXECUTION_CANCELLED),
}


class Item(Struct, eq=False, kw_only=True):
    """A step that may run now; `cause` when it resumes. `task`: what runs it."""

    run: Run
    path: str
    attempt: int
    cause: Cause | None = None
    task: asyncio.Task[None] | None = None


class Driver:
    """`draw` gives numbers in [0, 1); `healthy` is false while this worker must start nothing.

    `dropped` is told of every run that is over here, `settled` of every run with nothing left to do but wait,
    `snapshot` of every run whose log has grown long.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        steps: StepRunner,
        announcer: Announcer,
        clock: Clock,
        draw: Callable[[], float],
        healthy: Callable[[], bool],
        slots: int,
        dropped: Callable[[Run], None],
        settled: Callable[[Run], None],
        handlers: FailureHandlers,
        versions: VersionChanges,
        grace: Grace,
        snapshot: Callable[[Run], None],
    ) -> None:
        self._journal = journal
        self._steps = steps
        self._announcer = announcer
        self._clock = clock
        self._draw = draw
        self._healthy = healthy
        self._slots = slots
        self._dropped = dropped
        self._settled = settled
        self._handlers = handlers
        self._versions = versions
        self._grace = grace
        self._snapshot = snapshot
        self._ready: ReadyQueues[Item] = ReadyQueues()
        self._busy = 0
        self._pumping = False
        self.draining = False
        self.unstorable: dict[ExecutionId, str] = {}

    # Recording

    def record(
        self,
        run: Run,
        record: Record,
        at: datetime,
        *,
        consumed: tuple[int, ...] = (),
        status: ExecutionStatus | None = None,
        finished: Finished | None = None,
        children: Sequence[NewExecution] = (),
    ) -> None:
        """Write one event, with the executions it begins, and do what follows from it."""
        before = run.draft.steps.get(record.path) if record.path is not None else None
        event = Event(
            seq=run.draft.seq + 1,
            kind=record.kind,
            at=at,
            epoch=run.epoch,
            node=before.node if before is not None else None,
            path=record.path,
            attempt=record.attempt,
            payload=record.payload,
        )
        commands = proceed(run.program.plan, run.draft, event)
        stops = [command for command in commands if isinstance(command, CancelStep)]
        append = Append(
            execution_id=run.execution_id,
            tenant_id=run.tenant_id,
            workflow_id=run.workflow_id,
            epoch=run.epoch,
            events=(event,),
            consumed=consumed,
            status=status,
            finished=finished,
            children=children,
            posts=[*ended_children(stops), *end_told(run, finished)] if stops or finished is not None else (),
            settled=left_behind(event, before, stops),
            releases=released(run.program.locking, event, stops) if run.program.locking else (),
            version_id=version_of(record),
        )
        self._submit(run, append)
        if event.seq - run.snapshot_seq >= _SNAPSHOT_EVERY and finished is None:
            self._snapshot(run)
        for command in commands:
            self.issue(run, command)

    def _submit(self, run: Run, append: Append) -> None:
        future = self._journal.submit(append)
        run.last = future
        future.add_done_callback(partial(self._written, run, append.finished is not None))

    def _written(self, run: Run, last: bool, future: asyncio.Future[None]) -> None:
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            if last:
                self.drop(run)
        elif not run.over:
            if isinstance(error, JournalRefused):
                self.unstorable[run.execution_id] = str(error)
            elif not isinstance(error, LostOwnership):
                log.error("the journal failed for %s", run.execution_id, exc_info=error)
            self.drop(run)

    def drop(self, run: Run) -> None:
        """The run is over here: finished, lost or let go."""
        run.stop()
        self._dropped(run)

    # Commands

    def issue(self, run: Run, command: Command) -> None:
        if run.over:
            return
        match command:
            case RunStep(path=path, not_before=moment) if moment is not None and moment > self._clock():
                self.arm(run, path, moment)
            case RunStep(path=path, attempt=attempt):
                self._enqueue(Item(run=run, path=path, attempt=attempt))
            case ResumeStep(path=path, cause=cause):
                self._enqueue(Item(run=run, path=path, attempt=run.draft.steps[path].attempt, cause=cause))
            case CancelStep(path=path):
                self._grace.stop(run, path, self._ended)
            case Finish():
                run.finish = command
                self._conclude(run)
            case _:
                assert_never(command)

    def _enqueue(self, item: Item) -> None:
        run, path = item.run, item.path
        if path in run.queued or path in run.tasks:
            return
        run.disarm(path)
        run.queued.add(path)
        ahead = run.credit > 0
        run.credit = run.credit - 1 if ahead else _CREDIT
        self._ready.push(run.tenant_id, item, ahead=ahead)
        self._wake()

    def arm(self, run: Run, path: str, moment: datetime) -> None:
        """Come back to this step (or the deadline) at `moment`."""
        run.disarm(path)
        seconds = max(0.0, (moment - self._clock()).total_seconds())
        run.timers[path] = asyncio.get_running_loop().call_later(seconds, self._due, run, path)

    def _due(self, run: Run, path: str) -> None:
        run.timers.pop(path, None)
        if run.over:
            return
        if path == DEADLINE:
            self._overdue(run)
            return
        if path in run.draft.alarms:
            self.record(run, Record(kind=EventKind.TIMED_OUT, payload={}, path=path), self._clock())
            return
        step = run.draft.steps.get(path)
        if step is None or run.draft.paused or not step.status.open or step.signal is not None:
            return
        cause = TimerDue() if step.status is StepStatus.WAITING else None
        self._enqueue(Item(run=run, path=path, attempt=step.attempt, cause=cause))

    def _overdue(self, run: Run) -> None:
        if run.finish is None and run.draft.lifecycle is Lifecycle.RUNNING:
            self.record(run, Record(kind=EventKind.TIMED_OUT, payload={}), self._clock())
        if run.idle:
            self._settled(run)

    def _conclude(self, run: Run) -> None:
        """Write the terminal event, once every running step has ended."""
        finish = run.finish
        if finish is None or run.closed or run.over:
            return
        if any(task is not asyncio.current_task() for task in run.tasks.values()):
            return
        if self._wants_handler(run, finish):
            return
        run.closed = True
        status, kind = _STATUS[finish.ending]
        payload: dict[str, JSON] = {}
        match finish.ending:
            case Ending.COMPLETED:
                payload["output"] = finish.output
            case Ending.FAILED:
                payload |= {"error": finish.error, "path": finish.path}
            case Ending.CANCELLED:
                payload["reason"] = run.draft.cancel_reason
        at = self._clock()
        finished = Finished(status=status, output=finish.output, error=finish.error, at=at)
        run.queued.clear()
        children = (run.handler,) if run.handler is not None else ()
        self.record(run, Record(kind=kind, payload=payload), at, finished=finished, children=children)

    def _wants_handler(self, run: Run, finish: Finish) -> bool:
        """Whether the workflow's failure handler must first be found: then this comes again."""
        if finish.ending is not Ending.FAILED or not run.program.plan.definition.settings.failure_handler:
            return False
        if run.handling is None:
            run.handling = asyncio.ensure_future(self._find_handler(run, finish))
            run.handling.add_done_callback(lambda _: self._conclude(run))
        return not run.handling.done()

    async def _find_handler(self, run: Run, finish: Finish) -> None:
        handler = await self._handlers.prepare(run, finish)
        run.handler = handler and handed_down(run.draft.trial, None, handler)

    def fail(self, run: Run, code: str, message: str) -> None:
        """End the execution with an error of our own making."""
        run.finish = Finish(ending=Ending.FAILED, error=error_json(code, message))
        self._conclude(run)

    # Running

    def _wake(self) -> None:
        if not self._pumping:
            self._pumping = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._pumping = False
        if self._ready and not self._healthy() and not self.draining:
            self._pumping = True
            asyncio.get_running_loop().call_later(0.25, self._pump)
            return
        begun = 0
        while self._ready and self._busy < self._slots and not self.draining:
            if begun == _AT_ONCE:
                self._wake()
                return
            item = self._ready.pop()
            if item.run.over or item.path not in item.run.queued:
                continue
            item.run.queued.discard(item.path)
            self._busy += 1
            begun += 1
            task = item.task = item.run.tasks[item.path] = asyncio.ensure_future(self._work(item))
            task.add_done_callback(partial(self._left, item))

    async def _work(self, item: Item) -> None:
        run, path = item.run, item.path
        with suppress(LostOwnership, JournalRefused):
            step = run.draft.steps.get(path)
            if step is None or not step.status.open:
                return
            program = run.program.of(step)
            if program.behaviour.kind.effects:
                await run.durable()
                if not self._healthy():  # that took long
                    run.tasks.pop(path, None)
                    self._enqueue(item)
                    return
                self._announcer.step_began(run, path, step.node, item.attempt, self._clock())
            begin = partial(self._begin, run, path, item.attempt)
            ran = await self._steps.run(run, path, item.attempt, item.cause, self._clock(), begin)
            at = self._clock()
            record = of_attempt(program, path, item.attempt, ran, at, self._draw())
            if record.kind is EventKind.WAITING and isinstance(item.cause, SignalArrived):
                record = replace(record, payload={**record.payload, "took": True})
            if not run.over and run.finish is None and run.tasks.get(path) is item.task:
                del run.tasks[path]
                self.record(run, record, at, children=ran.children)
                self.arm_wait(run, path)

    async def _begin(self, run: Run, path: str, attempt: int) -> None:
        """Have it in the log that the attempt has begun. Raises LostOwnership or JournalRefused."""
        if not run.over:
            self.record(run, Record(kind=EventKind.STEP_STARTED, payload={}, path=path, attempt=attempt), self._clock())
        await run.durable()

    def _left(self, item: Item, task: asyncio.Task[None]) -> None:
        """A step's task is over. Not in the task itself: one cancelled before it began never gets to a `finally`."""
        run, path = item.run, item.path
        self._busy -= 1
        if run.tasks.get(path) is task:
            del run.tasks[path]
        if not task.cancelled() and (error := task.exception()) is not None and not run.over:
            log.error("step %s of %s broke the engine", path, run.execution_id, exc_info=error)
            self.fail(run, "ENGINE_ERROR", f"The engine broke at the step {path}: {type(error).__name__}")
        self._ended(run)

    def arm_wait(self, run: Run, path: str) -> None:
        """Come back to the step at the end of its wait, if it has one."""
        step = run.draft.steps.get(path)
        if run.over or step is None:
            return
        if step.status is StepStatus.WAITING and step.wait and step.wait.until and not step.signal:
            self.arm(run, path, step.wait.until)
        elif path in run.draft.alarms:
            self.arm(run, path, run.draft.alarms[path])

    def _ended(self, run: Run) -> None:
        if self._ready:
            self._wake()
        if run.over:
            return
        if run.finish is not None:
            self._conclude(run)
        elif run.idle:
            self._settled(run)

    # News from outside

    async def receive(self, run: Run, message: InboxMessage) -> None:
        """Turn an inbox message into its event; a message already in flight is not taken twice."""
        if run.over or run.finish is not None or message.id in run.consumed:
            return
        record, status = of_message(message)
        if record.kind is EventKind.VERSION_CHANGED:
            return await self._versions.receive(run, message, self.record)
        run.consumed.add(message.id)
        at = self._clock()
        if record.kind is EventKind.STEP_SKIPPED:
            record = await self._skipped(run, record, at)
        if not run.over and run.finish is None:
            self.record(run, record, at, consumed=(message.id,), status=status)
            if record.kind is EventKind.PAUSED:
                run.queued.clear()  # issued again by the resumption
            elif record.kind is EventKind.RESUMED:
                for path in (*run.draft.open, *run.draft.alarms):
                    self.arm_wait(run, path)  # its timer may have gone off unheard
            if run.idle:
                self._settled(run)

    async def _skipped(self, run: Run, record: Record, at: datetime) -> Record:
        path = record.path or ""
        step = run.draft.steps.get(path)
        if step is None or not step.status.open:
            return record
        handles: JSON = list(run.program.of(step).onward)
        edges = await self._steps.skipped(run, path, record.payload.get("output"), at)
        payload: JSONObject = {**record.payload, "handles": handles, "edges": edges}
        return Record(kind=record.kind, payload=payload, path=path, attempt=step.attempt)
