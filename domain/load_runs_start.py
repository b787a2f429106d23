"""Beginning and cancelling load runs: everything is checked once, before the first of their executions begins."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from domain.errors import Invalid, NotFound, TooLarge
from domain.executions_prepare import Origin, StartRequest, prepare
from domain.executions_start import Starting
from domain.executions_versions import choose, look_up
from domain.ids import LoadRunId, WorkflowId, encode
from domain.json import JSON, JSONObject
from domain.load_runs import DEFAULT_CONCURRENCY, MAX_CONCURRENCY, MAX_COUNT, MAX_RATE, LoadRun, LoadRunStore
from domain.starts import NewExecution
from domain.storable import canonical
from domain.tenancy import Principal
from domain.testcases_check import MAX_TIMEOUT
from domain.trials import Pin, Trial

MAX_BYTES = 64 * 1024 * 1024
"""What the first events of all executions together may come to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSize:
    """How much, how much at once, how much in a second (None: as fast as they end)."""

    count: int
    concurrency: int = DEFAULT_CONCURRENCY
    rate: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLoadRun:
    """`version` None: of the draft. `effects`: the nodes that may act outside; all others only seem to. `timeout`:
    seconds that each execution may take, should the workflow allow more.
    """

    workflow_id: WorkflowId
    size: LoadSize
    input: JSON = None
    variables: JSONObject = field(default_factory=dict[str, JSON])
    version: int | None = None
    pins: Mapping[str, Pin] = field(default_factory=dict[str, Pin])
    effects: frozenset[str] = frozenset()
    timeout: float | None = None

    @property
    def request(self) -> StartRequest:
        return StartRequest(
            workflow_id=self.workflow_id,
            input=self.input,
            variables=self.variables,
            version=self.version,
            draft=self.version is None,
            trial=Trial(pins=self.pins, effects=self.effects),
            timeout=self.timeout,
        )


def checked_size(size: LoadSize) -> LoadSize:
    """The size; raises Invalid or TooLarge for numbers out of range."""
    if size.count > MAX_COUNT:
        raise TooLarge(f"A load run has at most {MAX_COUNT:,} executions, not {size.count:,}", path=("count",))
    if size.count < 1:
        raise Invalid(f"A load run has at least 1 execution, not {size.count}", path=("count",))
    if not 1 <= size.concurrency <= MAX_CONCURRENCY:
        raise Invalid(f"A concurrency is 1 to {MAX_CONCURRENCY}, not {size.concurrency}", path=("concurrency",))
    if size.rate is not None and not 0 < size.rate <= MAX_RATE:
        raise Invalid(f"A rate is more than 0 and at most {MAX_RATE:,.0f} per second", path=("rate",))
    return size


async def start(new: NewLoadRun, *, by: Principal, store: LoadRunStore, given: Starting, now: datetime) -> LoadRun:
    """The stored load run; workers begin its executions.

    Raises what a start of one of them raises, Invalid and TooLarge for its size, LoadRunUnderWay.
    """
    size, request = checked_size(new.size), new.request
    if request.timeout is not None and not 0 < request.timeout <= MAX_TIMEOUT:
        raise Invalid(f"A timeout is more than 0 and at most {MAX_TIMEOUT:,.0f} seconds", path=("timeout",))
    found = await look_up([request], given)
    run_id = LoadRunId(given.ids())
    version, placed = await choose(request, str(run_id), found, given=given, now=now)
    first = prepare(request, version, Origin(by=str(by.actor)), ids=given.ids, now=now, placed=placed)
    run = load_run(run_id, size, first, seconds=least(request.timeout, version.definition.settings.timeout))
    await store.insert(run)
    return run


def load_run(run_id: LoadRunId, size: LoadSize, first: NewExecution, *, seconds: float | None) -> LoadRun:
    """Of executions that all begin as `first` does, each with `seconds` of its own. Raises TooLarge for their bulk."""
    begins_with = {**first.events[0].payload, "deadline": None}
    _refuse_bulk(begins_with, size.count)
    return LoadRun(
        id=run_id,
        workflow_id=first.workflow_id,
        version_id=first.version_id,
        count=size.count,
        concurrency=size.concurrency,
        rate=size.rate,
        begins_with=begins_with,
        timeout=seconds,
        draft=first.draft,
        created_at=first.created_at,
        created_by=first.triggered_by or "",
    )


def least(*seconds: float | None) -> float | None:
    """The shortest of the times that are given."""
    return min((each for each in seconds if each is not None), default=None)


def _refuse_bulk(begins_with: JSONObject, count: int) -> None:
    size = len(canonical(begins_with)) * count
    if size > MAX_BYTES:
        most = MAX_BYTES // 1024**2
        raise TooLarge(
            f"{count:,} executions with this input come to {size // 1024**2:,} MiB; at most {most} MiB are kept",
            path=("count",),
            remedy="Give a smaller count, or a smaller input.",
        )


async def cancel(run_id: LoadRunId, *, by: Principal, store: LoadRunStore, now: datetime) -> LoadRun:
    """As it is then; workers cancel what of it is under way. Twice is once. Raises NotFound."""
    await store.cancel(run_id, str(by.actor), now)
    found = await store.by_ids([run_id])
    if not found:
        raise NotFound("load run", encode("loadrun", run_id))
    return found[0]
