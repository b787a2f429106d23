"""Holds the executions of one worker: claims them, hears about them, lets them go, hands them over at the end."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Protocol

from domain.engine.decide import due_cause, fold, outstanding
from domain.engine.draft import freeze, thaw
from domain.engine.events import EventKind
from domain.engine.ports import (
    Claimed,
    ExecutionStatus,
    InboxMessage,
    Journal,
    JournalRefused,
    LostOwnership,
    Ownership,
    Release,
    WakeUp,
)
from domain.engine.results import next_due
from domain.engine.snapshots import from_json
from domain.engine.state import Lifecycle, State, StepStatus
from domain.ids import ExecutionId, TenantId, VersionId, WorkerId, encode
from domain.inbox import Doorbell
from domain.json import JSON
from domain.live import Changed, Changes
from domain.sources import Clock
from jobs.driver import Driver
from jobs.programs import EMPTY, Program, Programs, Unrunnable
from jobs.records import Record
from jobs.runs import DEADLINE, Run, begun

log = logging.getLogger("weir.executor")

_LINGER = timedelta(seconds=3)
"""A wait shorter than this stays in memory; a longer one is let go."""
_LOOK = 2.0
"""Seconds between slow looks at the inbox, in case an announcement was lost."""
_BATCH = 200
_FEW, _GATHER = 20, 0.02
"""A claim that took all of so few places waits for so many seconds, until more are free."""


class Pulse(Protocol):
    """`healthy`: nobody can have taken this worker for dead since it last proved to be alive.

    `lapses`: how often somebody can have done so in between. Read it after `healthy`.
    """

    @property
    def healthy(self) -> bool: ...
    @property
    def lapses(self) -> int: ...


class Executor:
    """One per worker process. `only`: claim nothing but these executions (a local run's own), and keep them."""

    def __init__(
        self,
        *,
        worker: WorkerId,
        journal: Journal,
        ownership: Ownership,
        programs: Programs,
        pulse: Pulse,
        changes: Changes,
        clock: Clock,
        capacity: int,
        only: Sequence[ExecutionId] | None = None,
    ) -> None:
        self._worker = worker
        self._journal = journal
        self._ownership = ownership
        self._programs = programs
        self._pulse = pulse
        self._changes = changes
        self._lapses = 0
        self._clock = clock
        self._capacity = capacity
        self._only = list(only) if only is not None else None
        self._runs: dict[ExecutionId, Run] = {}
        self._bell = asyncio.Event()
        self._heard = False
        self._mail = asyncio.Event()
        self._leaving: dict[ExecutionId, Run] = {}
        self._leave = asyncio.Event()
        self._empty = asyncio.Event()
        self._driver: Driver | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._errands: set[asyncio.Task[None]] = set()

    @property
    def driver(self) -> Driver:
        if self._driver is None:
            raise RuntimeError("attach a driver before starting")
        return self._driver

    @property
    def held(self) -> int:
        return len(self._runs)

    @property
    def trusted(self) -> bool:
        """Whether steps may begin: nobody else can own what is held here."""
        if self._pulse.healthy and self._pulse.lapses == self._lapses:
            return True
        self._mail.set()
        return False

    def attach(self, driver: Driver) -> None:
        """The driver and the executor know each other; wiring introduces them."""
        self._driver = driver

    def start(self) -> None:
        loops = (self._claiming(), self._reading(), self._releasing())
        self._tasks = [asyncio.ensure_future(loop) for loop in loops]
        self._bell.set()

    def ring(self, ids: Iterable[ExecutionId] = ()) -> None:
        """Something is to be done: perhaps for an execution held here, perhaps for one that nobody holds."""
        self.called(ids)
        self._bell.set()

    def called(self, ids: Iterable[ExecutionId]) -> None:
        """Something was posted for these: read it when one of them is held here."""
        if any(execution in self._runs for execution in ids):
            self._mail.set()
        self._heard = True

    def begun(self, tenant_id: TenantId, ids: Sequence[ExecutionId], doorbell: Doorbell) -> None:
        """What is held here has begun or told these: whoever may have them is to look."""
        if self._only is not None:
            self._only += ids
            self.ring(ids)
            return
        self.called(ids)
        ringing = asyncio.ensure_future(doorbell.ring(tenant_id, ids))
        self._errands.add(ringing)
        ringing.add_done_callback(self._errands.discard)

    async def failed(self) -> None:
        """Return never; raise what ended one of the loops, which is a bug that must end the process."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    # Claiming

    async def _claiming(self) -> None:
        while True:
            await self._bell.wait()
            self._bell.clear()
            free = min(self._capacity - len(self._runs), _BATCH)
            if free <= 0 or self.driver.draining:
                continue
            if not self._pulse.healthy:
                await asyncio.sleep(0.5)  # what it claimed would be taken from it again
                self._bell.set()
                continue
            self._heard = False
            try:
                claimed = await self._ownership.claim(self._worker, free, only=self._only)
            except (OSError, ConnectionError, TimeoutError) as error:
                log.warning("claiming failed, trying again: %s", error)
                await asyncio.sleep(0.5)
                self._bell.set()
                continue
            programs = await self._programs_of(claimed)
            for claim in claimed:
                await self._adopt(claim, programs)
            if self._heard:
                self._mail.set()  # who called meanwhile may have meant one of these
            if len(claimed) == free:
                self._bell.set()
                if free < _FEW:
                    await asyncio.sleep(_GATHER)

    async def _programs_of(self, claimed: Sequence[Claimed]) -> Mapping[VersionId, Program | Unrunnable]:
        """What is claimed is this worker's to run: ask until there is an answer."""
        while True:
            try:
                return await self._programs.get(claim.version_id for claim in claimed)
            except (OSError, ConnectionError, TimeoutError) as error:
                log.warning("loading definitions failed, trying again: %s", error)
                await asyncio.sleep(0.5)

    async def _adopt(self, claim: Claimed, programs: Mapping[VersionId, Program | Unrunnable]) -> None:
        run, reason = _begin(claim, programs[claim.version_id])
        if claim.execution_id in self._runs:
            self.driver.drop(self._runs[claim.execution_id])  # lost in a lapse, and now won back
        self._runs[claim.execution_id] = run
        payload: dict[str, JSON] = {"worker": encode("worker", self._worker)}
        self.driver.record(run, Record(kind=EventKind.ADOPTED, payload=payload), self._clock())
        if reason is None:
            reason = self.driver.unstorable.pop(claim.execution_id, None)
        if reason is not None:
            self.driver.fail(run, "UNRUNNABLE", f"The execution cannot go on: {reason}")
            return
        if claim.epoch > 1:
            waiting = asyncio.ensure_future(self._go_on_when_durable(run, claim))
            self._errands.add(waiting)
            waiting.add_done_callback(self._errands.discard)
        else:
            await self._go_on(run, claim)

    async def _go_on_when_durable(self, run: Run, claim: Claimed) -> None:
        try:
            await run.durable()
        except (LostOwnership, JournalRefused):
            return
        if not run.over:
            await self._go_on(run, claim)
            self._mail.set()  # what came meanwhile was not delivered

    async def _go_on(self, run: Run, claim: Claimed) -> None:
        run.adopted = True
        for message in claim.inbox:
            await self.driver.receive(run, message)
        for command in outstanding(run.program.plan, freeze(run.draft)):
            self.driver.issue(run, command)
        if run.draft.deadline is not None and not run.over:
            self.driver.arm(run, DEADLINE, run.draft.deadline)
        for path in (*run.draft.open, *run.draft.alarms):
            self.driver.arm_wait(run, path)
        if run.idle:
            self.settled(run)

    # Hearing

    async def _reading(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._mail.wait()
            self._mail.clear()
            if not self._runs and self._pulse.lapses == self._lapses:
                continue
            try:
                await self._drop_what_was_lost()
                messages = await self._ownership.inbox(self._worker)
            except (OSError, ConnectionError, TimeoutError) as error:
                log.warning("reading the inbox failed, trying again: %s", error)
                await asyncio.sleep(0.5)
                continue
            await self._deliver(messages)

    async def _drop_what_was_lost(self) -> None:
        """After a lapse, know again which executions are this worker's."""
        lapses, suspects = self._pulse.lapses, list(self._runs.values())
        if lapses == self._lapses:
            return
        owned = await self._ownership.owned(self._worker)
        lost = [run for run in suspects if owned.get(run.execution_id) != run.epoch]
        log.warning("for a while this worker may have counted as dead; lost executions: %d", len(lost))
        for run in lost:
            self.driver.drop(run)
        self._lapses = lapses

    async def _deliver(self, messages: Sequence[InboxMessage]) -> None:
        for message in messages:
            run = self._runs.get(message.execution_id)
            if run is not None and run.adopted:
                await self.driver.receive(run, message)

    # Letting go

    def settled(self, run: Run) -> None:
        """Nothing of the run is to be done now: keep it when its next moment is near, else let it go."""
        if self._only is not None and not self.driver.draining:
            return  # nobody else is to have it
        due = next_due(freeze(run.draft))
        near = self._clock() + _LINGER
        if not self.driver.draining and not run.draft.paused and any(moment <= near for moment in due.values()):
            return
        self._leaving[run.execution_id] = run
        self._leave.set()

    async def _releasing(self) -> None:
        while True:
            await self._leave.wait()
            self._leave.clear()
            runs = [run for run in self._leaving.values() if run.idle]
            self._leaving.clear()
            if runs:
                await self._release(runs)

    async def _release(self, runs: Sequence[Run]) -> None:
        results = await asyncio.gather(*(run.durable() for run in runs), return_exceptions=True)
        leaving = [
            run for run, result in zip(runs, results, strict=True) if result is None and run.idle and run.written
        ]
        sequences = {run.execution_id: run.draft.seq for run in leaving}
        for run in leaving:
            run.adopted = False
        partings = [self._parting(run) for run in leaving]
        try:
            kept = set(await self._ownership.release(partings))
        except (OSError, ConnectionError, TimeoutError) as error:
            log.warning("letting go failed, trying again: %s", error)
            await asyncio.sleep(0.5)
            kept = set(sequences)
            self._leaving |= {run.execution_id: run for run in leaving}
            self._leave.set()
        for run, parting in zip(leaving, partings, strict=True):
            run.adopted = True
            if run.execution_id not in kept and not run.over:
                self.driver.drop(run)
                self._announce(run, parting.status)
        if kept:
            self._mail.set()

    def _announce(self, run: Run, status: ExecutionStatus) -> None:
        change = Changed(execution_id=run.execution_id, workflow_id=run.workflow_id, status=status, at=self._clock())
        self._changes.announce(run.tenant_id, [change])

    def _parting(self, run: Run) -> Release:
        state = freeze(run.draft)
        due = {} if state.paused else next_due(state)
        if state.deadline is not None:
            due[DEADLINE] = state.deadline
        status = ExecutionStatus.PENDING if self.driver.draining and not _waits(state) else ExecutionStatus.WAITING
        return Release(
            execution_id=run.execution_id,
            epoch=run.epoch,
            status=ExecutionStatus.PAUSED if state.paused else status,
            wake_ups=[WakeUp(path=path, due_at=moment) for path, moment in due.items()],
            snapshot=run.snapshot(),
            snapshot_seq=state.seq,
        )

    def dropped(self, run: Run) -> None:
        """The driver is done with the run."""
        self._leaving.pop(run.execution_id, None)
        if self._runs.get(run.execution_id) is run:
            claimable = len(self._runs) >= self._capacity or run.execution_id in self.driver.unstorable
            del self._runs[run.execution_id]
            self._journal.forget(run.execution_id)
            if claimable:
                self._bell.set()
            if not self._runs:
                self._empty.set()

    # The end

    async def drain(self, seconds: float) -> None:
        """Start nothing, let running steps finish for at most `seconds`, hand everything over."""
        self.driver.draining = True
        deadline = asyncio.get_running_loop().time() + seconds
        while self._runs:
            for run in list(self._runs.values()):
                run.queued.clear()
                if run.idle:
                    self._leaving[run.execution_id] = run
            self._leave.set()
            self._empty.clear()
            remaining = deadline - asyncio.get_running_loop().time()
            if remaining <= 0:
                break
            try:
                async with asyncio.timeout(min(remaining, 0.1)):
                    await self._empty.wait()
            except TimeoutError:
                continue
        for run in list(self._runs.values()):
            run.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _begin(claim: Claimed, program: Program | Unrunnable) -> tuple[Run, str | None]:
    """The run as its log left it, or an empty one and the reason why it cannot go on."""
    if isinstance(program, Program):
        try:
            state = from_json(claim.snapshot) if claim.snapshot is not None else None
            return begun(claim, program, thaw(fold(program.plan, claim.events, state))), None
        except (KeyError, TypeError, ValueError) as error:
            log.exception("the log of %s does not fold", encode("execution", claim.execution_id))
            program = Unrunnable(f"its log does not fit its version: {error}")
    seq = claim.events[-1].seq if claim.events else claim.snapshot_seq
    bare = thaw(State(seq=seq, lifecycle=Lifecycle.RUNNING))
    return begun(claim, EMPTY, bare), str(program)


def _waits(state: State) -> bool:
    """Whether nothing of it could run before something outside happens."""
    draft = thaw(state)
    steps = (state.steps[path] for path in state.open)
    return all(step.status is StepStatus.WAITING and due_cause(draft, step) is None for step in steps)
