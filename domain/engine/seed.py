"""What a retry takes over from the execution it repeats: the finished outcomes, inline.

They are copied, not referred to, so that retention of the first execution can never break the second.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from domain.engine.bodies import top_of
from domain.engine.compensation import SUFFIX
from domain.engine.decide import fold
from domain.engine.events import Event, EventKind
from domain.engine.plan import Plan
from domain.engine.seed_places import Beginning, Finished, beginning, first_generation, lineage
from domain.engine.state import State, StepStatus
from domain.json import JSON, JSONObject, as_list, as_object

_OUTCOMES = (EventKind.STEP_COMPLETED, EventKind.STEP_FAILED, EventKind.STEP_SKIPPED)
_KEPT = ("output", "outputs", "handles", "edges", "variables", "cancels", "error", "decision", "ms", "by")

_Entry = Finished | JSONObject
"""What the log says of a step, or a record of its own: a variable that somebody set."""


def failed_path(state: State) -> str | None:
    """The innermost step whose failure ended the execution, None when no step did."""
    if state.failure is None or state.failure.path is None:
        return None
    path, error = state.failure.path, state.failure.error
    while (inner := _inner(error)) is not None and inner.startswith(f"{path}[") and inner in state.steps:
        path, error = inner, state.steps[inner].error or {}
    return path


def retryable_paths(state: State) -> Sequence[str]:
    """The paths a retry may begin from: every step that was activated.

    Those of finished iterations are only in a state that was folded to keep them.
    """
    return [
        path
        for path, step in state.steps.items()
        if step.undoes is None and (step.status is not StepStatus.SKIPPED or step.skipped_by_hand)
    ]


def seed(
    plan: Plan,
    state: State,
    events: Sequence[Event],
    *,
    source: str,
    path: str,
    overrides: JSONObject | None = None,
    at: datetime | None = None,
) -> JSONObject:
    """The SEEDED payload to run again from `path`: everything finished that does not depend on that step.

    Whatever else had failed for good runs again too, for taken over it would end the new execution before it began;
    so does what was undone. `overrides` maps paths to edited inputs; `at` is when the new execution begins, from
    which running deadlines count anew. Raises KeyError when there is no such step.
    """
    if path not in state.steps:
        raise KeyError(path)
    entries = list(_entries(events, at))
    log = [entry for entry in entries if isinstance(entry, Finished)]
    also = frozenset[str]() if state.failure is None else _ended_by(plan, state)
    while True:
        start = beginning(plan, log, path, also=also)
        steps = list(_standing(start, entries))
        seeded: dict[str, JSON] = {"from": source, "steps": steps}
        tried = _tried(plan, events[0], seeded)
        if tried.failure is not None and not _ended_by(plan, tried) <= also:
            also |= _ended_by(plan, tried)
        elif (container := start.outer()) is not None and start.path not in tried.open:
            path = container
        else:
            break
    seeded["steps"] = [step for step in steps if _took(as_object(step), tried)]
    if overrides:
        seeded["inputs"] = {first_generation(edited): value for edited, value in overrides.items()}
    return seeded


def _entries(events: Sequence[Event], at: datetime | None) -> Iterator[_Entry]:
    """What the log says of its steps, in order; what it took over itself counts as said by it."""
    for event in events:
        match event.kind:
            case EventKind.SEEDED:
                yield from (_taken_over(as_object(entry), event, at) for entry in as_list(event.payload.get("steps")))
            case EventKind.VARIABLE_SET:
                yield {"kind": event.kind.value, **event.payload}
            case EventKind.WAITING if event.payload.get("loop") is not None:
                yield _finished(event.kind, event.path, event.node, event.attempt, event.payload, event.at, at)
            case _ if event.kind in _OUTCOMES:
                yield _finished(event.kind, event.path, event.node, event.attempt, event.payload, event.at, at)
            case _:
                pass


def _taken_over(entry: JSONObject, event: Event, at: datetime | None) -> _Entry:
    kind, attempt = EventKind(str(entry["kind"])), entry.get("attempt")
    if kind is EventKind.VARIABLE_SET:
        return entry
    number = attempt if isinstance(attempt, int) else 1
    return _finished(kind, str(entry["path"]), str(entry["node"]), number, entry, event.at, at)


def _finished(
    kind: EventKind,
    path: str | None,
    node: str | None,
    attempt: int | None,
    payload: JSONObject,
    then: datetime,
    at: datetime | None,
) -> Finished:
    record: dict[str, JSON] = {"kind": kind.value, "path": path, "node": node, "attempt": attempt}
    loop = payload.get("loop")
    if kind is EventKind.WAITING:
        record["loop"] = loop
    record |= {key: payload[key] for key in _KEPT if key in payload}
    deadline = payload.get("deadline")
    if isinstance(deadline, str) and at is not None:
        record["deadline"] = (datetime.fromisoformat(deadline) + (at - then)).isoformat()
    return Finished(
        kind=kind,
        path=path or "",
        node=node or "",
        record=record,
        loop=as_object(loop) if isinstance(loop, Mapping) else None,
        retried=bool(payload.get("retryAt")),
    )


def _standing(start: Beginning, entries: Sequence[_Entry]) -> Iterator[JSONObject]:
    """The records of what is not done again; of what lies inside a step that stands, the variables it set."""
    index = -1
    for entry in entries:
        if isinstance(entry, Finished):
            index += 1
            yield from _standing_of(start, index, entry)
        elif "of" not in entry:
            yield entry
        elif (stands := start.standing(index, str(entry["of"]))) is not None:
            yield {**entry, "of": stands}


def _standing_of(start: Beginning, index: int, entry: Finished) -> Iterator[JSONObject]:
    if entry.path.endswith(SUFFIX) or entry.retried:
        return
    if entry.loop is not None:
        if start.goes_on(index, entry.path):
            yield entry.record
        return
    stands = start.standing(index, entry.path)
    if stands is None:
        return
    if stands != entry.path:
        for name, value in as_object(entry.record.get("variables")).items():
            yield {"kind": EventKind.VARIABLE_SET.value, "name": name, "value": value, "of": stands}
        return
    yield _without_cancelling(entry.record, start)


def _without_cancelling(record: JSONObject, start: Beginning) -> JSONObject:
    """The record, cancelling nothing of what runs again."""
    if "cancels" not in record:
        return record
    redone = start.redone_in(lineage(str(record["path"]))[-1][1])
    return {**record, "cancels": [name for name in as_list(record["cancels"]) if name not in redone]}


def _tried(plan: Plan, begun: Event, seeded: JSONObject) -> State:
    """What the new execution is before anything runs."""
    event = Event(seq=begun.seq + 1, kind=EventKind.SEEDED, at=begun.at, payload=seeded)
    return fold(plan, [begun, event], keeps=True)


def _took(record: JSONObject, tried: State) -> bool:
    """Whether the record says something to the new execution, where some iterations may not have begun yet."""
    path = record.get("of", record.get("path"))
    if not isinstance(path, str) or record["kind"] == EventKind.WAITING:
        return True
    step = tried.steps.get(path)
    return step is not None and not step.status.open


def _ended_by(plan: Plan, state: State) -> frozenset[str]:
    """The nodes of the execution's own graph whose failure ended it: all that were borne, when they were too many."""
    failure = state.failure
    if failure is None or failure.path is None:
        return frozenset()
    node = state.steps[top_of(failure.path)].node
    planned = plan.nodes.get(node)
    bearer = planned.tolerated_by if planned is not None else None
    borne = state.root.tolerated.get(bearer, ()) if bearer is not None else ()
    paths = [each.path for each in borne if each.path is not None]
    return frozenset({node, *(state.steps[top_of(path)].node for path in paths)})


def _inner(error: JSONObject) -> str | None:
    """Where inside a container it failed, if its error says so."""
    details = error.get("details")
    path = details.get("path") if isinstance(details, Mapping) else None
    return path if isinstance(path, str) else None
