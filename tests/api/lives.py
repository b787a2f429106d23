"""What tests of executions' lives ask the API, and wait for: changes when its words for that change."""

import asyncio
from typing import Any

from tests.api.application import Caller
from tests.api.operations import ERRORS

WISHES = {
    "cancel": ("executionCancel(id: $id, reason: $reason, key: $key)", "$reason: String"),
    "pause": ("executionPause(id: $id, key: $key)", ""),
    "resume": ("executionResume(id: $id, key: $key)", ""),
    "skip": ("stepSkip(executionId: $id, path: $path, output: $value, key: $key)", "$path: String!, $value: JSON"),
    "set": (
        "executionSetVariable(executionId: $id, name: $name, value: $value, key: $key)",
        "$name: String!, $value: JSON",
    ),
    "signal": (
        "signalSend(executionId: $id, name: $name, payload: $value, transient: $transient, key: $key)",
        "$name: String!, $value: JSON, $transient: Boolean! = false",
    ),
    "retry": (
        "executionRetry(id: $id, fromPath: $from, whole: $whole, key: $key)",
        "$from: String, $whole: Boolean! = false",
    ),
    "retry with": (
        "executionRetry(id: $id, fromPath: $from, input: $value, key: $key)",
        "$from: String, $value: JSON",
    ),
}


async def wish(caller: Caller, what: str, execution_id: str, /, **given: Any) -> Any:
    """The payload of one of WISHES; `from_` stands for `from`."""
    field, declared = WISHES[what]
    query = f"""mutation ($id: ID!, $key: String, {declared}) {{
      it: {field} {{ execution {{ id status cancelRequestedAt retryOf {{ id }} }} {ERRORS} }} }}"""
    variables = {("from" if key == "from_" else key): value for key, value in given.items()}
    return (await caller.data(query, id=execution_id, **variables))["it"]


async def granted(caller: Caller, what: str, execution_id: str, /, **given: Any) -> Any:
    """The execution of a wish that is not refused."""
    payload = await wish(caller, what, execution_id, **given)
    assert payload["errors"] == []
    return payload["execution"]


def refusals(payload: Any) -> list[tuple[str, list[str] | None]]:
    return [(error["__typename"], error["path"]) for error in payload["errors"]]


async def until(caller: Caller, execution_id: str, status: str, waiting: str | None = None) -> Any:
    """The execution once it has this status (and waits at this path); fails after ten seconds."""
    async with asyncio.timeout(10):
        while True:
            found = await caller.data(
                """query ($id: ID!) { execution(id: $id) {
                     id status output error variables currentSteps { path status } } }""",
                id=execution_id,
            )
            execution = found["execution"]
            paths = [step["path"] for step in execution["currentSteps"] if step["status"] == "WAITING"]
            if execution["status"] == status and (waiting is None or waiting in paths):
                return execution
            await asyncio.sleep(0.02)


async def log_of(caller: Caller, execution_id: str, *kinds: str) -> list[Any]:
    """Its events, of these kinds when any are given."""
    found = await caller.data(
        "query ($id: ID!) { execution(id: $id) { events(first: 100) { nodes { seq kind path data } } } }",
        id=execution_id,
    )
    return [each for each in found["execution"]["events"]["nodes"] if not kinds or each["kind"] in kinds]


async def logged(caller: Caller, execution_id: str, kind: str, count: int = 1) -> list[Any]:
    """The events of this kind, once there are so many; fails after ten seconds."""
    async with asyncio.timeout(10):
        while True:
            found = await log_of(caller, execution_id, kind)
            if len(found) >= count:
                return found
            await asyncio.sleep(0.02)
