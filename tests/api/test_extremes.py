"""Arguments that nothing can have, where something is looked for by them: refused or found nowhere, never an error."""

from typing import Any

import httpx
import pytest

from db.connections import EnginePool
from domain.access import Role
from domain.tenancy import Tenant
from tests.api.application import Caller, new_caller
from tests.api.operations import published

NUL, LONG = "\x00", "x" * 300
EARLIEST, LATEST = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"
PREVIEW = 'query ($it: DateTime) { it: schedulePreview(cron: "0 0 * * *", timeZone: "UTC", from: $it) }'


def listed(field: str) -> str:
    return f"query ($it: {field.partition(' ')[2]}) {{ it: {field.partition(' ')[0]}(filter: $it) {{ totalCount }} }}"


@pytest.mark.parametrize(
    ("query", "given", "path"),
    [
        (listed("workflows WorkflowFilter"), {"category": LONG}, ["filter", "category"]),
        (listed("executions ExecutionFilter"), {"environment": NUL}, ["filter", "environment"]),
        (listed("connections ConnectionFilter"), {"types": [LONG]}, ["filter", "types"]),
        (listed("deadLetters DeadLetterFilter"), {"code": [NUL]}, ["filter", "code"]),
        (PREVIEW, EARLIEST, ["from"]),
        (PREVIEW, LATEST, ["from"]),
    ],
)
async def test_what_nothing_stored_can_have_is_refused(
    developer: Caller, query: str, given: object, path: list[str]
) -> None:
    answer = await developer.ask(query, it=given)

    told = [(each["extensions"]["code"], each["extensions"].get("path")) for each in answer["errors"]]
    assert told == [("VALIDATION", path)]


@pytest.mark.parametrize(
    ("mutation", "given", "path"),
    [
        ("environmentDelete(name: $it)", NUL, ["name"]),
        ("deadLetterPurge(filter: {code: [$it]})", NUL, ["filter", "code"]),
    ],
)
async def test_what_nothing_stored_can_have_changes_nothing(
    developer: Caller, mutation: str, given: str, path: list[str]
) -> None:
    query = f"mutation ($it: String!) {{ it: {mutation} {{ errors {{ code path }} }} }}"

    assert (await developer.data(query, it=given))["it"] == {"errors": [{"code": "VALIDATION", "path": path}]}


@pytest.mark.parametrize(
    ("filter", "count"),
    [({"since": EARLIEST}, 1), ({"since": LATEST}, 0), ({"until": EARLIEST}, 0), ({"until": LATEST}, 1)],
)
async def test_executions_are_found_before_and_after_any_moment(
    developer: Caller, filter: dict[str, Any], count: int
) -> None:
    workflow_id = await published(developer)
    start = "mutation ($id: ID!) { executionStart(input: {workflowId: $id}) { errors { code } } }"
    assert (await developer.data(start, id=workflow_id))["executionStart"] == {"errors": []}

    found = await developer.data(listed("executions ExecutionFilter"), it=filter)

    assert found == {"it": {"totalCount": count}}


async def test_a_start_in_an_environment_that_cannot_be_named_spoils_no_others(developer: Caller) -> None:
    workflow_id = await published(developer)
    start = """mutation ($inputs: [ExecutionStartInput!]!) {
      executionStartMany(inputs: $inputs) { executions { status } errors { code path } } }"""

    inputs = [{"workflowId": workflow_id, "environment": NUL}, {"workflowId": workflow_id}]
    payload = (await developer.data(start, inputs=inputs))["executionStartMany"]

    assert payload["executions"] == [None, {"status": "PENDING"}]
    assert payload["errors"] == [{"code": "VALIDATION", "path": ["inputs", "0", "environment"]}]


@pytest.mark.parametrize("argument", ["", ", needsApproval: null"])
async def test_a_rule_that_is_left_out_is_the_tenants(
    engine_pool: EnginePool, http: httpx.AsyncClient, acme: Tenant, argument: str
) -> None:
    admin = await new_caller(engine_pool, http, acme, Role.ADMIN)
    workflow_id = await published(admin)
    told = "rule { workflow } errors { code }"
    query = f"mutation ($id: ID!) {{ it: workflowSetPublishRule(id: $id{argument}) {{ {told} }} }}"

    assert (await admin.data(query, id=workflow_id))["it"] == {"rule": {"workflow": None}, "errors": []}
