"""How a run looks while it runs: one execution as steps, several as a table.

`RunView` is a rich renderable fed with frames; `app.live_screen` puts it on a terminal.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from app.live_model import PlanNode, RunProgress, StepProgress, ranks
from domain.engine.events import Event
from domain.engine.ports import ExecutionStatus
from domain.engine.state import StepStatus

_NARROW = 64
"""Columns below which branches stand one below the other and bars are left out."""
_BAR = 12

# Glyph, its ASCII stand-in, colour. The glyph says all that the colour says: NO_COLOR loses nothing.
_STEPS: Mapping[StepStatus, tuple[str, str, str]] = {
    StepStatus.ACTIVE: ("▶", ">", "cyan"),
    StepStatus.RETRYING: ("↻", "~", "yellow"),
    StepStatus.WAITING: ("◷", "?", "magenta"),
    StepStatus.COMPLETED: ("✔", "+", "green"),
    StepStatus.FAILED: ("✘", "x", "red"),
    StepStatus.SKIPPED: ("»", "-", "blue"),
    StepStatus.CANCELLED: ("■", "#", "bright_black"),
}
_RUNS: Mapping[ExecutionStatus, tuple[str, str, str]] = {
    ExecutionStatus.PENDING: ("○", ".", "bright_black"),
    ExecutionStatus.RUNNING: ("▶", ">", "cyan"),
    ExecutionStatus.WAITING: ("◷", "?", "magenta"),
    ExecutionStatus.PAUSED: ("‖", "=", "blue"),
    ExecutionStatus.COMPLETED: ("✔", "+", "green"),
    ExecutionStatus.FAILED: ("✘", "x", "red"),
    ExecutionStatus.CANCELLED: ("■", "#", "bright_black"),
}


class RunView:
    """The view of `total` executions of one plan; `labels` name them (an order's number, else its place in the list).

    `edges` are pairs of node ids: with them, steps that may run at the same time stand side by side.
    """

    def __init__(
        self,
        plan_nodes: Sequence[PlanNode],
        total: int,
        labels: Sequence[str],
        *,
        edges: Sequence[tuple[str, str]] = (),
        title: str = "",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        names = {node: name for node, name, _ in plan_nodes}
        self._title = title
        self._clock = clock
        self._ranks = ranks(plan_nodes, edges)
        self._depth = max(self._ranks.values(), default=0) + 1
        self._news: list[str] = []
        heard = self._step_heard if total == 1 else None
        self.runs = [
            RunProgress(label=labels[index] if index < len(labels) else str(index + 1), names=names, heard=heard)
            for index in range(total)
        ]

    # What happens.

    def event(self, index: int, event: Event) -> None:
        """A row of the log of the execution at `index`."""
        run = self.runs[index]
        before = run.status
        run.event(event)
        self._run_heard(run, before)

    def activity(self, index: int, path: str, node: str, attempt: int, status: str, at: datetime) -> None:
        """A step began; a status not known is shown as active."""
        known = StepStatus.__members__.get(status, StepStatus.ACTIVE)
        self.runs[index].activity(path, node, attempt, known, at)

    def finished(self, index: int, status: ExecutionStatus) -> None:
        """The execution has ended, whether or not its last event was seen."""
        run = self.runs[index]
        before = run.status
        run.finished(status, self._clock())
        self._run_heard(run, before)

    @property
    def done(self) -> bool:
        return all(run.status.terminal for run in self.runs)

    def news(self) -> list[str]:
        """Plain lines since the last call: steps of a single execution, else each execution that finished."""
        lines, self._news = self._news, []
        return lines

    def _step_heard(self, step: StepProgress) -> None:
        attempt = f" (attempt {step.attempt})" if step.attempt > 1 else ""
        note = f": {step.note}" if step.note else ""
        time = duration(step.seconds(self._clock()))
        self._news.append(f"{step.status.lower():9} {step.name}{attempt} {time}{note}")

    def _run_heard(self, run: RunProgress, before: ExecutionStatus) -> None:
        if before.terminal or not run.status.terminal:
            return
        ended = sum(each.status.terminal for each in self.runs)
        count = f"[{ended}/{len(self.runs)}] " if len(self.runs) > 1 else ""
        result = f": {run.result}" if run.result else ""
        self._news.append(f"{count}{run.label} {run.status.lower()} in {duration(run.seconds(self._clock()))}{result}")

    # How it looks.

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        now = self._clock()
        if self._title:
            yield Text(self._title, style="bold", no_wrap=True, overflow="ellipsis")
        if len(self.runs) == 1:
            yield from self._steps(self.runs[0], options, now)
        else:
            yield self._table(options, console.size.height, now)
        yield self._totals(now, options)

    def _steps(self, run: RunProgress, options: ConsoleOptions, now: datetime) -> RenderResult:
        rows: dict[int, list[StepProgress]] = defaultdict(list)
        for step in run.steps.values():
            rows[self._ranks.get(step.node, self._depth)].append(step)
        for _, row in sorted(rows.items()):
            cells = [_cell(step, options.ascii_only, now) for step in row]
            if len(cells) == 1 or options.max_width < _NARROW:
                yield from cells
            else:
                grid = Table.grid(padding=(0, 3, 0, 0))
                for _ in cells:
                    grid.add_column(no_wrap=True, overflow="ellipsis")
                grid.add_row(*cells)
                yield grid

    def _table(self, options: ConsoleOptions, height: int, now: datetime) -> Table:
        narrow = options.max_width < _NARROW
        grid = Table.grid(expand=True, padding=(0, 1, 0, 0))
        grid.add_column(no_wrap=True, overflow="ellipsis", max_width=24)
        if not narrow:
            grid.add_column(no_wrap=True, width=_BAR)
        grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        grid.add_column(no_wrap=True, justify="right", min_width=6)
        chosen = self._fitting(height - 4)
        for run in chosen:
            bar = () if narrow else (self._bar(run, options.ascii_only),)
            time = Text(duration(run.seconds(now)) if run.began else "", style="bright_black")
            grid.add_row(Text(run.label), *bar, _state(run, options.ascii_only, now), time)
        if len(chosen) < len(self.runs):
            grid.add_row(Text(f"… {len(self.runs) - len(chosen)} more", style="bright_black"))
        return grid

    def _fitting(self, rows: int) -> Sequence[RunProgress]:
        """Those that fit a terminal while they run: what is open first, then what ended last. All when done."""
        if self.done or len(self.runs) <= rows:
            return self.runs
        now = self._clock()

        def urgency(run: RunProgress) -> tuple[bool, bool, float]:
            return run.status.terminal, run.began is None, (now - (run.ended or now)).total_seconds()

        chosen = {id(run) for run in sorted(self.runs, key=urgency)[: max(1, rows)]}
        return [run for run in self.runs if id(run) in chosen]

    def _bar(self, run: RunProgress, ascii_only: bool) -> Text:
        reached = max((self._ranks.get(step.node, 0) for step in run.steps.values()), default=-1) + 1
        share = 1.0 if run.status.terminal else min(reached / self._depth, 0.99)
        full = round(share * _BAR)
        done, rest = ("#", ".") if ascii_only else ("━", "─")
        bar = Text(done * full, style=_RUNS[run.status][2])
        return bar.append(rest * (_BAR - full), style="bright_black")

    def _totals(self, now: datetime, options: ConsoleOptions) -> Text:
        counts = Counter(shown_status(run) for run in self.runs)
        parts = [f"{counts[status]} {status.lower()}" for status in ExecutionStatus if counts[status]]
        began = min((run.began for run in self.runs if run.began), default=now)
        ended = max((run.ended or now for run in self.runs), default=now) if self.done else now
        noun = "execution" if len(self.runs) == 1 else "executions"
        line = f"{len(self.runs)} {noun}: {', '.join(parts)} in {duration((ended - began).total_seconds())}"
        if len(self.runs) == 1 and self.runs[0].result:
            line += f" {'-' if options.ascii_only else '—'} {self.runs[0].result}"
        return Text(line, style="bold", overflow="ellipsis", no_wrap=True)


def shown_status(run: RunProgress) -> ExecutionStatus:
    """WAITING when every open step waits: what the row would say once it is let go."""
    steps = run.open_steps()
    waits = bool(steps) and all(step.status is StepStatus.WAITING for step in steps)
    return ExecutionStatus.WAITING if waits and run.status is ExecutionStatus.RUNNING else run.status


def duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _cell(step: StepProgress, ascii_only: bool, now: datetime) -> Text:
    """`✔ Look up the price ↻3 0.94 s`: state, name, attempt, time, and why it is not done."""
    glyph, plain, colour = _STEPS[step.status]
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{plain if ascii_only else glyph} ", style=colour)
    text.append(step.name)
    if step.attempt > 1:
        text.append(f" {'x' if ascii_only else '↻'}{step.attempt}", style="yellow")
    text.append(f" {duration(step.seconds(now))}", style="bright_black")
    if step.note:
        text.append(f" {step.note}", style=colour)
    if step.due is not None:
        text.append(f" ({duration(max(0.0, (step.due - now).total_seconds()))} left)", style="bright_black")
    return text


def _state(run: RunProgress, ascii_only: bool, now: datetime) -> Text:
    """The steps an execution is at; at its end, what came of it."""
    cells = [_cell(step, ascii_only, now) for step in run.open_steps()]
    text = Text(no_wrap=True, overflow="ellipsis")
    if not cells or run.status is ExecutionStatus.PAUSED:
        glyph, plain, colour = _RUNS[run.status]
        result = run.result or run.status.lower()
        text.append(f"{plain if ascii_only else glyph} {result}", style=colour)
        cells.insert(0, text)
    return Text("  ", no_wrap=True, overflow="ellipsis").join(cells)
