"""Load runs: how many are due, what they begin with, and how the report is kept and told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import uuid_utils.compat as uuid

from app.load_report import LoadEnd, as_text
from app.load_view import LoadView
from domain.engine.ports import ExecutionStatus
from domain.errors import Refusal
from domain.ids import LoadRunId, VersionId, WorkflowId
from domain.load_runs import LoadRun, LoadRunStatus
from domain.load_runs_feed import CHUNK, Due, due, executions
from domain.load_runs_report import LoadReport, NodeTime, Spread, report_from_json, report_to_json
from domain.load_runs_start import LoadSize, checked_size

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
RUN = LoadRun(
    id=LoadRunId(uuid.uuid7()),
    workflow_id=WorkflowId(uuid.uuid7()),
    version_id=VersionId(uuid.uuid7()),
    count=100,
    concurrency=10,
    begins_with={"input": 1, "deadline": None},
    timeout=30,
    created_at=NOW,
    created_by="user_1",
)
REPORT = LoadReport(
    begun=3,
    running=1,
    seconds=2.5,
    per_second=0.8,
    statuses={ExecutionStatus.COMPLETED: 1, ExecutionStatus.FAILED: 1, ExecutionStatus.RUNNING: 1},
    errors={"HTTP_500": 1},
    durations=Spread(p50=1.0, p95=2.0, p99=3.0, max=4.0),
    nodes=[NodeTime(node="loop.price", attempts=2, total_ms=3.0, p50_ms=1.0, p95_ms=2.0, max_ms=2.0)],
)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("changed", "running", "expected"),
    [
        pytest.param({}, 0, 10, id="as many as may be at once"),
        pytest.param({"begun": 50}, 7, 3, id="what has become free"),
        pytest.param({"begun": 98}, 0, 2, id="what is left"),
        pytest.param({"begun": 100}, 0, 0, id="nothing left"),
        pytest.param({"begun": 10}, 12, 0, id="more than may be"),
        pytest.param({"cancelled_at": NOW}, 0, 0, id="cancelled"),
        pytest.param({"count": 10_000, "concurrency": 10_000}, 0, CHUNK, id="one commit"),
    ],
)
def test_as_many_are_due_as_have_room(changed: dict[str, object], running: int, expected: int) -> None:
    assert due(replace(RUN, **changed), running, NOW) == Due(number=expected)


@pytest.mark.parametrize(
    ("begun", "seconds", "expected"),
    [
        pytest.param(0, 0.0, Due(number=1, later=after(0.5)), id="the first at once"),
        pytest.param(1, 0.1, Due(number=0, later=after(0.5)), id="not yet"),
        pytest.param(1, 0.5, Due(number=1, later=after(1.0)), id="the next"),
        pytest.param(1, 2.2, Due(number=4, later=after(2.5)), id="what was late"),
        pytest.param(1, 60.0, Due(number=10), id="no more than at once"),
    ],
)
def test_a_rate_says_when_the_next_one_is_due(begun: int, seconds: float, expected: Due) -> None:
    assert due(replace(RUN, rate=2.0, begun=begun), 0, after(seconds)) == expected


def test_each_execution_begins_alike_with_a_deadline_of_its_own_behind_everything_else() -> None:
    first, second = executions(RUN, 2, ids=uuid.uuid7, now=after(5))

    assert first.id != second.id
    assert (first.priority, first.test, first.draft, first.trial_of) == (-100, True, True, RUN.id)
    assert first.created_at == after(5)
    (event,) = first.events
    assert (event.seq, event.at) == (1, after(5))
    assert event.payload == {"input": 1, "deadline": after(35).isoformat()}


def test_a_report_is_kept_as_it_is() -> None:
    assert report_from_json(report_to_json(REPORT)) == REPORT
    assert report_from_json(None) is None


@pytest.mark.parametrize(
    "size",
    [
        LoadSize(count=0),
        LoadSize(count=10_001),
        LoadSize(count=1, concurrency=0),
        LoadSize(count=1, concurrency=201),
        LoadSize(count=1, rate=0),
        LoadSize(count=1, rate=1_001),
        LoadSize(count=1, rate=float("nan")),
    ],
)
def test_a_size_out_of_range_is_refused(size: LoadSize) -> None:
    with pytest.raises(Refusal):
        checked_size(size)


def test_a_cancelled_one_is_told_from_one_that_is_over() -> None:
    assert RUN.status is LoadRunStatus.RUNNING
    assert replace(RUN, finished_at=NOW).status is LoadRunStatus.FINISHED
    assert replace(RUN, cancelled_at=NOW, finished_at=NOW).status is LoadRunStatus.CANCELLED


def test_the_report_is_a_table() -> None:
    assert as_text(LoadEnd(workflow="Orders", case="One", report=REPORT)).splitlines() == [
        "Orders, One: 3 executions in 2.50 s, 0.8 per second",
        "  completed        1",
        "  failed           1",
        "  running          1",
        "    HTTP_500                     1",
        "  milliseconds                       p50       p95       p99       max",
        "  duration                           1.0       2.0       3.0       4.0",
        "  wait for a worker                    -         -         -         -",
        "  slowest nodes                      p50       p95       max       total  attempts",
        "    loop.price                       1.0       2.0       2.0         3.0         2",
    ]


@pytest.mark.parametrize(
    ("statuses", "interrupted", "status"),
    [
        ({ExecutionStatus.COMPLETED: 3}, False, 0),
        ({ExecutionStatus.COMPLETED: 3, ExecutionStatus.FAILED: 1}, False, 1),
        ({ExecutionStatus.COMPLETED: 3}, True, 130),
    ],
)
def test_the_status_says_whether_all_have_completed(
    statuses: dict[ExecutionStatus, int], interrupted: bool, status: int
) -> None:
    report = replace(REPORT, statuses=statuses)

    assert LoadEnd(workflow="w", case="c", report=report, interrupted=interrupted).exit_status == status


def test_without_a_terminal_there_is_a_line_for_each_tenth() -> None:
    view = LoadView("Orders", 20, clock=lambda: NOW)

    told = [view.told(over, 1) or view.news() for over in (0, 1, 2, 3, 20)]

    assert told == [
        [],
        [],
        ["2 of 20 over, 1 under way in 0.00 s"],
        [],
        ["20 of 20 over, 1 under way in 0.00 s"],
    ]
