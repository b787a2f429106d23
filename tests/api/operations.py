"""What most tests ask first, as functions: changes when the API's words for it change."""

from itertools import pairwise
from typing import Any

from tests.api.application import Caller

ERRORS = "errors { __typename message code path remedy }"

CREATE = f"""mutation ($input: WorkflowCreateInput!) {{
  workflowCreate(input: $input) {{ workflow {{ id name revision status }} {ERRORS} }}
}}"""
PUBLISH = f"""mutation ($id: ID!, $note: String) {{
  workflowPublish(id: $id, note: $note) {{ workflow {{ id revision status }} version {{ id number note }} {ERRORS} }}
}}"""
START = f"""mutation ($input: ExecutionStartInput!) {{
  executionStart(input: $input) {{
    timedOut
    execution {{ id status input output error variables draft priority triggeredBy version {{ number }} }}
    {ERRORS}
  }}
}}"""


def graph(*nodes: dict[str, Any], edges: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Nodes after a trigger named `start`; edges as "a > b" or "a.handle > b", by default one after the other."""
    whole = [{"id": "start", "kind": "trigger"}, *nodes]
    names = [str(node["id"]) for node in whole]
    written = edges if edges is not None else tuple(f"{a} > {b}" for a, b in pairwise(names))
    return {"nodes": whole, "edges": [_edge(text) for text in written]}


def _edge(text: str) -> dict[str, Any]:
    source, target = text.split(" > ")
    name, _, handle = source.partition(".")
    return {"source": name, "target": target, **({"sourceHandle": handle} if handle else {})}


ADDS = graph(
    {"id": "sum", "kind": "set", "config": {"values": {"total": "{{ input.a + input.b }}"}}},
    {"id": "done", "kind": "end", "config": {"output": "{{ vars.total }}"}},
)
"""Ends with the sum of `a` and `b`."""

WAITS = graph(
    {"id": "hold", "kind": "wait", "config": {"signal": "go"}},
    {"id": "done", "kind": "end", "config": {"output": "{{ steps.hold.output }}"}},
)
"""Ends with the payload of the signal `go`."""

FAILS = graph(
    {"id": "note", "kind": "set", "config": {"values": {"seen": "{{ input }}"}}},
    {"id": "check", "kind": "if", "config": {"condition": "{{ input.ok }}"}},
    {"id": "stop", "kind": "fail", "config": {"message": "not ok"}},
    {"id": "done", "kind": "end", "config": {"output": "{{ vars.seen }}"}},
    edges=("start > note", "note > check", "check.true > done", "check.false > stop"),
)
"""Fails unless its input says ok."""


async def created(caller: Caller, graph: dict[str, Any] | None = None, name: str = "Adding", **more: object) -> str:
    """The id of a new draft."""
    answer = await caller.data(CREATE, input={"name": name, "graph": graph or ADDS, **more})
    assert answer["workflowCreate"]["errors"] == [], answer["workflowCreate"]["errors"]
    return answer["workflowCreate"]["workflow"]["id"]


async def published(caller: Caller, graph: dict[str, Any] | None = None, name: str = "Adding", **more: object) -> str:
    """The id of a new ACTIVE workflow."""
    workflow_id = await created(caller, graph, name, **more)
    answer = await caller.data(PUBLISH, id=workflow_id)
    assert answer["workflowPublish"]["errors"] == []
    return workflow_id


async def start(caller: Caller, workflow_id: str, **given: object) -> Any:
    """The payload of a start."""
    answer = await caller.data(START, input={"workflowId": workflow_id, **given})
    return answer["executionStart"]


async def started(caller: Caller, workflow_id: str, **given: object) -> Any:
    """The execution of a start that is not refused."""
    payload = await start(caller, workflow_id, **given)
    assert payload["errors"] == []
    return payload["execution"]


async def finished(caller: Caller, workflow_id: str, **given: object) -> Any:
    """The execution once it is over."""
    payload = await start(caller, workflow_id, mode="SYNC", timeout=20, **given)
    assert (payload["errors"], payload["timedOut"]) == ([], False)
    return payload["execution"]
