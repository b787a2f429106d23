"""Where a view goes: onto a terminal, line by line into anything else, into a picture."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from io import StringIO
from typing import Protocol

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live

from app.live_view import RunView

_FRAMES_PER_SECOND = 10
_FONT_FROM_ELSEWHERE = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)


class Shown(Protocol):
    """A view that rich can draw."""

    def news(self) -> list[str]:
        """Plain lines since the last call."""
        ...

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult: ...


@asynccontextmanager
async def shown(view: Shown, console: Console) -> AsyncGenerator[None, None]:
    """Keep the view on the console while the block runs: drawn anew on a terminal, line by line elsewhere."""
    live = Live(view, console=console, auto_refresh=False, vertical_overflow="visible")
    task = asyncio.create_task(_refresh(live, view, console))
    if console.is_terminal:
        live.start(refresh=True)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        if console.is_terminal:
            live.stop()
        else:
            _print_news(view, console)


async def _refresh(live: Live, view: Shown, console: Console) -> None:
    while True:
        await asyncio.sleep(1 / _FRAMES_PER_SECOND)
        if console.is_terminal:
            live.refresh()
        else:
            _print_news(view, console)


def _print_news(view: Shown, console: Console) -> None:
    for line in view.news():
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def picture(view: RunView, *, title: str, width: int = 100) -> str:
    """The view as it stands now, as an SVG that needs no font and no address from elsewhere."""
    console = Console(
        record=True,
        width=width,
        height=len(view.runs) + 10,
        file=StringIO(),
        force_terminal=True,
        color_system="truecolor",
        no_color=False,
    )
    console.print(view)
    return _FONT_FROM_ELSEWHERE.sub("", console.export_svg(title=title, unique_id="weir"))
