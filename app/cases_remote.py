"""Test cases that are saved on another Weir: begun there, followed live, judged there."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console

from app.cases_chosen import chosen
from app.cases_report import CaseReport, CasesReport
from app.live_screen import shown
from app.live_view import RunView
from app.remote_server import RemoteServer, done
from app.run_remote import Watched
from app.run_request import read_request
from app.signals import stop_event
from domain.engine.ports import ExecutionStatus
from domain.errors import Invalid, InvalidState, NotFound
from domain.json import JSON, JSONObject, as_list, as_object
from domain.testcases import Case
from domain.trials import Pin, Trial
from domain.trials_verdict import Shortfall, Verdict

_CASES = """testCases(first: 50, after: $after) { pageInfo { hasNextPage endCursor }
  nodes { id name input variables timeout effects pins { node output handle } } }"""
_FIND = f"""query ($id: ID, $name: String, $after: String) {{ workflow(id: $id, name: $name) {{ id name
  graph {{ nodes {{ id name kind }} edges {{ source target }} }} {_CASES} }} }}"""
_RESULTS = """results { testCase { id } execution { id status durationMs }
  verdict { passed failures { message node path expected actual } } }"""
_RUN = f"""mutation ($ids: [ID!]) {{
  testCaseRun(ids: $ids) {{ testRun {{ {_RESULTS} }} errors {{ message path remedy }} }} }}"""
_JUDGE = f"query ($ids: [ID!]!) {{ testRun(ids: $ids) {{ {_RESULTS} }} }}"
_MOST_IDS = 20

Say = Callable[[str], None]
Show = Callable[[RunView, Console], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """`workflow`: its name, or its id."""

    server: str
    key: str
    workflow: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteWorkflow:
    """`ids`: those of the saved cases, by name."""

    id: str
    name: str
    graph: JSONObject
    cases: Sequence[Case]
    ids: dict[str, str]


def remote_of(server: str, key: str | None, file: Path | None, workflow: str | None) -> Remote:
    """Where what is. A file only tells the workflow's name. Raises Invalid, which names the option."""
    if not key:
        raise Invalid("--server needs --key", path=("key",), remedy="Give an API key of a tenant of that server.")
    if (file is None) is (workflow is None):
        raise Invalid(
            "--server needs a FILE or --workflow, not both",
            path=("workflow",),
            remedy="Give --workflow NAME or ID; of a FILE only the workflow's name is used.",
        )
    if file is not None:
        workflow = read_request(file, input_=None, each=None, variables=()).document.name
    return Remote(server=server, key=key, workflow=str(workflow))


def run_cases(remote: Remote, names: Sequence[str], *, show: Show = shown) -> CasesReport:
    """Blocks until every case is over, or until Ctrl-C has cancelled them. Raises Refusal."""
    return uvloop.run(_run(remote, names, Console(stderr=True), show))


async def find(remote: Remote, server: RemoteServer) -> RemoteWorkflow:
    """The workflow with all its cases. Raises NotFound, and Refusal for what the server refuses."""
    by_id = remote.workflow.startswith("workflow_")
    which: dict[str, JSON] = {"id" if by_id else "name": remote.workflow, "after": None}
    cases: list[JSONObject] = []
    while True:
        found = as_object((await server.execute(_FIND, which))["workflow"])
        if not found:
            raise NotFound("workflow", remote.workflow, path=("workflow",))
        page = as_object(found["testCases"])
        cases += [as_object(each) for each in as_list(page["nodes"])]
        info = as_object(page["pageInfo"])
        if not info["hasNextPage"]:
            return RemoteWorkflow(
                id=str(found["id"]),
                name=str(found["name"]),
                graph=as_object(found["graph"]),
                cases=[_case(each) for each in cases],
                ids={str(each["name"]): str(each["id"]) for each in cases},
            )
        which["after"] = info["endCursor"]


async def _run(remote: Remote, names: Sequence[str], console: Console, show: Show) -> CasesReport:
    stop = stop_event()
    server = RemoteServer(remote.server, remote.key)
    try:
        workflow = await find(remote, server)
        cases = chosen(workflow.cases, names)
        if not cases:
            raise InvalidState(
                f"{workflow.name} has no test cases there", path=("workflow",), remedy="testCaseCreate saves one."
            )
        begun = await _begin([workflow.ids[case.name] for case in cases], server)
        running = {key: str(as_object(each["execution"])["id"]) for key, each in begun.items() if each["execution"]}
        labels = [case.name for case in cases if workflow.ids[case.name] in running]
        watched = Watched(server, list(running.values()), _view(workflow, labels), _saying(console))
        async with show(watched.view, console):
            interrupted = await watched.until_over(stop) if running else False
        judged = {**begun, **await _judged(list(running.values()), server)}
        reports = [_report(case.name, judged[workflow.ids[case.name]]) for case in cases]
        return CasesReport(workflow=workflow.name, cases=reports, interrupted=interrupted)
    finally:
        await server.close()


async def _begin(ids: Sequence[str], server: RemoteServer) -> dict[str, JSONObject]:
    """What each case has come to at once, by its id: an execution, or why there is none."""
    begun: dict[str, JSONObject] = {}
    for chunk in _chunks(ids):
        answer = done((await server.execute(_RUN, {"ids": chunk}))["testCaseRun"])
        begun |= _by_case(as_object(answer["testRun"]))
    return begun


async def _judged(executions: Sequence[str], server: RemoteServer) -> dict[str, JSONObject]:
    judged: dict[str, JSONObject] = {}
    for chunk in _chunks(executions):
        judged |= _by_case(as_object((await server.execute(_JUDGE, {"ids": chunk}))["testRun"]))
    return judged


def _by_case(test_run: JSONObject) -> dict[str, JSONObject]:
    results = [as_object(each) for each in as_list(test_run["results"])]
    return {str(as_object(each["testCase"]).get("id")): each for each in results}


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[first : first + _MOST_IDS] for first in range(0, len(ids), _MOST_IDS))


def _report(name: str, result: JSONObject) -> CaseReport:
    execution, verdict = as_object(result["execution"]), as_object(result["verdict"])
    milliseconds = execution.get("durationMs")
    span = timedelta(milliseconds=milliseconds) if isinstance(milliseconds, int | float) else timedelta()
    return CaseReport(
        name=name,
        execution=str(execution["id"]) if execution else None,
        status=ExecutionStatus(str(execution["status"])) if execution else None,
        seconds=span.total_seconds(),
        verdict=Verdict(failures=[_shortfall(as_object(each)) for each in as_list(verdict["failures"])])
        if verdict
        else None,
    )


def _shortfall(failure: JSONObject) -> Shortfall:
    node, path = failure["node"], failure["path"]
    return Shortfall(
        message=str(failure["message"]),
        expected=failure["expected"],
        actual=failure["actual"],
        node=str(node) if node is not None else None,
        path=str(path) if path is not None else None,
    )


def _case(fields: JSONObject) -> Case:
    """What of a saved case begins an execution; what is to come of it, the server judges."""
    pins: dict[str, Pin] = {}
    for pin in map(as_object, as_list(fields["pins"])):
        handle: Any = pin["handle"]
        pins[str(pin["node"])] = Pin(output=pin["output"], handle=handle)
    return Case(
        name=str(fields["name"]),
        input=fields["input"],
        variables=as_object(fields["variables"]),
        trial=Trial(pins=pins, effects=frozenset(map(str, as_list(fields["effects"])))),
        timeout=float(str(fields["timeout"])),
    )


def _view(workflow: RemoteWorkflow, labels: Sequence[str]) -> RunView:
    nodes = [as_object(node) for node in as_list(workflow.graph["nodes"])]
    edges = [as_object(edge) for edge in as_list(workflow.graph["edges"])]
    return RunView(
        [(str(node["id"]), str(node["name"] or node["id"]), str(node["kind"])) for node in nodes],
        len(labels),
        labels,
        edges=[(str(edge["source"]), str(edge["target"])) for edge in edges],
        title=workflow.name,
    )


def _saying(console: Console) -> Say:
    def say(text: str) -> None:
        console.print(text, style="bright_black", markup=False, highlight=False, soft_wrap=True)

    return say
