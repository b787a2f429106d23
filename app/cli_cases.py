"""`weir test-workflow`: saved test cases, or a load run. Changes when the command takes another option."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from app.cases_report import CasesReport
    from app.load_report import LoadEnd
    from domain.load_runs_start import LoadSize


@click.command("test-workflow")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--case", "names", metavar="NAME", multiple=True, help="Only this case; may be given several times.")
@click.option("--load", type=int, metavar="N", help="Run one case N times and measure it.")
@click.option("--concurrency", type=int, default=10, show_default=True, help="With --load: how many at once.")
@click.option("--rate", type=float, metavar="R", help="With --load: how many begin per second at most.")
@click.option("--input", "input_", metavar="JSON|@FILE", help="With --load: this input instead of a case.")
@click.option("--server", metavar="URL", help="Run those saved there instead.")
@click.option("--key", metavar="KEY", help="API key for --server.")
@click.option("--workflow", metavar="NAME|ID", help="With --server, instead of FILE: the workflow there.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--junit", type=click.Path(path_type=Path), metavar="FILE", help="Also write the report as JUnit's XML.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the embedded servers and their files live.")
@click.pass_context
def test_workflow(
    ctx: click.Context,
    *,
    file: Path | None,
    names: tuple[str, ...],
    load: int | None,
    concurrency: int,
    rate: float | None,
    input_: str | None,
    server: str | None,
    key: str | None,
    workflow: str | None,
    as_json: bool,
    junit: Path | None,
    data_dir: Path | None,
) -> None:
    """Run the test cases in the file beside FILE (order.yaml: order.tests.yaml) and tell which have passed.

    Nothing outside is done unless a case allows it. Progress is shown on stderr, the report comes to stdout. Status 0:
    all passed, with --load all completed; 1: any not; 2: wrong input; 130: interrupted.
    """
    from domain.errors import Invalid

    if server is None and (file is None or workflow is not None or key is not None):
        raise Invalid("Give a FILE, or --server, --key and --workflow", path=("file",))
    if load is None and (input_ is not None or rate is not None):
        raise Invalid("--input and --rate belong to --load", path=("load",))
    if load is not None and junit is not None:
        raise Invalid("--junit is about test cases, --load is none", path=("junit",))
    if junit is not None and not junit.absolute().parent.is_dir():
        raise Invalid(f"There is no folder {junit.absolute().parent}", path=("junit",))
    asked = _Asked(file=file, names=names, input_=input_, server=server, key=key, workflow=workflow, data_dir=data_dir)
    if load is None:
        from app import cases_report

        report = _cases(asked)
        if junit is not None:
            junit.write_bytes(cases_report.as_junit(report))
        click.echo(cases_report.as_json(report) if as_json else cases_report.as_text(report))
        ctx.exit(report.exit_status)
    from app import load_report
    from domain.load_runs_start import LoadSize, checked_size

    end = _load(asked, checked_size(LoadSize(count=load, concurrency=concurrency, rate=rate)))
    click.echo(load_report.as_json(end) if as_json else load_report.as_text(end))
    ctx.exit(end.exit_status)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The options that say what is to run, and where."""

    file: Path | None
    names: tuple[str, ...]
    input_: str | None
    server: str | None
    key: str | None
    workflow: str | None
    data_dir: Path | None

    @property
    def local(self) -> Path:
        return Path(self.file or "")


def _cases(asked: _Asked) -> "CasesReport":
    if asked.server is not None:
        from app import cases_remote

        remote = cases_remote.remote_of(asked.server, asked.key, asked.file, asked.workflow)
        return cases_remote.run_cases(remote, asked.names)
    from app.cases_local import run_cases
    from app.cases_request import read_cases
    from app.settings import Settings

    return run_cases(read_cases(asked.local, asked.names), Settings.load(data_dir=asked.data_dir))


def _load(asked: _Asked, size: "LoadSize") -> "LoadEnd":
    if asked.server is not None:
        from app import cases_remote, load_remote
        from app.cases_chosen import only_case

        remote = cases_remote.remote_of(asked.server, asked.key, asked.file, asked.workflow)
        return load_remote.run_load(remote, asked.names, only_case(asked.names, asked.input_), size)
    from app.cases_request import read_load
    from app.load_local import run_load
    from app.settings import Settings

    request = read_load(asked.local, asked.names, asked.input_)
    return run_load(request, size, Settings.load(data_dir=asked.data_dir))
