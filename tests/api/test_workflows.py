"""Writing workflows, publishing them, and what is refused on the way."""

from typing import Any

from tests.api.application import Caller
from tests.api.operations import ADDS, CREATE, ERRORS, PUBLISH, created, finished, graph, published

UPDATE = """mutation ($id: ID!, $input: WorkflowUpdateInput!, $expected: Int) {
  workflowUpdate(id: $id, input: $input, expectedRevision: $expected) {
    workflow { name revision description graph { nodes { id } } variables inputSchema }
    errors { __typename code path ... on ConflictError { currentRevision } } } }"""
STATUS = f"""mutation ($id: ID!, $status: WorkflowStatus!) {{
  workflowSetStatus(id: $id, status: $status) {{ workflow {{ status }} {ERRORS} }} }}"""
ROLLBACK = f"""mutation ($id: ID!, $version: Int!) {{
  workflowRollback(id: $id, version: $version) {{ workflow {{ activeVersion {{ number }} }} {ERRORS} }} }}"""


async def run(caller: Caller, mutation: str, **variables: object) -> Any:
    (payload,) = (await caller.data(mutation, **variables)).values()
    return payload


def kinds(payload: Any) -> list[tuple[str, list[str] | None]]:
    return [(error["__typename"], error["path"]) for error in payload["errors"]]


async def test_a_workflow_comes_back_as_it_was_written(developer: Caller) -> None:
    given: dict[str, Any] = {
        "name": "Order fulfilment",
        "description": "From cart to door",
        "category": "sales",
        "tags": ["orders", "eu"],
        "graph": graph(
            {
                "id": "price",
                "kind": "http",
                "name": "Price the order",
                "position": {"x": 10, "y": 20},
                "config": {"method": "POST", "url": "https://shop.example/price", "body": "{{ input }}"},
                "retry": {"maxAttempts": 3, "backoff": "FIXED", "retryOn": ["TIMEOUT"]},
                "timeout": 10,
                "onError": "ROUTE",
            },
            {"id": "review", "kind": "end"},
            edges=("start > price", "price.error > review"),
        ),
        "variables": {"currency": {"default": "EUR"}},
        "settings": {"timeout": 60, "concurrency": {"max": 10}, "onError": {"strategy": "CONTINUE"}},
        "inputSchema": {"type": "object"},
    }
    workflow_id = await created(developer, **given)

    answer = await developer.data(
        """query ($id: ID!) { workflow(id: $id) {
             name description category tags status revision variables inputSchema outputSchema activeVersion { id }
             settings { timeout concurrency { max perMinute } onError { strategy handler } }
             graph { nodes { id kind name position { x y } config timeout onError
                             retry { maxAttempts backoff initialDelay retryOn } }
                     edges { source sourceHandle target targetHandle condition } } } }""",
        id=workflow_id,
    )

    assert answer["workflow"] == {
        "name": "Order fulfilment",
        "description": "From cart to door",
        "category": "sales",
        "tags": ["orders", "eu"],
        "status": "DRAFT",
        "revision": 1,
        "variables": {"currency": {"default": "EUR"}},
        "inputSchema": {"type": "object"},
        "outputSchema": None,
        "activeVersion": None,
        "settings": {
            "timeout": 60.0,
            "concurrency": {"max": 10, "perMinute": None},
            "onError": {"strategy": "CONTINUE", "handler": None},
        },
        "graph": {
            "nodes": [
                {
                    "id": "start",
                    "kind": "trigger",
                    "name": "",
                    "position": {"x": 0.0, "y": 0.0},
                    "config": {},
                    "timeout": None,
                    "onError": "FAIL",
                    "retry": {"maxAttempts": 1, "backoff": "EXPONENTIAL", "initialDelay": 1.0, "retryOn": []},
                },
                {
                    "id": "price",
                    "kind": "http",
                    "name": "Price the order",
                    "position": {"x": 10.0, "y": 20.0},
                    "config": {"method": "POST", "url": "https://shop.example/price", "body": "{{ input }}"},
                    "timeout": 10.0,
                    "onError": "ROUTE",
                    "retry": {"maxAttempts": 3, "backoff": "FIXED", "initialDelay": 1.0, "retryOn": ["TIMEOUT"]},
                },
                {
                    "id": "review",
                    "kind": "end",
                    "name": "",
                    "position": {"x": 0.0, "y": 0.0},
                    "config": {},
                    "timeout": None,
                    "onError": "FAIL",
                    "retry": {"maxAttempts": 1, "backoff": "EXPONENTIAL", "initialDelay": 1.0, "retryOn": []},
                },
            ],
            "edges": [
                {
                    "source": "start",
                    "sourceHandle": "out",
                    "target": "price",
                    "targetHandle": "in",
                    "condition": None,
                },
                {
                    "source": "price",
                    "sourceHandle": "error",
                    "target": "review",
                    "targetHandle": "in",
                    "condition": None,
                },
            ],
        },
    }


async def test_a_graph_with_errors_is_refused_with_all_findings_and_nothing_is_saved(developer: Caller) -> None:
    broken = {
        "nodes": [{"id": "start", "kind": "trigger"}, {"id": "x", "kind": "nope"}, {"id": "h", "kind": "http"}],
        "edges": [{"source": "start", "target": "x"}, {"source": "x", "target": "ghost"}],
    }

    payload = await run(
        developer,
        """mutation ($input: WorkflowCreateInput!) { workflowCreate(input: $input) {
             workflow { id } errors { __typename code ... on ValidationError { findings { code nodeId path } } } } }""",
        input={"name": "Broken", "graph": broken},
    )

    assert payload["workflow"] is None
    (error,) = payload["errors"]
    assert (error["__typename"], error["code"]) == ("ValidationError", "VALIDATION")
    found = {(finding["code"], finding["nodeId"]) for finding in error["findings"]}
    assert {("UNKNOWN_KIND", "x"), ("DANGLING_EDGE", None)} <= found
    assert any(node == "h" for _, node in found), "the node without a url has a finding of its own"
    assert (await developer.data("{ workflows { totalCount } }")) == {"workflows": {"totalCount": 0}}


async def test_a_name_is_taken_once_and_free_again_after_deletion(developer: Caller) -> None:
    first = await created(developer, name="Orders")

    taken = await run(developer, CREATE, input={"name": "Orders"})
    deleted = await run(developer, f"mutation ($id: ID!) {{ workflowDelete(id: $id) {{ {ERRORS} }} }}", id=first)
    free = await run(developer, CREATE, input={"name": "Orders"})

    assert (kinds(taken), taken["workflow"]) == ([("ConflictError", ["name"])], None)
    assert (deleted["errors"], free["errors"]) == ([], [])


async def test_an_update_of_an_old_revision_is_refused_and_changes_nothing(developer: Caller) -> None:
    workflow_id = await created(developer, name="Before")
    await run(developer, UPDATE, id=workflow_id, input={"description": "second"}, expected=1)

    stale = await run(developer, UPDATE, id=workflow_id, input={"name": "After"}, expected=1)

    assert stale == {
        "workflow": None,
        "errors": [
            {"__typename": "ConflictError", "code": "CONFLICT", "path": ["expectedRevision"], "currentRevision": 2}
        ],
    }
    kept = await developer.data("query ($id: ID!) { workflow(id: $id) { name description } }", id=workflow_id)
    assert kept == {"workflow": {"name": "Before", "description": "second"}}


async def test_an_update_changes_what_it_names_and_leaves_the_rest(developer: Caller) -> None:
    workflow_id = await created(developer, variables={"a": {"default": 1}}, inputSchema={"type": "object"})

    changed = await run(developer, UPDATE, id=workflow_id, input={"description": "new", "inputSchema": None})

    assert changed["workflow"] == {
        "name": "Adding",
        "revision": 2,
        "description": "new",
        "graph": {"nodes": [{"id": "start"}, {"id": "sum"}, {"id": "done"}]},
        "variables": {"a": {"default": 1}},
        "inputSchema": None,
    }


async def test_an_update_that_changes_nothing_keeps_the_revision(developer: Caller) -> None:
    workflow_id = await created(developer)

    same = await run(developer, UPDATE, id=workflow_id, input={"name": "Adding"}, expected=1)

    assert (same["workflow"]["revision"], same["errors"]) == (1, [])


async def test_publishing_makes_the_next_version_and_rolling_back_an_earlier_one_active(developer: Caller) -> None:
    workflow_id = await published(developer)
    second = await run(developer, PUBLISH, id=workflow_id, note="again")

    back = await run(developer, ROLLBACK, id=workflow_id, version=1)
    missing = await run(developer, ROLLBACK, id=workflow_id, version=9)

    assert (second["workflow"]["status"], second["version"]["number"], second["version"]["note"]) == (
        "ACTIVE",
        2,
        "again",
    )
    assert back == {"workflow": {"activeVersion": {"number": 1}}, "errors": []}
    assert kinds(missing) == [("NotFoundError", ["version"])]
    history = await developer.data(
        "query ($id: ID!) { workflow(id: $id) { versions { nodes { number } } } }", id=workflow_id
    )
    assert history == {"workflow": {"versions": {"nodes": [{"number": 2}, {"number": 1}]}}}


async def test_status_changes_follow_the_allowed_transitions(developer: Caller) -> None:
    draft = await created(developer, name="Never published")
    active = await published(developer, name="Published")

    async def to(workflow_id: str, status: str) -> str:
        payload = await run(developer, STATUS, id=workflow_id, status=status)
        return payload["workflow"]["status"] if payload["workflow"] else payload["errors"][0]["code"]

    assert [await to(draft, status) for status in ("ACTIVE", "PAUSED", "ARCHIVED", "PAUSED", "DRAFT")] == [
        "INVALID_STATE",
        "INVALID_STATE",
        "ARCHIVED",
        "INVALID_STATE",
        "DRAFT",
    ]
    assert [await to(active, status) for status in ("PAUSED", "ACTIVE", "DRAFT", "ARCHIVED", "DRAFT", "PAUSED")] == [
        "PAUSED",
        "ACTIVE",
        "INVALID_STATE",
        "ARCHIVED",
        "INVALID_STATE",
        "PAUSED",
    ]


async def test_a_duplicate_is_a_draft_of_its_own(developer: Caller) -> None:
    workflow_id = await published(developer, tags=["a"])

    copy = await run(
        developer,
        f"""mutation ($id: ID!) {{ workflowDuplicate(id: $id) {{
              workflow {{ name status tags activeVersion {{ id }} graph {{ nodes {{ id }} }} }} {ERRORS} }} }}""",
        id=workflow_id,
    )

    assert copy == {
        "workflow": {
            "name": "Adding (copy)",
            "status": "DRAFT",
            "tags": ["a"],
            "activeVersion": None,
            "graph": {"nodes": [{"id": node["id"]} for node in ADDS["nodes"]]},
        },
        "errors": [],
    }


DOCUMENT = """weir: 1
name: Imported
variables: { currency: { default: EUR } }
triggers: [ { type: webhook, path: orders, method: POST }, { type: pigeon } ]
nodes:
  - { id: start, kind: trigger }
  - { id: done, kind: end, config: { output: "{{ input }}" } }
edges:
  - { source: start, target: done }
"""
IMPORT = """mutation ($document: String!) { workflowImport(format: YAML, document: $document) {
  workflow { name status triggers { type url config } }
  report { findings { severity code path } }
  errors { __typename code message ... on ValidationError { findings { code } } } } }"""


async def test_an_imported_document_becomes_a_draft_with_its_triggers_and_a_report(developer: Caller) -> None:
    payload = await run(developer, IMPORT, document=DOCUMENT)

    assert payload == {
        "workflow": {
            "name": "Imported",
            "status": "DRAFT",
            "triggers": [
                {
                    "type": "WEBHOOK",
                    "url": f"http://weir.test/webhooks/{developer.tenant.slug}/orders",
                    "config": {"path": "orders", "method": "POST", "response": "immediate"},
                }
            ],
        },
        "report": {
            "findings": [
                {
                    "severity": "WARNING",
                    "code": "WEBHOOK_WITHOUT_AUTHENTICATION",
                    "path": ["triggers", "0", "authentication"],
                },
                {"severity": "WARNING", "code": "TRIGGER_NOT_MADE", "path": ["triggers", "1", "type"]},
            ]
        },
        "errors": [],
    }


async def test_a_document_that_cannot_be_read_makes_nothing(developer: Caller) -> None:
    payload = await run(developer, IMPORT, document="nodes: [")

    assert (payload["workflow"], payload["report"]) == (None, None)
    assert [(error["__typename"], error["code"]) for error in payload["errors"]] == [("ValidationError", "VALIDATION")]


async def test_a_graph_is_validated_without_being_saved(developer: Caller) -> None:
    answer = await developer.data(
        """query ($good: GraphInput!, $bad: GraphInput!) {
             good: graphValidate(graph: $good) { valid findings { code } }
             bad: graphValidate(graph: $bad) { valid findings { severity code nodeId path remedy } } }""",
        good=ADDS,
        bad={"nodes": [{"id": "start", "kind": "trigger"}, {"id": "start", "kind": "trigger"}], "edges": []},
    )

    assert answer["good"] == {"valid": True, "findings": []}
    assert answer["bad"]["valid"] is False
    assert "DUPLICATE_ID" in {finding["code"] for finding in answer["bad"]["findings"]}
    assert (await developer.data("{ workflows { totalCount } }")) == {"workflows": {"totalCount": 0}}


async def test_another_tenants_workflow_answers_like_a_missing_one(developer: Caller, stranger: Caller) -> None:
    theirs = await published(developer)
    missing = "workflow_00000000000000000000000000"
    read = "query ($id: ID!) { workflow(id: $id) { id } node(id: $id) { id } }"

    assert await stranger.data(read, id=theirs) == await stranger.data(read, id=missing)
    for mutation, more in ((UPDATE, {"input": {"name": "Mine"}}), (PUBLISH, {}), (STATUS, {"status": "PAUSED"})):
        for_theirs = await run(stranger, mutation, id=theirs, **more)
        for_missing = await run(stranger, mutation, id=missing, **more)
        assert str(for_theirs).replace(theirs, missing) == str(for_missing)
        assert kinds(for_theirs) == [("NotFoundError", ["id"])]
    kept = await developer.data("query ($id: ID!) { workflow(id: $id) { name status } }", id=theirs)
    assert kept == {"workflow": {"name": "Adding", "status": "ACTIVE"}}


async def test_the_id_of_another_kind_is_told_at_once(developer: Caller) -> None:
    answer = await developer.ask('{ workflow(id: "execution_00000000000000000000000000") { id } }')

    assert [error["extensions"]["code"] for error in answer["errors"]] == ["INVALID_ID"]
    assert answer["errors"][0]["extensions"]["remedy"] == "Give an id that begins with workflow_"


async def test_nodes_of_every_kind_are_found_by_their_ids(developer: Caller, worker: object) -> None:
    workflow_id = await published(developer)
    execution = await finished(developer, workflow_id, input={"a": 1, "b": 1})

    answer = await developer.ask(
        "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }",
        ids=[execution["id"], workflow_id, "workflow_00000000000000000000000000", "pigeon"],
    )

    assert answer["data"]["nodes"] == [
        {"__typename": "Execution", "id": execution["id"]},
        {"__typename": "Workflow", "id": workflow_id},
        None,
        None,
    ]
    assert [(error["path"], error["extensions"]["code"]) for error in answer["errors"]] == [
        (["nodes", 3], "INVALID_ID")
    ]
