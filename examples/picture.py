"""Takes the picture in the README: the order example in the middle of a real run.

    PYTHONPATH=. .venv/bin/python examples/picture.py

starts the shop and a Weir in a new data directory, runs the 25 orders there and writes docs/images/run.svg.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE, Popen
from urllib.parse import urlsplit

from rich.console import Console

from app.live_screen import picture, shown
from app.live_view import RunView
from app.run_remote import run_remote
from app.run_request import read_request

PROJECT = Path(__file__).resolve().parent.parent
FILE = PROJECT / "docs/images/run.svg"
COMMAND = "./weir run examples/order_fulfilment.yaml --each @examples/order_fulfilment.orders.json"
FINISHED = 13
"""How many of the orders are through when the picture is taken."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, serving("examples/shop.py") as shop:
        data_dir = Path(folder) / "data"
        with serving("-m", "app.cli", "up", "--port=0", f"--data-dir={data_dir}", allow=urlsplit(shop).netloc) as url:
            key = json.loads((data_dir / "credentials.json").read_text())["api_key"]
            request = read_request(
                PROJECT / "examples/order_fulfilment.yaml",
                input_=None,
                each=f"@{PROJECT}/examples/order_fulfilment.orders.json",
                variables=[f"demo={shop}"],
            )
            run_remote(replace(request, inputs=request.inputs[:1]), server=url, key=key)  # to warm up
            run_remote(request, server=url, key=key, show=pictured)
    print(f"wrote {FILE}")


@contextmanager
def serving(*arguments: str, allow: str = "") -> Generator[str]:
    """The address of a Python program that prints `ready http://…` when it serves; stopped at the end."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "WEIR_HTTP_ALLOW": allow}
    command = [sys.executable, *arguments]
    with Popen(command, cwd=PROJECT, env=environment, stdout=PIPE, text=True) as process:
        try:
            yield process.stdout.readline().removeprefix("ready ").strip() if process.stdout else ""
        finally:
            process.terminate()


@asynccontextmanager
async def pictured(view: RunView, console: Console) -> AsyncGenerator[None]:
    """Show the view as always, and take the picture when the time has come."""

    async def take() -> None:
        while True:
            await asyncio.sleep(0.01)
            if sum(run.status.terminal for run in view.runs) >= FINISHED:
                FILE.write_text(picture(view, title=COMMAND, width=104), encoding="utf-8")
                return

    async with shown(view, console):
        taking = asyncio.create_task(take())
        yield
        await taking


if __name__ == "__main__":
    main()
