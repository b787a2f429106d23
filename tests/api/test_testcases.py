"""Saved test cases by the API: kept and checked, run together, judged from their executions' logs."""

import asyncio
from typing import Any

import httpx
import pytest

from db.connections import EnginePool
from domain.access import Role
from tests.api.application import Caller, new_caller
from tests.api.operations import ADDS, ERRORS, created, graph, published

pytestmark = pytest.mark.usefixtures("worker")

FINDINGS = """errors { __typename code message path remedy
  ... on ValidationError { findings { message nodeId path remedy } } ... on ConflictError { currentRevision } }"""
CASE = """id name description input variables pins { node output handle } effects expected { node output } assertions
  status timeout revision"""
CREATE = f"""mutation ($input: TestCaseCreateInput!) {{
  testCaseCreate(input: $input) {{ testCase {{ {CASE} }} {FINDINGS} }} }}"""
UPDATE = f"""mutation ($id: ID!, $input: TestCaseUpdateInput!, $revision: Int) {{
  testCaseUpdate(id: $id, input: $input, expectedRevision: $revision) {{ testCase {{ {CASE} }} {FINDINGS} }} }}"""
DELETE = f"""mutation ($id: ID!, $revision: Int) {{
  testCaseDelete(id: $id, expectedRevision: $revision) {{ testCase {{ name }} {FINDINGS} }} }}"""
RESULTS = """passed failed running results {
  testCase { name } execution { id status draft error test { testCase { id } } }
  verdict { passed failures { message node path expected actual } } }"""
RUN = f"""mutation ($ids: [ID!], $workflow: ID, $version: Int) {{
  testCaseRun(ids: $ids, workflowId: $workflow, version: $version) {{ testRun {{ {RESULTS} }} {ERRORS} }} }}"""
TEST_RUN = f"query ($ids: [ID!]!) {{ testRun(ids: $ids) {{ {RESULTS} }} }}"
SENDS = graph(
    {"id": "price", "kind": "set", "config": {"values": {"total": "{{ input.n * 2 }}"}, "keepOnly": True}},
    {"id": "pay", "kind": "http", "config": {"url": "https://pay.example/{{ input.total }}"}},
    {"id": "done", "kind": "end", "config": {"output": "{{ steps.price.output.total }}"}},
)
HOLDS = graph({"id": "hold", "kind": "wait", "config": {"signal": "go"}})


async def saved(caller: Caller, workflow_id: str, name: str = "Case", **more: object) -> Any:
    """A new test case that is not refused."""
    payload = await asked(caller, CREATE, input={"workflowId": workflow_id, "name": name, **more})
    assert payload["errors"] == []
    return payload["testCase"]


async def asked(caller: Caller, query: str, **variables: object) -> Any:
    (payload,) = (await caller.data(query, **variables)).values()
    return payload


async def run(caller: Caller, **which: object) -> Any:
    payload = await asked(caller, RUN, **which)
    assert payload["errors"] == []
    return payload["testRun"]


async def ended(caller: Caller, test_run: Any) -> Any:
    """The same run once none of it runs any more; fails after ten seconds."""
    ids = [result["execution"]["id"] for result in test_run["results"]]
    async with asyncio.timeout(10):
        while True:
            found = await asked(caller, TEST_RUN, ids=ids)
            if not found["running"]:
                return found
            await asyncio.sleep(0.02)


async def names(caller: Caller, workflow_id: str) -> list[str]:
    query = "query ($id: ID!) { workflow(id: $id) { testCases(first: 50) { nodes { name } totalCount } } }"
    found = (await caller.data(query, id=workflow_id))["workflow"]["testCases"]
    assert found["totalCount"] == len(found["nodes"])
    return [each["name"] for each in found["nodes"]]


async def test_a_test_case_is_kept_with_all_that_it_says(developer: Caller) -> None:
    workflow_id = await created(developer, SENDS, variables={"limit": {"default": 1}})

    case = await saved(
        developer,
        workflow_id,
        " Doubles ",
        description="Twice as much",
        input={"n": 2},
        variables={"limit": 5},
        pins=[{"node": "pay", "output": "paid", "handle": "out"}],
        effects=["done"],
        expected=[{"node": "price", "output": {"total": 4}}],
        assertions=["output == 4"],
        status="FAILED",
        timeout=2.5,
    )

    assert case == {
        "id": case["id"],
        "name": "Doubles",
        "description": "Twice as much",
        "input": {"n": 2},
        "variables": {"limit": 5},
        "pins": [{"node": "pay", "output": "paid", "handle": "out"}],
        "effects": ["done"],
        "expected": [{"node": "price", "output": {"total": 4}}],
        "assertions": ["output == 4"],
        "status": "FAILED",
        "timeout": 2.5,
        "revision": 1,
    }
    query = f"""query ($id: ID!) {{ testCase(id: $id) {{ {CASE} }}
      node(id: $id) {{ id ... on TestCase {{ name workflow {{ id }} lastRun {{ execution {{ id }} }} }} }} }}"""
    read = await developer.data(query, id=case["id"])
    assert read["testCase"] == case
    assert read["node"] == {"id": case["id"], "name": "Doubles", "workflow": {"id": workflow_id}, "lastRun": None}


@pytest.mark.parametrize("value", [None, False, 0, "text", "{}", [1, "a"], {"a": None}])
async def test_any_json_is_an_input(developer: Caller, value: object) -> None:
    case = await saved(developer, await created(developer), input=value)

    assert (await asked(developer, f'{{ testCase(id: "{case["id"]}") {{ input }} }}'))["input"] == value


async def test_everything_that_does_not_fit_the_draft_is_found_at_once_and_nothing_is_kept(developer: Caller) -> None:
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "number"}}}
    workflow_id = await created(developer, SENDS, inputSchema=schema)
    wrong = {
        "workflowId": workflow_id,
        "name": "",
        "input": {"n": "two"},
        "variables": {"nix": 1},
        "pins": [{"node": "prise"}, {"node": "pay", "handle": "paid"}],
        "effects": ["nobody"],
        "expected": [{"node": "dome", "output": 1}],
        "assertions": ["output ==", "true"],
        "status": "RUNNING",
        "timeout": 0,
    }

    payload = await asked(developer, CREATE, input=wrong)

    (error,) = payload["errors"]
    assert (error["__typename"], error["code"], payload["testCase"]) == ("ValidationError", "VALIDATION", None)
    assert error["path"] == ["name"]
    assert [(found["path"], found["nodeId"], found["remedy"]) for found in error["findings"]] == [
        (["name"], None, None),
        (["timeout"], None, None),
        (["variables", "nix"], None, "Its variables: none. Declare it in the workflow, or leave it out."),
        (["pins", "prise"], "prise", "Did you mean 'price'?"),
        (["pins", "pay", "handle"], "pay", "Give one of error, out."),
        (["effects", "nobody"], "nobody", "Known: start, price, pay, done."),
        (["expected", "dome"], "dome", "Did you mean 'done'?"),
        (["status"], None, None),
        (["assertions", "0"], None, None),
        (["input", "n"], None, None),
    ]
    assert await names(developer, workflow_id) == []


async def test_a_node_named_twice_is_refused(developer: Caller) -> None:
    workflow_id = await created(developer, SENDS)
    twice = [{"node": "pay"}, {"node": "pay"}]

    payload = await asked(developer, CREATE, input={"workflowId": workflow_id, "name": "Twice", "pins": twice})

    assert [(error["path"], error["remedy"]) for error in payload["errors"]] == [(["pins", "pay"], "Keep one of them.")]


async def test_a_change_is_checked_counted_and_replaces_what_it_names(developer: Caller) -> None:
    case = await saved(developer, await created(developer), input={"a": 1}, assertions=["true"], timeout=5)

    changed = await asked(developer, UPDATE, id=case["id"], input={"assertions": ["output == 3"], "input": None})
    same = await asked(developer, UPDATE, id=case["id"], input={"timeout": 5})
    wrong = await asked(developer, UPDATE, id=case["id"], input={"effects": ["sun"]})
    stale = await asked(developer, UPDATE, id=case["id"], input={"name": "Late"}, revision=1)

    assert changed["testCase"] == {**case, "assertions": ["output == 3"], "input": None, "revision": 2}
    assert same["testCase"] == changed["testCase"]
    assert [(error["path"], error["remedy"]) for error in wrong["errors"]] == [
        (["effects", "sun"], "Did you mean 'sum'?")
    ]
    assert [(error["__typename"], error["path"], error["currentRevision"]) for error in stale["errors"]] == [
        ("ConflictError", ["expectedRevision"], 2)
    ]


async def test_names_are_unique_in_their_workflow_alone(developer: Caller) -> None:
    first, second = await created(developer, name="First"), await created(developer, name="Second")
    await saved(developer, first, "Same")
    other = await saved(developer, first, "Other")
    await saved(developer, second, "Same")

    again = await asked(developer, CREATE, input={"workflowId": first, "name": "Same"})
    renamed = await asked(developer, UPDATE, id=other["id"], input={"name": "Same"})

    taken = [("ConflictError", ["name"], "The workflow has a test case named 'Same' already")]
    for payload in (again, renamed):
        assert [(error["__typename"], error["path"], error["message"]) for error in payload["errors"]] == taken
    assert await names(developer, first) == ["Same", "Other"]


async def test_they_are_listed_in_the_order_they_were_made_and_deleted(developer: Caller) -> None:
    workflow_id = await created(developer)
    cases = [await saved(developer, workflow_id, name) for name in ("b", "c", "a")]
    query = """query ($id: ID!, $after: String) { workflow(id: $id) { testCases(first: 2, after: $after) {
      nodes { name } pageInfo { hasNextPage endCursor } } } }"""

    first = (await developer.data(query, id=workflow_id))["workflow"]["testCases"]
    second = await developer.data(query, id=workflow_id, after=first["pageInfo"]["endCursor"])
    deleted = await asked(developer, DELETE, id=cases[0]["id"], revision=1)
    again = await asked(developer, DELETE, id=cases[0]["id"])

    assert [each["name"] for each in first["nodes"]] == ["b", "c"]
    assert [each["name"] for each in second["workflow"]["testCases"]["nodes"]] == ["a"]
    assert deleted == {"testCase": {"name": "b"}, "errors": []}
    assert [error["code"] for error in again["errors"]] == ["NOT_FOUND"]
    assert await names(developer, workflow_id) == ["c", "a"]


async def test_all_of_a_workflow_run_on_its_draft_and_are_judged_from_their_logs(developer: Caller) -> None:
    workflow_id = await created(developer, SENDS)
    good = await saved(developer, workflow_id, "Good", input={"n": 2}, assertions=["output == 4"])
    wrong = [{"node": "price", "output": {"total": 5}}]
    await saved(developer, workflow_id, "Bad", input={"n": 2}, expected=wrong, assertions=["status == 'FAILED'"])

    begun = await run(developer, workflow=workflow_id)

    assert (begun["passed"], begun["failed"], begun["running"]) == (0, 0, 2)
    over = await ended(developer, begun)
    assert (over["passed"], over["failed"], over["running"]) == (1, 1, 0)
    first, second = over["results"]
    assert first["testCase"] == {"name": "Good"}
    assert first["execution"] == {
        "id": begun["results"][0]["execution"]["id"],
        "status": "COMPLETED",
        "draft": True,
        "error": None,
        "test": {"testCase": {"id": good["id"]}},
    }
    assert first["verdict"] == {"passed": True, "failures": []}
    assert second["verdict"]["failures"] == [
        {
            "message": "output.total is 4, not 5",
            "node": "price",
            "path": "price",
            "expected": {"total": 5},
            "actual": {"total": 4},
        },
        {
            "message": "status == 'FAILED' does not hold",
            "node": None,
            "path": None,
            "expected": True,
            "actual": False,
        },
    ]


async def test_the_last_run_of_a_case_is_the_latest_with_its_verdict(developer: Caller) -> None:
    workflow_id = await created(developer)
    case = await saved(developer, workflow_id, input={"a": 1, "b": 2}, assertions=["output == 3"])
    first = await ended(developer, await run(developer, ids=[case["id"]]))
    await asked(developer, UPDATE, id=case["id"], input={"assertions": ["output == 4"]})
    second = await ended(developer, await run(developer, ids=[case["id"], case["id"]]))

    query = """query ($id: ID!) { testCase(id: $id) {
      lastRun { execution { id } verdict { passed } } executions { nodes { id } totalCount } } }"""
    read = await asked(developer, query, id=case["id"])

    older, newer = (each["results"][0]["execution"]["id"] for each in (first, second))
    assert (first["passed"], second["passed"], len(second["results"])) == (1, 0, 1)
    assert read["lastRun"] == {"execution": {"id": newer}, "verdict": {"passed": False}}
    assert read["executions"] == {"nodes": [{"id": newer}, {"id": older}], "totalCount": 2}


async def test_a_published_version_can_be_what_is_tested(developer: Caller) -> None:
    workflow_id = await published(developer)
    case = await saved(developer, workflow_id, input={"a": 1, "b": 2}, assertions=["output == 3"])
    change = f"mutation ($id: ID!, $g: GraphInput) {{ workflowUpdate(id: $id, input: {{graph: $g}}) {{ {ERRORS} }} }}"
    assert (await asked(developer, change, id=workflow_id, g=HOLDS))["errors"] == []

    over = await ended(developer, await run(developer, ids=[case["id"]], version=1))

    assert (over["passed"], over["results"][0]["execution"]["draft"]) == (1, False)


async def test_what_no_longer_fits_the_draft_has_failed_and_the_others_run(developer: Caller) -> None:
    workflow_id = await created(developer)
    await saved(developer, workflow_id, "Old", pins=[{"node": "sum", "output": {"total": 1}}])
    await saved(developer, workflow_id, "Fits", assertions=["output == 7"])
    change = f"mutation ($id: ID!, $g: GraphInput) {{ workflowUpdate(id: $id, input: {{graph: $g}}) {{ {ERRORS} }} }}"
    ends = graph({"id": "done", "kind": "end", "config": {"output": 7}})
    assert (await asked(developer, change, id=workflow_id, g=ends))["errors"] == []

    begun = await run(developer, workflow=workflow_id)

    old, fits = begun["results"]
    assert (begun["failed"], begun["running"], old["execution"]) == (1, 1, None)
    assert [failure["message"] for failure in old["verdict"]["failures"]] == [
        "It could not begin: The workflow has no node 'sum'. Known: start, done."
    ]
    over = await ended(developer, {"results": [fits]})
    assert over["passed"] == 1


async def test_a_case_that_takes_too_long_has_failed(developer: Caller) -> None:
    case = await saved(developer, await created(developer, HOLDS), timeout=0.2)

    over = await ended(developer, await run(developer, ids=[case["id"]]))

    (result,) = over["results"]
    assert (over["failed"], result["execution"]["status"]) == (1, "FAILED")
    assert result["execution"]["error"]["code"] == "EXECUTION_TIMEOUT"


async def test_it_must_be_said_which_cases_and_they_must_be_there(developer: Caller) -> None:
    workflow_id = await created(developer)
    missing = "testcase_00000000000000000000000000"

    refused = [
        await asked(developer, RUN),
        await asked(developer, RUN, ids=[], workflow=workflow_id),
        await asked(developer, RUN, ids=[missing]),
        await asked(developer, RUN, ids=[workflow_id]),
        await asked(developer, RUN, workflow="workflow_00000000000000000000000000"),
    ]

    assert [(error["code"], error["path"]) for payload in refused for error in payload["errors"]] == [
        ("VALIDATION", ["ids"]),
        ("VALIDATION", ["ids"]),
        ("NOT_FOUND", ["ids"]),
        ("INVALID_ID", ["ids"]),
        ("NOT_FOUND", ["workflowId"]),
    ]


@pytest.mark.parametrize("role", list(Role))
async def test_developers_keep_cases_and_who_may_start_runs_them(
    engine_pool: EnginePool, http: httpx.AsyncClient, developer: Caller, role: Role
) -> None:
    workflow_id = await created(developer, ADDS)
    case = await saved(developer, workflow_id, input={"a": 1, "b": 2})
    caller = await new_caller(engine_pool, http, developer.tenant, role)

    answers = [
        await asked(caller, CREATE, input={"workflowId": workflow_id, "name": "New"}),
        await asked(caller, UPDATE, id=case["id"], input={"name": "Changed"}),
        await asked(caller, RUN, ids=[case["id"]]),
        await asked(caller, DELETE, id=case["id"]),
    ]

    allowed = [not any(error["code"] == "FORBIDDEN" for error in each["errors"]) for each in answers]
    writes, starts = role in (Role.ADMIN, Role.DEVELOPER), role is not Role.VIEWER
    assert allowed == [writes, writes, starts, writes]
    assert await names(caller, workflow_id) == (["New"] if writes else ["Case"])
    count = await caller.data("{ executions { totalCount } }")
    assert count["executions"]["totalCount"] == (1 if starts else 0)


async def test_another_tenants_cases_are_as_good_as_missing(developer: Caller, stranger: Caller) -> None:
    workflow_id = await created(developer)
    case = await saved(developer, workflow_id, input={"a": 1, "b": 2})
    begun = await ended(developer, await run(developer, ids=[case["id"]]))

    refused = [
        await asked(stranger, CREATE, input={"workflowId": workflow_id, "name": "Mine"}),
        await asked(stranger, UPDATE, id=case["id"], input={"name": "Mine"}),
        await asked(stranger, DELETE, id=case["id"]),
        await asked(stranger, RUN, ids=[case["id"]]),
        await asked(stranger, RUN, workflow=workflow_id),
    ]
    judged = await stranger.ask(TEST_RUN, ids=[begun["results"][0]["execution"]["id"]])

    assert [[error["code"] for error in payload["errors"]] for payload in refused] == [["NOT_FOUND"]] * 5
    assert [error["extensions"]["code"] for error in judged["errors"]] == ["NOT_FOUND"]
    query = "query ($id: ID!) { testCase(id: $id) { id } node(id: $id) { id } }"
    assert await stranger.data(query, id=case["id"]) == {"testCase": None, "node": None}
    assert await names(developer, workflow_id) == ["Case"]
