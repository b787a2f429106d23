"""Findings over the API: of every level, with the connections a workflow names, when it is checked and published."""

from typing import Any

from tests.api.application import Caller
from tests.api.operations import created, graph

VALIDATE = """query ($graph: GraphInput!, $variables: JSON, $schema: JSON, $levels: [ValidationLevel!]) {
  graphValidate(graph: $graph, variables: $variables, inputSchema: $schema, levels: $levels) {
    valid findings { severity level code nodeId path } } }"""
PUBLISH = """mutation ($id: ID!) { workflowPublish(id: $id) {
  version { number } findings { level code nodeId path } errors { message } } }"""
IMPORT = """mutation ($document: String!) { workflowImport(format: YAML, document: $document) {
  report { findings { code nodeId path } } errors { message } } }"""
CONNECT = """mutation ($input: ConnectionCreateInput!) { connectionCreate(input: $input) {
  connection { id } errors { message } } }"""
CALLS = graph(
    {
        "id": "call",
        "kind": "http",
        "config": {"url": "{{ vars.path }}", "connection": "Shop", "headers": {"x-api-key": "hunter2"}},
    },
    {"id": "say", "kind": "log", "config": {"message": "{{ trigger.nam }} {{ input.stats }}"}},
)
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": False}


async def findings(caller: Caller, **variables: Any) -> list[tuple[str, str]]:
    """(level, code) of each."""
    answer = (await caller.data(VALIDATE, graph=CALLS, **variables))["graphValidate"]
    assert answer["valid"] is True
    return [(each["level"], each["code"]) for each in answer["findings"]]


async def test_a_graph_is_judged_by_what_is_known_of_its_workflow(developer: Caller) -> None:
    always = [
        ("SEMANTIC", "UNKNOWN_FIELD"),
        ("SECURITY", "SECRET_IN_CONFIG"),
        ("SEMANTIC", "NO_CONNECTION"),
    ]
    assert await findings(developer) == always
    assert await findings(developer, variables={"path": {"default": "/"}}) == always
    assert await findings(developer, variables={}) == [("SEMANTIC", "UNKNOWN_VARIABLE"), *always]
    assert await findings(developer, schema=SCHEMA) == [("SEMANTIC", "UNKNOWN_FIELD"), *always]


async def test_the_levels_of_interest_can_be_chosen(developer: Caller) -> None:
    assert await findings(developer, levels=["SECURITY"]) == [("SECURITY", "SECRET_IN_CONFIG")]
    assert await findings(developer, levels=["STRUCTURAL", "PERFORMANCE"]) == []


async def test_connections_are_looked_up_among_the_tenants_own(developer: Caller, stranger: Caller) -> None:
    shop = {"name": "Shop", "type": "smtp", "settings": {"host": "mail.example.com"}}
    assert (await developer.data(CONNECT, input=shop))["connectionCreate"]["errors"] == []

    assert [code for _, code in await findings(developer, levels=["SEMANTIC"])] == [
        "UNKNOWN_FIELD",
        "WRONG_CONNECTION_TYPE",
    ]
    assert [code for _, code in await findings(stranger, levels=["SEMANTIC"])] == ["UNKNOWN_FIELD", "NO_CONNECTION"]


async def test_publishing_and_importing_tell_what_is_doubtful(developer: Caller) -> None:
    workflow = await created(developer, name="Doubtful", graph=CALLS, variables={"path": {"default": "/"}})
    payload = (await developer.data(PUBLISH, id=workflow))["workflowPublish"]
    document = """weir: 1
name: Imported
nodes:
  - { id: start, kind: trigger }
  - { id: call, kind: http, config: { url: /, connection: Shop } }
edges: [ { source: start, target: call } ]
"""
    imported = (await developer.data(IMPORT, document=document))["workflowImport"]

    assert (payload["version"], payload["errors"]) == ({"number": 1}, [])
    assert [(each["code"], each["nodeId"], each["path"]) for each in payload["findings"]] == [
        ("UNKNOWN_FIELD", "say", ["config", "message"]),
        ("SECRET_IN_CONFIG", "call", ["config", "headers", "x-api-key"]),
        ("NO_CONNECTION", "call", ["config", "connection"]),
    ]
    assert imported == {
        "report": {"findings": [{"code": "NO_CONNECTION", "nodeId": "call", "path": ["config", "connection"]}]},
        "errors": [],
    }
