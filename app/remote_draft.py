"""The document of a file as a draft on a server: imported, or put in place of the draft of that name."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from app.remote_server import RemoteServer, done, finding_of
from domain.connections_used import CONNECTION_CODES
from domain.errors import Finding
from domain.formats import Format, dumps
from domain.formats.stored import graph_to_json, settings_to_json, variables_to_json
from domain.graphs import Document, Variable
from domain.json import JSONObject, as_list, as_object

ERRORS = (
    "errors { message path remedy ... on ValidationError { findings { severity code message nodeId path remedy } } }"
)
_FIND = "query ($name: String!) { workflow(name: $name) { id revision } }"
_IMPORT = f"""mutation ($format: DefinitionFormat!, $document: String!) {{
  workflowImport(format: $format, document: $document) {{ workflow {{ id }} {ERRORS} }} }}"""
_UPDATE = f"""mutation ($id: ID!, $input: WorkflowUpdateInput!, $revision: Int!) {{
  workflowUpdate(id: $id, input: $input, expectedRevision: $revision) {{ workflow {{ id }} {ERRORS} }} }}"""

_VALIDATE = """query ($graph: GraphInput!) {
  graphValidate(graph: $graph) { findings { severity code message nodeId path remedy } } }"""


async def keep_draft(document: Document, format: Format, server: RemoteServer, say: Callable[[str], None]) -> str:
    """The id of the workflow of the document's name, whose draft is now the document; what is published stays.

    Raises InvalidGraph with all findings, Refusal for whatever else the server refuses.
    """
    known = as_object((await server.execute(_FIND, {"name": document.name}))["workflow"])
    if known:
        say(f"the draft of {document.name!r} on the server becomes this file; its published version stays")
        changes: JSONObject = {"id": known["id"], "input": _draft(document), "revision": known["revision"]}
        answer = done((await server.execute(_UPDATE, changes))["workflowUpdate"])
    else:
        given: JSONObject = {"format": format.name, "document": dumps(document, format)}
        answer = done((await server.execute(_IMPORT, given))["workflowImport"])
    return str(as_object(answer["workflow"])["id"])


async def connection_doubts(document: Document, server: RemoteServer) -> Sequence[Finding]:
    """What the server says of the connections that the document names."""
    answer = as_object((await server.execute(_VALIDATE, {"graph": _draft(document)["graph"]}))["graphValidate"])
    findings = map(finding_of, as_list(answer.get("findings")))
    return [finding for finding in findings if finding.code in CONNECTION_CODES]


def with_demo(document: Document) -> Document:
    """A document with a demo has the variable `demo`, as it has where the demo is started."""
    definition = document.definition
    if document.demo is None or "demo" in definition.variables:
        return document
    variables = {**definition.variables, "demo": Variable(description="Where the demo server is reached")}
    return replace(document, definition=replace(definition, variables=variables))


def _draft(document: Document) -> JSONObject:
    """The document as WorkflowUpdateInput."""
    definition = document.definition
    graph, settings = graph_to_json(definition.graph), settings_to_json(definition.settings)
    return {
        "description": document.description,
        "category": document.category,
        "tags": document.tags,
        "graph": {**graph, "nodes": [_node(as_object(node)) for node in as_list(graph["nodes"])]},
        "variables": variables_to_json(definition.variables),
        "settings": _part(settings, "onError", "strategy"),
        "inputSchema": definition.input_schema,
        "outputSchema": definition.output_schema,
    }


def _node(node: JSONObject) -> JSONObject:
    return _part(_in_capitals(node, "onError", "join"), "retry", "backoff")


def _part(fields: JSONObject, part: str, name: str) -> JSONObject:
    return {**fields, part: _in_capitals(as_object(fields[part]), name)} if part in fields else fields


def _in_capitals(fields: JSONObject, *names: str) -> JSONObject:
    """The API writes the words of documents as enumerations: `fail` is FAIL there."""
    return {key: str(value).upper() if key in names else value for key, value in fields.items()}
