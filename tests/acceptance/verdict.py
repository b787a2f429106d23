"""What must be true of a trial, whatever happened meanwhile: changes when durability promises something else."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime

import orjson

from db.connections import EnginePool
from domain.engine.decide import fold
from domain.engine.events import TERMINAL, Event, EventKind
from domain.engine.plan import compile_plan
from domain.engine.state import Lifecycle
from domain.ids import ExecutionId, encode
from jobs.nodes.catalog import CATALOG
from tests.acceptance.trial import CALLS, STEPS, Given, Trial

Logs = Mapping[ExecutionId, Sequence[Event]]
Arrivals = Mapping[str, Sequence[datetime]]
"""Of requests, by idempotency key."""


async def logs_of(pool: EnginePool, ids: Sequence[ExecutionId]) -> Logs:
    rows = await pool.fetch(
        "SELECT execution_id, seq, kind, at, epoch, node, path, attempt, payload FROM execution_event"
        " WHERE execution_id = ANY ($1) ORDER BY execution_id, seq",
        ids,
    )
    logs: defaultdict[ExecutionId, list[Event]] = defaultdict(list)
    for row in rows:
        values = dict(row)
        kind, payload = EventKind(values.pop("kind")), orjson.loads(values.pop("payload"))
        logs[values.pop("execution_id")].append(Event(kind=kind, payload=payload, **values))
    return logs


async def assert_complete(trial: Trial) -> Logs:
    """Every execution is over as it should be, and its log tells it once: no event is missing, doubled or foreign."""
    logs = await logs_of(trial.ground.pool, trial.ids)
    plan = compile_plan(trial.ground.version.definition, CATALOG)
    for execution, given in trial.given.items():
        log = logs[execution]
        assert_whole(log)
        assert told(log) == _expected(given)
        state = fold(plan, log)
        assert (state.lifecycle, state.output) == (Lifecycle.COMPLETED, given.output)
    await _assert_rows(trial, logs)
    return logs


def told(log: Sequence[Event]) -> Counter[tuple[EventKind, str | None]]:
    """What a log says, but for who said it."""
    return Counter((event.kind, event.path) for event in log if event.kind is not EventKind.ADOPTED)


def _expected(given: Given) -> Counter[tuple[EventKind, str | None]]:
    events = [(EventKind.STEP_COMPLETED, step) for step in STEPS if given.asked or step != "approval"]
    events.append((EventKind.WAITING, "pause"))
    once = [EventKind.EXECUTION_STARTED, EventKind.EXECUTION_COMPLETED]
    if given.asked:
        events.append((EventKind.WAITING, "approval"))
        once.append(EventKind.SIGNAL_RECEIVED)
    return Counter[tuple[EventKind, str | None]](events + [(kind, None) for kind in once])


def assert_whole(log: Sequence[Event]) -> None:
    """It has no gap and comes to an end; epochs only rise, and an owner's first event says that it has adopted it."""
    assert [event.seq for event in log] == list(range(1, len(log) + 1))
    assert log[-1].kind in TERMINAL
    epoch = 0
    for event in log[1:]:
        adopted = event.kind is EventKind.ADOPTED
        assert event.epoch > epoch if adopted else event.epoch == epoch, log
        epoch = event.epoch


async def _assert_rows(trial: Trial, logs: Logs) -> None:
    pool = trial.ground.pool
    query = "SELECT id, status, output, owner, finished_at FROM execution WHERE id = ANY ($1)"
    rows = await pool.fetch(query, trial.ids)
    found = {row["id"]: (row["status"], orjson.loads(row["output"]), row["owner"], row["finished_at"]) for row in rows}
    assert found == {
        execution: ("COMPLETED", given.output, None, logs[execution][-1].at) for execution, given in trial.given.items()
    }
    await assert_nothing_left(pool, trial.ids)


async def assert_nothing_left(pool: EnginePool, ids: Sequence[ExecutionId]) -> None:
    """No row but the log's and the execution's own outlives an execution."""
    for table in ("wake_up", "execution_inbox", "execution_state"):
        left = await pool.fetch(f"SELECT execution_id FROM {table} WHERE execution_id = ANY ($1)", ids)
        assert left == [], table


def finished_calls(logs: Logs) -> dict[str, datetime]:
    """When each call had finished, by its idempotency key."""
    return {key_of(execution, call): finished_at(log, call) for execution, log in logs.items() for call in CALLS}


def assert_called(arrivals: Arrivals, logs: Logs, *, at_most: int, late: Set[str] = frozenset()) -> None:
    """Every call arrived once, or at most so often, and none but these after it had finished."""
    for key in finished_calls(logs):
        assert 1 <= len(arrivals[key]) <= at_most, key
    assert late_calls(arrivals, logs) <= late, "a step ran again after it had finished"


def recovery(logs: Logs, orphans: Mapping[ExecutionId, int], killed: datetime) -> float:
    """Seconds until the last of the executions that a worker left behind (with their epochs) had an owner again."""
    adopted = [_adopted_after(logs[execution], epoch) for execution, epoch in orphans.items()]
    return max((moment - killed).total_seconds() for moment in adopted)


def _adopted_after(log: Sequence[Event], epoch: int) -> datetime:
    """Its end counts too: that may have been on its way to the database when the worker died."""
    if log[-1].epoch == epoch:
        return log[-1].at
    return next(event.at for event in log if event.epoch > epoch)


def late_calls(arrivals: Arrivals, logs: Logs) -> set[str]:
    """The keys of the calls that arrived again after they had finished."""
    return {key for key, finished in finished_calls(logs).items() if max(arrivals[key]) > finished}


def calls_under_way(logs: Logs, ids: Iterable[ExecutionId], moment: datetime) -> set[str]:
    """The keys of the calls of these executions that might have begun at that moment, and had not finished."""
    return {
        key_of(execution, call)
        for execution in ids
        for call, source in CALLS.items()
        if finished_at(logs[execution], source) <= moment < finished_at(logs[execution], call)
    }


def finished_at(log: Sequence[Event], path: str) -> datetime:
    return next(event.at for event in log if event.kind is EventKind.STEP_COMPLETED and event.path == path)


def key_of(execution: ExecutionId, path: str) -> str:
    """The idempotency key of a step."""
    return f"{encode('execution', execution)}:{path}"
