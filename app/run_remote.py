"""A workflow file run on another Weir: its draft there, one execution per input, followed live, results fetched."""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

import uvloop
from rich.console import Console

from app.doubts import say_doubts
from app.live_screen import shown
from app.live_view import RunView
from app.remote_draft import ERRORS, connection_doubts, keep_draft, with_demo
from app.remote_follow import Followed, Frame
from app.remote_server import RemoteServer, refusal_of
from app.run_request import RunRequest
from app.run_result import RunEnd, RunResult
from app.signals import stop_event
from domain.engine.events import Event, EventKind
from domain.engine.ports import ExecutionStatus
from domain.errors import Invalid, Refusal
from domain.graphs import Document
from domain.json import JSON, JSONObject, as_list, as_object
from domain.storable import checked
from domain.validation.inputs import checked_input

_START = f"""mutation ($inputs: [ExecutionStartInput!]!) {{
  executionStartMany(inputs: $inputs) {{ executions {{ id }} {ERRORS} }} }}"""
_CANCEL = """mutation ($id: ID!) { executionCancel(id: $id, reason: "interrupted") { errors { message } } }"""
_RESULTS = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Execution { id status output error } } }"

_MOST_STARTS, _MOST_BYTES = 1_000, 900_000
"""What one request may hold: executions, and their inputs' JSON."""
_MOST_IDS = 50
_CANCELLED_WITHIN = 10.0

Say = Callable[[str], None]
Show = Callable[[RunView, Console], AbstractAsyncContextManager[None]]


def run_remote(request: RunRequest, *, server: str, key: str | None, show: Show = shown) -> RunEnd:
    """Blocks until every execution is over, or until Ctrl-C has cancelled them. Raises Refusal."""
    if not key:
        raise Invalid("--server needs --key", path=("key",), remedy="Give an API key of a tenant of that server.")
    console = Console(stderr=True)

    def say(text: str) -> None:
        console.print(text, style="bright_black", markup=False, highlight=False, soft_wrap=True)

    return uvloop.run(_run(request, server, key, lambda view: show(view, console), say))


async def _run(
    request: RunRequest, address: str, key: str, show: Callable[[RunView], AbstractAsyncContextManager[None]], say: Say
) -> RunEnd:
    stop = stop_event()
    document = with_demo(request.document)
    _check_inputs(request, document)
    server = RemoteServer(address, key)
    try:
        workflow = await keep_draft(document, request.format, server, say)
        say_doubts(await connection_doubts(document, server), say)
        if document.demo is not None and "demo" not in request.variables:
            say(f"the demo {document.demo} is not started on a server; --var demo=URL says where one serves")
        executions = await _begin(workflow, request, server)
        watched = Watched(server, executions, _view(document, request), say)
        async with show(watched.view):
            interrupted = await watched.until_over(stop)
        return RunEnd(results=await _results(executions, server), interrupted=interrupted)
    finally:
        await server.close()


def _check_inputs(request: RunRequest, document: Document) -> None:
    """Raises Invalid or TooLarge before anything has begun."""
    checked(request.variables, "variables")
    for index, value in enumerate(request.inputs):
        try:
            checked(value, "input")
            checked_input(document.definition.input_schema, value)
        except Refusal as refusal:
            raise _of_element(refusal, index, request) from None


def _of_element(refusal: Refusal, index: int, request: RunRequest) -> Refusal:
    if request.many:
        refusal.message = f"Element {index} of --each: {refusal.message}"
    return refusal


async def _begin(workflow: str, request: RunRequest, server: RemoteServer) -> Sequence[str]:
    """One execution of the workflow's draft per input; when one is refused, those before it are cancelled."""
    starts: list[JSONObject] = [
        {"workflowId": workflow, "input": value, "variables": request.variables, "draft": True}
        for value in request.inputs
    ]
    begun: list[str] = []
    for chunk in _chunks(starts):
        first = len(begun)
        answer = as_object((await server.execute(_START, {"inputs": chunk}))["executionStartMany"])
        begun += [str(execution["id"]) for execution in map(as_object, as_list(answer["executions"])) if execution]
        for error in as_list(answer["errors"]):
            await _cancel(begun, server)
            refusal = refusal_of(error)
            match refusal.path:
                case ("inputs", index, *_):
                    raise _of_element(refusal, first + int(index), request)
                case _:
                    raise refusal
    return begun


def _chunks(starts: Sequence[JSONObject]) -> Iterator[Sequence[JSONObject]]:
    """In order, each no more than a request may hold; a start that is too large alone comes alone."""
    chunk: list[JSONObject] = []
    size = 0
    for start in starts:
        length = len(json.dumps(start))
        if chunk and (len(chunk) == _MOST_STARTS or size + length > _MOST_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(start)
        size += length
    if chunk:
        yield chunk


async def _cancel(executions: Iterable[str], server: RemoteServer) -> None:
    await asyncio.gather(*(server.execute(_CANCEL, {"id": execution}) for execution in executions))


async def _results(executions: Sequence[str], server: RemoteServer) -> Sequence[RunResult]:
    """How each execution stands, in the order given."""
    found: dict[str, RunResult] = {}
    for first in range(0, len(executions), _MOST_IDS):
        data = await server.execute(_RESULTS, {"ids": executions[first : first + _MOST_IDS]})
        for node in map(as_object, filter(None, as_list(data["nodes"]))):
            status, error = ExecutionStatus(str(node["status"])), as_object(node["error"]) or None
            found[str(node["id"])] = RunResult(status=status, output=node["output"], error=error)
    return [found.get(execution, RunResult()) for execution in executions]


def _view(document: Document, request: RunRequest) -> RunView:
    graph = document.definition.graph
    return RunView(
        [(node.id, node.name or node.id, node.kind) for node in graph.nodes],
        len(request.inputs),
        request.labels,
        edges=[(edge.source, edge.target) for edge in graph.edges],
        title=document.name,
    )


class Watched:
    """Feeds the view with what the server tells of the executions."""

    def __init__(self, server: RemoteServer, executions: Sequence[str], view: RunView, say: Say) -> None:
        self.view = view
        self._server = server
        self._executions = executions
        self._say = say
        self._over: set[int] = set()

    async def until_over(self, stop: asyncio.Event) -> bool:
        """True when it was interrupted: then everything that still ran has been asked to stop."""
        followed = Followed(self._server, self._executions, self._take)
        following = asyncio.ensure_future(followed.until_over(self._say))
        stopped = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait([following, stopped], return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                await following
                return False
            self._say("interrupted: cancelling what still runs (once more to leave at once)")
            running = (one for number, one in enumerate(self._executions) if number not in self._over)
            await _cancel(running, self._server)
            await asyncio.wait([following], timeout=_CANCELLED_WITHIN)
            return True
        finally:
            stopped.cancel()
            following.cancel()

    def _take(self, number: int, frame: Frame) -> None:
        match frame.get("__typename"):
            case "ExecutionEventBatch":
                for fields in map(as_object, as_list(frame["events"])):
                    if (kind := fields["kind"]) in EventKind.__members__:
                        self.view.event(number, _event(EventKind(str(kind)), fields))
            case "ExecutionActivity":
                self._activity(number, frame, frame["at"])
            case "StreamCaughtUp":
                for step in map(as_object, as_list(frame["currentSteps"])):
                    self._activity(number, step, step["startedAt"])
            case "StreamEnd":
                self._over.add(number)
                self.view.finished(number, ExecutionStatus(str(frame["ended"])))
            case _:
                pass

    def _activity(self, number: int, fields: JSONObject, at: JSON) -> None:
        path, node, attempt = str(fields["path"]), str(fields["nodeId"]), int(str(fields["attempt"]))
        began = datetime.fromisoformat(at) if isinstance(at, str) else datetime.now(UTC)
        self.view.activity(number, path, node, attempt, str(fields["status"]), began)


def _event(kind: EventKind, fields: JSONObject) -> Event:
    attempt, node, path = fields["attempt"], fields["nodeId"], fields["path"]
    return Event(
        seq=int(str(fields["seq"])),
        kind=kind,
        at=datetime.fromisoformat(str(fields["at"])),
        node=str(node) if node is not None else None,
        path=str(path) if path is not None else None,
        attempt=int(str(attempt)) if attempt is not None else None,
        payload=as_object(fields["data"]),
    )
