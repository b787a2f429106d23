"""`weir up`, `serve`, `worker` and `scheduler`: the processes that stay. Changes when one takes another option."""

from pathlib import Path

import click

_DATA_DIR = click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Where the embedded servers and their files live."
)
_HOST = click.option("--host", help="Address to listen on. Default: WEIR_HOST or 127.0.0.1.")
_PORT = click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 takes a free one. Default: 8000.")


def _say(text: str) -> None:
    click.echo(text, err=True)


@click.command()
@_HOST
@_PORT
@_DATA_DIR
@click.option("--workers", type=click.IntRange(0, 64), default=1, show_default=True, help="Worker processes.")
def up(*, host: str | None, port: int | None, data_dir: Path | None, workers: int) -> None:
    """Start everything on this machine: servers, API, workers, scheduler. Ctrl-C stops it cleanly.

    Prints `ready http://…` on stdout once it serves. How to sign in stands in DIR/credentials.json.
    """
    from app.settings import Settings
    from app.up import run_up

    settings = Settings.load(data_dir=data_dir)
    run_up(settings, host=host, port=port, workers=workers, say=_say, ready=click.echo)


@click.command()
@_HOST
@_PORT
@_DATA_DIR
def serve(*, host: str | None, port: int | None, data_dir: Path | None) -> None:
    """The API process alone; prints `ready http://…` once it serves."""
    from app.settings import Settings
    from app.up import run_up

    settings = Settings.load(data_dir=data_dir)
    run_up(settings, host=host, port=port, workers=0, say=_say, ready=click.echo, alone=True)


@click.command()
@_DATA_DIR
@click.option("--tied", is_flag=True, hidden=True, help="Stop when standard input ends.")
def worker(*, data_dir: Path | None, tied: bool) -> None:
    """A worker process alone. SIGTERM drains it: running steps may finish, the rest goes on elsewhere."""
    from app.settings import Settings
    from app.worker import run_worker

    run_worker(Settings.load(data_dir=data_dir), say=_say, tied=tied)


@click.command()
@_DATA_DIR
def scheduler(*, data_dir: Path | None) -> None:
    """The scheduler process alone: wakes what is due or forgotten and makes next month's partitions."""
    from app.scheduler import run_scheduler
    from app.settings import Settings

    run_scheduler(Settings.load(data_dir=data_dir), say=_say)
