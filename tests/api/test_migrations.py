"""Moving waiting executions to another version: looked at first, reported one by one, by those who may."""

from asyncio import sleep, timeout
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from db.connections import EnginePool
from domain.access import Role
from tests.api.application import Caller, new_caller
from tests.api.operations import ERRORS, PUBLISH, graph, published, started
from tests.api.test_environments import CREATE as ENVIRONMENT
from tests.api.test_environments import promoted
from tests.api.test_executions import until

pytestmark = pytest.mark.usefixtures("worker")

MIGRATE = f"""mutation ($w: ID!, $from: Int!, $to: Int!, $dry: Boolean!, $first: Int!, $after: ID) {{
  executionsMigrate(workflowId: $w, fromVersion: $from, toVersion: $to, dryRun: $dry, first: $first, after: $after) {{
    migrations {{ migrates execution {{ id }} obstacles {{ code message path }} }} next {ERRORS}
  }}
}}"""
STATE = "query ($id: ID!) { execution(id: $id) { status version { number } output variables } }"
SIGNAL = f"mutation ($id: ID!, $name: String!) {{ signalSend(executionId: $id, name: $name) {{ {ERRORS} }} }}"


def waits(last: str) -> dict[str, Any]:
    """Waits for `one`, then for `two`, then ends with this text."""
    return graph(
        {"id": "early", "kind": "wait", "config": {"signal": "one"}},
        {"id": "late", "kind": "wait", "config": {"signal": "two"}},
        {"id": "done", "kind": "end", "config": {"output": f"{last} {{{{ vars.tone }}}}"}},
    )


async def republished(caller: Caller, workflow_id: str, **change: object) -> None:
    update = f"mutation ($w: ID!, $c: WorkflowUpdateInput!) {{ workflowUpdate(id: $w, input: $c) {{ {ERRORS} }} }}"
    assert (await caller.data(update, w=workflow_id, c=change))["workflowUpdate"]["errors"] == []
    assert (await caller.data(PUBLISH, id=workflow_id))["workflowPublish"]["errors"] == []


async def waiting(caller: Caller, workflow_id: str, *, late: bool = False, **given: object) -> str:
    """The id of an execution that waits, for `two` when it is `late`."""
    execution = await started(caller, workflow_id, **given)
    await until(caller, execution["id"], "WAITING")
    if late:
        await caller.data(SIGNAL, id=execution["id"], name="one")
        await at(caller, execution["id"], "late")
    return execution["id"]


async def at(caller: Caller, execution_id: str, step: str) -> None:
    """Return once the execution waits at this step, by following its log."""
    query = "query ($id: ID!) { execution(id: $id) { status currentSteps { path status } } }"
    expected = [{"path": step, "status": "WAITING"}]
    await until_true(caller, query, execution_id, lambda found: found["currentSteps"] == expected)
    await until(caller, execution_id, "WAITING")


async def until_true(caller: Caller, query: str, execution_id: str, holds: Callable[[Any], bool]) -> Any:
    async with timeout(10):
        while True:
            found = (await caller.data(query, id=execution_id))["execution"]
            if holds(found):
                return found
            await sleep(0.01)


async def migrate(
    caller: Caller,
    workflow_id: str,
    old: int = 1,
    new: int = 2,
    *,
    dry: bool = False,
    first: int = 100,
    after: str | None = None,
) -> Any:
    variables = {"w": workflow_id, "from": old, "to": new, "dry": dry, "first": first, "after": after}
    return (await caller.data(MIGRATE, **variables))["executionsMigrate"]


async def moved(caller: Caller, execution_id: str, number: int = 2) -> Any:
    return await until_true(caller, STATE, execution_id, lambda found: found["version"] == {"number": number})


async def finished(caller: Caller, execution_id: str, *signals: str) -> Any:
    for name in signals:
        await caller.data(SIGNAL, id=execution_id, name=name)
    await until(caller, execution_id, "COMPLETED")
    return (await caller.data(STATE, id=execution_id))["execution"]


async def test_those_that_can_move_and_the_others_say_why_not(developer: Caller) -> None:
    workflow_id = await published(developer, waits("old"), variables={"tone": {"default": "plain"}})
    late = await waiting(developer, workflow_id, late=True)
    early = await waiting(developer, workflow_id)
    changed = waits("new")
    changed["nodes"][2]["config"] = {"signal": "three"}
    await republished(developer, workflow_id, graph=changed)

    looked = await migrate(developer, workflow_id, dry=True)
    done = await migrate(developer, workflow_id)

    stays = {"code": "CONFIG_CHANGED", "message": "late waits, and its config has changed", "path": "late"}
    assert looked == done
    assert done == {
        "migrations": [
            {"migrates": False, "execution": {"id": late}, "obstacles": [stays]},
            {"migrates": True, "execution": {"id": early}, "obstacles": []},
        ],
        "next": None,
        "errors": [],
    }
    await moved(developer, early)
    assert (await finished(developer, early, "one", "three"))["output"] == "new plain"
    assert (await finished(developer, late, "two"))["output"] == "old plain"


async def test_a_dry_run_moves_nothing(developer: Caller) -> None:
    workflow_id = await published(developer, waits("old"), variables={"tone": {"default": "plain"}})
    execution = await waiting(developer, workflow_id)
    await republished(developer, workflow_id, graph=waits("new"))

    report = await migrate(developer, workflow_id, dry=True)

    assert [each["migrates"] for each in report["migrations"]] == [True]
    assert (await finished(developer, execution, "one", "two"))["version"] == {"number": 1}


async def test_asked_again_those_that_moved_are_no_longer_of_the_version(developer: Caller) -> None:
    workflow_id = await published(developer, waits("old"), variables={"tone": {"default": "plain"}})
    execution = await waiting(developer, workflow_id)
    await republished(developer, workflow_id, graph=waits("new"))
    await migrate(developer, workflow_id)
    await moved(developer, execution)

    again = await migrate(developer, workflow_id)

    assert again == {"migrations": [], "next": None, "errors": []}
    kinds = "query ($id: ID!) { execution(id: $id) { events(first: 50) { nodes { kind } } } }"
    events = (await developer.data(kinds, id=execution))["execution"]["events"]["nodes"]
    assert [event["kind"] for event in events].count("VERSION_CHANGED") == 1


async def test_many_are_looked_at_page_by_page(developer: Caller) -> None:
    workflow_id = await published(developer, waits("old"), variables={"tone": {"default": "plain"}})
    ids = [await waiting(developer, workflow_id) for _ in range(3)]
    await republished(developer, workflow_id, graph=waits("new"))

    first = await migrate(developer, workflow_id, dry=True, first=2)
    rest = await migrate(developer, workflow_id, dry=True, first=2, after=first["next"])

    assert (first["next"], rest["next"]) == (ids[1], None)
    assert [each["execution"]["id"] for each in first["migrations"] + rest["migrations"]] == ids


async def test_new_variables_come_with_the_values_of_the_executions_environment(developer: Caller) -> None:
    await developer.data(ENVIRONMENT, name="staging", input={"variables": {"mood": "calm"}})
    workflow_id = await published(developer, waits("old"), variables={"tone": {"default": "plain"}})
    await promoted(developer, workflow_id, "default", "staging")
    execution = await waiting(developer, workflow_id, environment="staging", variables={"tone": "own"})
    variables = {name: {"default": "plain"} for name in ("tone", "mood", "extra")}
    await republished(developer, workflow_id, graph=waits("new"), variables=variables)

    await migrate(developer, workflow_id)

    found = await moved(developer, execution)
    assert found["variables"] == {"tone": "own", "mood": "calm", "extra": "plain"}
    retry = f"mutation ($id: ID!) {{ executionRetry(id: $id) {{ execution {{ version {{ number }} }} {ERRORS} }} }}"
    await finished(developer, execution, "one", "two")
    again = (await developer.data(retry, id=execution))["executionRetry"]
    assert again == {"execution": {"version": {"number": 2}}, "errors": []}


@pytest.mark.parametrize(
    ("given", "code", "path"),
    [
        ({"new": 1}, "VALIDATION", ["toVersion"]),
        ({"new": 9}, "NOT_FOUND", ["toVersion"]),
        ({"old": 9}, "NOT_FOUND", ["fromVersion"]),
        ({"first": 501}, "VALIDATION", ["first"]),
        ({"first": 0}, "VALIDATION", ["first"]),
    ],
)
async def test_what_cannot_be_asked_is_refused(
    developer: Caller, given: dict[str, Any], code: str, path: list[str]
) -> None:
    workflow_id = await published(developer, waits("old"), variables={"tone": {"default": "plain"}})
    await republished(developer, workflow_id, graph=waits("new"))

    report = await migrate(developer, workflow_id, **given)

    assert [(error["code"], error["path"]) for error in report["errors"]] == [(code, path)]


async def test_another_tenants_executions_stay_where_they_are(developer: Caller, stranger: Caller) -> None:
    workflow_id = await published(developer, waits("old"), variables={"tone": {"default": "plain"}})
    execution = await waiting(developer, workflow_id)
    await republished(developer, workflow_id, graph=waits("new"))

    report = await migrate(stranger, workflow_id)

    assert ([error["code"] for error in report["errors"]], report["migrations"]) == (["NOT_FOUND"], [])
    assert (await developer.data(STATE, id=execution))["execution"]["version"] == {"number": 1}


@pytest.mark.parametrize("role", list(Role))
async def test_roles_that_may_not_move_nothing(
    engine_pool: EnginePool, http: httpx.AsyncClient, developer: Caller, role: Role
) -> None:
    workflow_id = await published(developer, waits("old"), variables={"tone": {"default": "plain"}})
    execution = await waiting(developer, workflow_id)
    await republished(developer, workflow_id, graph=waits("new"))
    caller = await new_caller(engine_pool, http, developer.tenant, role)

    report = await migrate(caller, workflow_id)

    refused = [error["code"] for error in report["errors"]] == ["FORBIDDEN"]
    assert refused is (role in (Role.VIEWER, Role.SERVICE))
    if refused:
        assert (await caller.data(STATE, id=execution))["execution"]["version"] == {"number": 1}
    else:
        await moved(developer, execution)
