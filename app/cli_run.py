"""`weir run`: a workflow file against real input, live. Changes when the command takes another option."""

from pathlib import Path

import click


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--input", "input_", metavar="JSON|@FILE", help="The execution's input.")
@click.option("--each", metavar="JSON|@FILE", help="A list: one execution for each of its elements.")
@click.option("--var", "variables", metavar="NAME=VALUE", multiple=True, help="A variable; VALUE is JSON or text.")
@click.option("--server", metavar="URL", help="Run it there instead of on the embedded servers.")
@click.option("--key", metavar="KEY", help="API key for --server.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with statuses, also for a single run.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the embedded servers and their files live.")
@click.pass_context
def run(
    ctx: click.Context,
    *,
    file: Path,
    input_: str | None,
    each: str | None,
    variables: tuple[str, ...],
    server: str | None,
    key: str | None,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """Run the workflow in FILE (.yaml or .json) and print its result.

    Progress is shown on stderr; stdout gets the output as JSON, with --each the list of {status, output, error}.
    Status 0: all completed; 1: any failed; 2: wrong input; 130: interrupted.
    """
    from app.run_request import read_request
    from app.run_result import exit_status, result_text

    request = read_request(file, input_=input_, each=each, variables=variables)
    if server is not None:
        from app.run_remote import run_remote

        finished = run_remote(request, server=server, key=key)
    else:
        from app.run_local import run_local
        from app.settings import Settings

        finished = run_local(request, Settings.load(data_dir=data_dir))
    click.echo(result_text(finished, many=request.many, with_status=as_json))
    ctx.exit(exit_status(finished))
