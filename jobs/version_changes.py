"""An execution goes on with another version of its workflow: decided by its owner, while none of its steps runs."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from domain.engine.compatibility import Obstacle, ObstacleCode, obstacles
from domain.engine.decide import fold
from domain.engine.draft import thaw
from domain.engine.events import EventKind
from domain.engine.ports import InboxMessage, JournalRefused, Logs, LostOwnership
from domain.ids import VersionId, decode, encode
from domain.json import JSON, as_object
from domain.sources import Clock
from jobs.programs import Program, Programs
from jobs.records import Record
from jobs.runs import Run

log = logging.getLogger("weir.executor")


class Recorder(Protocol):
    def __call__(self, run: Run, record: Record, at: datetime, *, consumed: tuple[int, ...]) -> None: ...


class VersionChanges:
    """`settled` is told of a run that has nothing left to do but wait."""

    def __init__(self, *, programs: Programs, logs: Logs, clock: Clock, settled: Callable[[Run], None]) -> None:
        self._programs = programs
        self._logs = logs
        self._clock = clock
        self._settled = settled

    async def receive(self, run: Run, message: InboxMessage, record: Recorder) -> None:
        """Record the change, or what is in its way. While a step runs, nothing: the message is heard again."""
        if not run.idle:
            return
        run.consumed.add(message.id)
        try:
            found = await self._decided(run, message)
        except (LostOwnership, JournalRefused):
            return
        except (OSError, ConnectionError, TimeoutError) as error:
            log.warning("a change of version must wait: %s", error)
            found = None
        if found is None:
            run.consumed.discard(message.id)
            return
        record(run, found, self._clock(), consumed=(message.id,))
        if run.idle:
            self._settled(run)

    async def _decided(self, run: Run, message: InboxMessage) -> Record | None:
        """The event, None when something has happened meanwhile; from the change on the run is of the new version."""
        wanted = VersionId(decode("version", str(message.payload["to"])))
        await run.durable()
        program = (await self._programs.get([wanted]))[wanted]
        events = await self._logs.whole(run.execution_id)
        if run.over or not run.idle or events[-1].seq != run.draft.seq:
            return None
        payload: dict[str, JSON] = {**message.payload, "from": encode("version", run.version_id)}
        declared = as_object(payload.pop("variables", None))
        if not isinstance(program, Program):
            in_the_way: Sequence[Obstacle] = [Obstacle(code=ObstacleCode.UNRUNNABLE, message=str(program))]
        else:
            in_the_way = obstacles(run.program.plan, program.plan, events)
        if in_the_way or not isinstance(program, Program):
            payload["obstacles"] = [each.to_json() for each in in_the_way]
            return Record(kind=EventKind.VERSION_CHANGED, payload=payload)
        run.program, run.version_id = program, wanted
        run.draft = thaw(fold(program.plan, events))
        payload["variables"] = {name: value for name, value in declared.items() if name not in run.draft.vars}
        return Record(kind=EventKind.VERSION_CHANGED, payload=payload)
