"""What an attempt and a message leave in the log, and when an attempt is repeated."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.engine.events import EventKind
from domain.engine.outcomes import Completed, Ended, Failed, LogLevel, LogLine, Outcome, Waiting
from domain.engine.ports import ExecutionStatus, InboxKind, InboxMessage, StoredDefinition
from domain.engine.retry import delay, may_retry
from domain.graphs import Backoff, Definition, Graph, Node, OnError, Retry
from domain.ids import ExecutionId
from domain.json import JSON, JSONObject
from jobs.nodes.catalog import CATALOG
from jobs.programs import NodeProgram, compile_program
from jobs.records import Record, of_attempt, of_message
from jobs.steps import Ran

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ERROR: JSONObject = {"code": "BROKEN", "message": "it broke"}
BROKEN = Failed(code="BROKEN", message="it broke")
ONCE = Retry()
THRICE = Retry(max_attempts=3, initial_delay=2.0, jitter=False)


def program(
    kind: str = "end", *, retry: Retry = ONCE, on_error: OnError = OnError.FAIL, config: JSONObject | None = None
) -> NodeProgram:
    node = Node(id="price", kind=kind, retry=retry, on_error=on_error, config=config or {})
    stored = StoredDefinition(definition=Definition(graph=Graph(nodes=(node,))), workflow_name="Prices")
    return compile_program(stored, CATALOG).bodies[()].nodes["price"]


def recorded(node: NodeProgram, outcome: Outcome, *, attempt: int = 1, decisions: JSONObject | None = None) -> Record:
    ran = Ran(outcome=outcome, decisions=decisions or {}, ms=1.5)
    return of_attempt(node, "price#2", attempt, ran, NOW, 0.5)


@pytest.mark.parametrize(
    ("outcome", "decisions", "kind", "payload"),
    [
        (
            Completed(output=[1]),
            {},
            EventKind.STEP_COMPLETED,
            {"output": [1], "handles": ["out"], "ms": 1.5},
        ),
        (
            Completed(
                handles=("a", "b"),
                variables={"n": 1},
                decision="because",
                logs=(LogLine(level=LogLevel.WARNING, message="low"),),
            ),
            {"0": True},
            EventKind.STEP_COMPLETED,
            {
                "output": None,
                "handles": ["a", "b"],
                "ms": 1.5,
                "variables": {"n": 1},
                "edges": {"0": True},
                "decision": "because",
                "logs": [{"level": "WARNING", "message": "low", "data": None}],
            },
        ),
        (Waiting(), {}, EventKind.WAITING, {}),
        (
            Waiting(until=NOW, signal="callback:price#2", callback=True),
            {},
            EventKind.WAITING,
            {"until": NOW.isoformat(), "signal": "callback:price#2", "callback": True},
        ),
        (
            Ended(message="it broke", code="BROKEN", details={"why": 1}),
            {},
            EventKind.STEP_FAILED,
            {"error": {**ERROR, "details": {"why": 1}}, "ms": 1.5, "final": True, "ends": True},
        ),
        (BROKEN, {}, EventKind.STEP_FAILED, {"error": ERROR, "ms": 1.5, "final": True, "handles": []}),
    ],
    ids=["completed", "completed with everything", "waiting", "waiting for a link", "ended", "failed"],
)
def test_every_outcome_is_one_row(
    outcome: Outcome, decisions: JSONObject, kind: EventKind, payload: JSONObject
) -> None:
    assert recorded(program(), outcome, decisions=decisions) == Record(
        kind=kind, payload=payload, path="price#2", attempt=1
    )


def test_a_failure_that_is_tried_again_says_when() -> None:
    first, second, third = (recorded(program(retry=THRICE), BROKEN, attempt=attempt) for attempt in (1, 2, 3))

    assert [record.payload.get("retryAt") for record in (first, second)] == [
        (NOW + timedelta(seconds=seconds)).isoformat() for seconds in (2, 4)
    ]
    assert [record.payload["final"] for record in (first, second, third)] == [False, False, True]
    assert "retryAt" not in third.payload


BRANCHES: JSONObject = {"branches": ["left", "right"]}
CASES: JSONObject = {"expression": "1", "cases": [{"name": "home", "equals": 1}]}


@pytest.mark.parametrize(
    ("on_error", "kind", "config", "handles"),
    [
        (OnError.FAIL, "http", {}, []),
        (OnError.ROUTE, "http", {}, ["error"]),
        (OnError.CONTINUE, "http", {}, ["out"]),
        (OnError.CONTINUE, "if", {"condition": "true"}, ["true"]),
        (OnError.CONTINUE, "switch", CASES, ["default"]),
        (OnError.CONTINUE, "parallel", BRANCHES, ["left", "right"]),
        (OnError.CONTINUE, "end", {}, ["out"]),
    ],
)
def test_a_final_failure_goes_where_its_node_says(
    on_error: OnError, kind: str, config: JSONObject, handles: list[str]
) -> None:
    assert recorded(program(kind, on_error=on_error, config=config), BROKEN).payload["handles"] == handles


@pytest.mark.parametrize(
    ("retry", "failed", "attempt", "again"),
    [
        (ONCE, BROKEN, 1, False),
        (THRICE, BROKEN, 2, True),
        (THRICE, BROKEN, 3, False),
        (THRICE, Failed(code="BROKEN", message="", retryable=False), 1, False),
        (Retry(max_attempts=3, retry_on=("OTHER",)), BROKEN, 1, False),
        (Retry(max_attempts=3, retry_on=("BROKEN",)), Failed(code="BROKEN", message="", retryable=False), 1, True),
    ],
    ids=["no retry", "one left", "none left", "useless", "another code", "this code, whatever it says"],
)
def test_an_attempt_is_repeated_when_there_is_one_left_and_sense_in_it(
    retry: Retry, failed: Failed, attempt: int, again: bool
) -> None:
    assert may_retry(retry, failed, attempt) is again


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [
        (Backoff.FIXED, [2.0, 2.0, 2.0, 2.0]),
        (Backoff.LINEAR, [2.0, 4.0, 6.0, 8.0]),
        (Backoff.EXPONENTIAL, [2.0, 4.0, 8.0, 10.0]),
    ],
)
def test_delays_grow_as_told_up_to_the_longest(backoff: Backoff, delays: list[float]) -> None:
    retry = Retry(max_attempts=9, backoff=backoff, initial_delay=2.0, max_delay=10.0, jitter=False)
    assert [delay(retry, BROKEN, attempt, 0.9) for attempt in range(1, 5)] == delays


@given(
    st.sampled_from(Backoff),
    st.floats(0, 1e7),
    st.floats(0, 1e7),
    st.integers(1, 10_000),
    st.floats(0, 1, exclude_max=True),
)
def test_jitter_takes_at_most_half_of_the_delay(
    backoff: Backoff, initial: float, longest: float, attempt: int, draw: float
) -> None:
    plain = Retry(max_attempts=99, backoff=backoff, initial_delay=initial, max_delay=longest, jitter=False)
    jittered = Retry(max_attempts=99, backoff=backoff, initial_delay=initial, max_delay=longest, jitter=True)

    whole = delay(plain, BROKEN, attempt, draw)
    assert 0 <= whole <= longest
    assert whole / 2 <= delay(jittered, BROKEN, attempt, draw) <= whole


@pytest.mark.parametrize(
    ("asked", "given_"),
    [(None, 2.0), (1.0, 2.0), (30.0, 30.0), (1e9, 86_400.0), (float("inf"), 86_400.0)],
    ids=["nothing", "less", "more", "too much", "for ever"],
)
def test_a_server_that_asks_for_patience_gets_it_up_to_a_day(asked: float | None, given_: float) -> None:
    assert delay(THRICE, Failed(code="HTTP_STATUS", message="", retry_after=asked), 1, 0.5) == given_


BY: JSONObject = {"by": "user_1"}


@pytest.mark.parametrize(
    ("kind", "payload", "record", "status"),
    [
        (
            InboxKind.SIGNAL,
            {"name": "go", "payload": 1},
            Record(kind=EventKind.SIGNAL_RECEIVED, payload={"name": "go", "payload": 1, "key": "k"}),
            None,
        ),
        (
            InboxKind.CANCEL,
            {**BY, "reason": "enough"},
            Record(kind=EventKind.CANCEL_REQUESTED, payload={**BY, "reason": "enough"}),
            ExecutionStatus.RUNNING,
        ),
        (InboxKind.PAUSE, BY, Record(kind=EventKind.PAUSED, payload=BY), ExecutionStatus.PAUSED),
        (InboxKind.RESUME, BY, Record(kind=EventKind.RESUMED, payload=BY), ExecutionStatus.RUNNING),
        (
            InboxKind.SKIP,
            {**BY, "path": "price", "output": 7},
            Record(kind=EventKind.STEP_SKIPPED, payload={**BY, "output": 7}, path="price"),
            None,
        ),
        (
            InboxKind.VARIABLE,
            {**BY, "name": "limit", "value": [1]},
            Record(kind=EventKind.VARIABLE_SET, payload={**BY, "name": "limit", "value": [1]}),
            None,
        ),
    ],
    ids=lambda value: value.value if isinstance(value, InboxKind) else "",
)
def test_every_message_is_one_event(
    kind: InboxKind, payload: dict[str, JSON], record: Record, status: ExecutionStatus | None
) -> None:
    message = InboxMessage(id=1, execution_id=ExecutionId(UUID(int=1)), kind=kind, key="k", payload=payload)
    assert of_message(message) == (record, status)
