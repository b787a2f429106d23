"""How a load run looks while it runs: how many are over and under way, and how fast; in plain lines now and then."""

from collections.abc import Callable
from datetime import UTC, datetime

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.text import Text

from app.live_view import duration

_LINES = 10
"""So many plain lines in all, where there is no terminal."""


class LoadView:
    """Implements `app.live_screen.Shown`."""

    def __init__(self, title: str, count: int, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._title = title
        self._count = count
        self._clock = clock
        self._began = clock()
        self._told = 0
        self.over = 0
        self.running = 0

    def told(self, over: int, running: int) -> None:
        self.over, self.running = over, running

    def news(self) -> list[str]:
        share = self.over * _LINES // self._count
        if share == self._told:
            return []
        self._told = share
        return [self._line()]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self._title, style="bold", no_wrap=True, overflow="ellipsis")
        yield ProgressBar(total=self._count, completed=self.over, width=min(60, options.max_width))
        yield Text(self._line(), no_wrap=True, overflow="ellipsis")

    def _line(self) -> str:
        seconds = (self._clock() - self._began).total_seconds()
        speed = f", {self.over / seconds:,.1f} per second" if seconds > 0 and self.over else ""
        return f"{self.over:,} of {self._count:,} over, {self.running:,} under way in {duration(seconds)}{speed}"
