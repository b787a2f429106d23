"""The live view: what each frame changes on the screen, at every width, with and without a terminal."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from app.live_model import preview, ranks
from app.live_screen import picture, shown
from app.live_view import RunView, duration
from domain.engine.events import Event, EventKind
from domain.engine.ports import ExecutionStatus
from domain.json import JSON

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
NODES = [
    ("order", "Order received", "trigger"),
    ("price", "Look up the price", "http"),
    ("stock", "In stock?", "http"),
    ("buyer", "Trusted?", "http"),
    ("both", "Both are known", "merge"),
    ("reply", "Wait for the approver", "wait"),
    ("end", "Fulfilled", "end"),
]
EDGES = [
    ("order", "price"),
    ("price", "stock"),
    ("price", "buyer"),
    ("stock", "both"),
    ("buyer", "both"),
    ("both", "reply"),
    ("reply", "end"),
]


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def event(kind: EventKind, seconds: float, node: str | None = None, attempt: int = 1, **payload: JSON) -> Event:
    return Event(
        seq=1, kind=kind, at=at(seconds), node=node, path=node, attempt=attempt if node else None, payload=payload
    )


def view_of(total: int = 1, labels: Sequence[str] = ("W-1",), *, now: float = 2.0) -> RunView:
    return RunView(NODES, total, labels, edges=EDGES, clock=lambda: at(now))


def begin(view: RunView, index: int = 0) -> None:
    view.event(index, event(EventKind.EXECUTION_STARTED, 0, input={}))
    view.event(index, event(EventKind.STEP_COMPLETED, 0.25, "order"))


def drawn(view: RunView, *, width: int = 80, height: int = 25, encoding: str = "utf-8") -> list[str]:
    class Screen(StringIO):
        @property
        def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] -- what a terminal says it speaks
            return encoding

    screen = Screen()
    Console(file=screen, width=width, height=height, force_terminal=True, no_color=True, color_system=None).print(view)
    return [line.rstrip() for line in screen.getvalue().splitlines()]


def test_a_single_execution_is_shown_step_by_step_with_parallel_branches_side_by_side() -> None:
    view = view_of()
    begin(view)
    view.activity(0, "price", "price", 1, "ACTIVE", at(0.25))
    view.event(0, event(EventKind.STEP_COMPLETED, 0.5, "price"))
    view.activity(0, "stock", "stock", 1, "ACTIVE", at(0.5))
    view.activity(0, "buyer", "buyer", 1, "ACTIVE", at(0.5))
    view.event(0, event(EventKind.STEP_COMPLETED, 1.0, "buyer"))

    assert drawn(view) == [
        "✔ Order received 0.00 s",
        "✔ Look up the price 0.25 s",
        "▶ In stock? 1.50 s   ✔ Trusted? 0.50 s",
        "1 execution: 1 running in 2.00 s",
    ]


def test_branches_stand_one_below_the_other_on_a_narrow_terminal() -> None:
    view = view_of()
    view.event(0, event(EventKind.EXECUTION_STARTED, 0))
    view.activity(0, "stock", "stock", 1, "ACTIVE", at(0.5))
    view.activity(0, "buyer", "buyer", 1, "ACTIVE", at(0.5))

    assert drawn(view, width=24) == [
        "▶ In stock? 1.50 s",
        "▶ Trusted? 1.50 s",
        "1 execution: 1 running …",
    ]


def test_a_retry_shows_why_it_waits_for_how_long_and_then_its_attempt() -> None:
    view = view_of()
    view.event(0, event(EventKind.EXECUTION_STARTED, 0))
    view.activity(0, "price", "price", 1, "ACTIVE", at(1))
    failed = {"code": "HTTP_503", "message": "The service answered 503"}
    view.event(0, event(EventKind.STEP_FAILED, 1.5, "price", error=failed, retryAt=at(3).isoformat(), final=False))
    assert drawn(view)[0] == "↻ Look up the price 1.00 s The service answered 503 (1.00 s left)"

    view.activity(0, "price", "price", 2, "ACTIVE", at(1.8))
    assert drawn(view)[0] == "▶ Look up the price ↻2 1.00 s"


def test_a_wait_shows_for_what_and_for_how_long() -> None:
    view = view_of()
    view.event(0, event(EventKind.EXECUTION_STARTED, 0))
    view.event(0, event(EventKind.WAITING, 1, "reply", callback=True, until=at(4).isoformat()))

    assert drawn(view) == [
        "◷ Wait for the approver 1.00 s waits for its callback (2.00 s left)",
        "1 execution: 1 waiting in 2.00 s",
    ]


def test_an_activity_that_comes_after_its_outcome_changes_nothing() -> None:
    view = view_of()
    view.event(0, event(EventKind.EXECUTION_STARTED, 0))
    view.event(0, event(EventKind.STEP_COMPLETED, 1, "price"))
    view.activity(0, "price", "price", 1, "ACTIVE", at(0.5))

    assert drawn(view)[0] == "✔ Look up the price 0.00 s"


def test_a_step_whose_beginning_was_not_announced_shows_the_time_its_outcome_tells() -> None:
    view = view_of()
    view.event(0, event(EventKind.EXECUTION_STARTED, 0))
    view.event(0, event(EventKind.STEP_COMPLETED, 1, "price", ms=120.5))

    assert drawn(view)[0] == "✔ Look up the price 0.12 s"


def test_a_failed_execution_shows_the_error_and_cancels_what_was_open() -> None:
    view = view_of()
    begin(view)
    view.activity(0, "stock", "stock", 1, "ACTIVE", at(0.5))
    view.event(0, event(EventKind.STEP_FAILED, 1, "buyer", error={"code": "HTTP_404", "message": "no such customer"}))
    view.event(0, event(EventKind.EXECUTION_FAILED, 1.5, error={"code": "HTTP_404", "message": "no such customer"}))

    assert drawn(view) == [
        "✔ Order received 0.00 s",
        "■ In stock? 1.00 s   ✘ Trusted? 0.00 s no such customer",
        "1 execution: 1 failed in 1.50 s — no such customer",
    ]


def test_steps_taken_over_from_the_execution_retried_are_shown_as_done() -> None:
    view = view_of()
    view.event(0, event(EventKind.EXECUTION_STARTED, 0))
    seeds: list[JSON] = [
        {"kind": "STEP_COMPLETED", "path": "price", "node": "price"},
        {"kind": "STEP_FAILED", "path": "stock", "node": "stock"},
    ]
    view.event(0, event(EventKind.SEEDED, 0, steps=[{"kind": "VARIABLE_SET", "name": "a"}, *seeds]))

    assert drawn(view)[:2] == [
        "✔ Look up the price 0.00 s from the execution retried",
        "✘ In stock? 0.00 s from the execution retried",
    ]


def test_a_step_skipped_by_hand_names_who_did_it() -> None:
    view = view_of()
    view.event(0, event(EventKind.EXECUTION_STARTED, 0))
    view.event(0, event(EventKind.STEP_SKIPPED, 1, "price", output=None, by="ana@example.org"))

    assert drawn(view)[0] == "» Look up the price 0.00 s skipped by ana@example.org"


def test_a_pause_is_shown_until_the_execution_is_resumed() -> None:
    view = view_of()
    begin(view)
    view.event(0, event(EventKind.PAUSED, 1))
    assert drawn(view)[-1] == "1 execution: 1 paused in 2.00 s"

    view.event(0, event(EventKind.RESUMED, 1.5))
    assert drawn(view)[-1] == "1 execution: 1 running in 2.00 s"


def test_several_executions_are_rows_with_progress_steps_and_result() -> None:
    view = view_of(4, ["W-1", "W-2", "W-3"])
    for index in range(3):
        begin(view, index)
    view.activity(0, "stock", "stock", 1, "ACTIVE", at(0.5))
    view.activity(0, "buyer", "buyer", 1, "ACTIVE", at(0.5))
    view.event(1, event(EventKind.WAITING, 1, "reply", signal="approved"))
    view.event(2, event(EventKind.EXECUTION_COMPLETED, 1.5, output={"status": "turned down", "reason": "Too late"}))

    assert drawn(view) == [
        "W-1 ━━━━━━────── ▶ In stock? 1.50 s  ▶ Trusted? 1.50 s                    2.00 s",
        "W-2 ━━━━━━━━━━── ◷ Wait for the approver 1.00 s waits for approved        2.00 s",
        "W-3 ━━━━━━━━━━━━ ✔ turned down: Too late                                  1.50 s",
        "4   ──────────── ○ pending",
        "4 executions: 1 pending, 1 running, 1 waiting, 1 completed in 2.00 s",
    ]


def test_a_narrow_terminal_drops_the_bars() -> None:
    view = view_of(2, ["W-1", "W-2"])
    begin(view, 0)

    assert drawn(view, width=40) == [
        "W-1 ▶ running                     2.00 s",
        "W-2 ○ pending",
        "2 executions: 1 pending, 1 running in 2…",
    ]


def test_a_low_terminal_shows_what_is_open_and_what_ended_last_and_everything_at_the_end() -> None:
    view = view_of(20, [f"W-{number}" for number in range(20)])
    for index in range(20):
        begin(view, index)
    for index in range(18):
        view.event(index, event(EventKind.EXECUTION_COMPLETED, 1 + index / 100, output=None))
    assert [line.split()[0] for line in drawn(view, height=8)] == ["W-16", "W-17", "W-18", "W-19", "…", "20"]

    for index in (18, 19):
        view.finished(index, ExecutionStatus.CANCELLED)
    lines = drawn(view, height=8)
    assert len(lines) == 21
    assert lines[-1] == "20 executions: 18 completed, 2 cancelled in 2.00 s"


def test_a_terminal_that_speaks_only_ascii_gets_only_ascii() -> None:
    view = view_of(2, ["W-1", "W-2"])
    begin(view, 0)
    view.activity(0, "price", "price", 3, "ACTIVE", at(0.5))

    lines = drawn(view, encoding="ascii")
    assert lines[0] == "W-1 ####........ > Look up the price x3 1.50 s                            2.00 s"
    assert all(line.isascii() for line in lines)


def test_a_single_execution_gives_a_plain_line_for_each_step_and_the_end() -> None:
    view = view_of()
    view.event(0, event(EventKind.EXECUTION_STARTED, 0))
    view.activity(0, "price", "price", 1, "ACTIVE", at(0))
    view.event(0, event(EventKind.STEP_FAILED, 0.5, "price", error={"message": "503"}, retryAt=at(1).isoformat()))
    view.event(0, event(EventKind.STEP_COMPLETED, 1.5, "price", 2))
    assert view.news() == ["retrying  Look up the price 2.00 s: 503", "completed Look up the price (attempt 2) 1.50 s"]

    view.event(0, event(EventKind.EXECUTION_COMPLETED, 1.75, output={"total": 12}))
    view.finished(0, ExecutionStatus.COMPLETED)
    assert view.news() == ['W-1 completed in 1.75 s: {"total": 12}']
    assert view.news() == []


async def test_without_a_terminal_several_executions_print_one_line_each() -> None:
    view = view_of(2, ["W-1", "W-2"])
    output = StringIO()

    async with shown(view, Console(file=output, width=20, force_terminal=False)):
        for index, status in enumerate(("fulfilled", "[bold]turned down")):
            begin(view, index)
            view.event(index, event(EventKind.EXECUTION_COMPLETED, 1, output={"status": status}))

    assert output.getvalue() == (
        "[1/2] W-1 completed in 1.00 s: fulfilled\n[2/2] W-2 completed in 1.00 s: [bold]turned down\n"
    )


async def test_a_terminal_keeps_the_last_picture() -> None:
    view = view_of()
    output = StringIO()

    async with shown(view, Console(file=output, width=60, force_terminal=True, no_color=True)):
        begin(view)
        view.finished(0, ExecutionStatus.COMPLETED)

    assert "✔ Order received" in output.getvalue()
    assert "1 execution: 1 completed in 2.00 s" in output.getvalue()


def test_the_picture_is_an_svg_that_fetches_nothing() -> None:
    view = view_of(30, [f"W-{number}" for number in range(30)])
    begin(view)

    svg = picture(view, title="weir run")

    assert svg.startswith("<svg")
    assert svg == picture(view, title="weir run")
    assert "W-29" in svg
    assert "url(http" not in svg
    assert "font-face" not in svg


def test_nodes_that_may_run_together_share_a_rank_and_a_cycle_ends() -> None:
    assert ranks(NODES, EDGES) == {"order": 0, "price": 1, "stock": 2, "buyer": 2, "both": 3, "reply": 4, "end": 5}
    assert ranks(NODES[:3], []) == {"order": 0, "price": 1, "stock": 2}
    assert ranks(NODES[:3], [("order", "price"), ("price", "stock"), ("stock", "price")]) == {
        "order": 0,
        "price": 1,
        "stock": 2,
    }


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (None, ""),
        ({"status": "fulfilled", "reason": None}, "fulfilled"),
        ({"status": "turned down", "reason": "Out of stock"}, "turned down: Out of stock"),
        ({"status": 200}, '{"status": 200}'),
        ([1, "zwei"], '[1, "zwei"]'),
    ],
)
def test_a_result_is_told_in_one_line(output: JSON, text: str) -> None:
    assert preview(output) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.004, "0.00 s"), (12.34, "12.3 s"), (65, "1 min 05 s"), (7_260, "2 h 01 min")]
)
def test_durations_are_as_exact_as_they_matter(seconds: float, text: str) -> None:
    assert duration(seconds) == text
