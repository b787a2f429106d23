"""JSON from outside to documents, graphs and settings, refusing a wrong shape with all findings at once.

A finding's path leads from the node it names, else from the document.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from domain.errors import Finding, InvalidGraph
from domain.formats.shapes import DocumentShape, GraphShape, SettingsShape, VariablesShape
from domain.formats.source import check_values
from domain.formats.stored import (
    Trusted,
    definition_from_json,
    definition_to_json,
    trusted_graph,
    trusted_settings,
    trusted_variables,
)
from domain.graphs import Document, Graph, TriggerSpec, Variable, WorkflowSettings
from domain.json import JSON, JSONObject, as_list, as_object
from domain.validation.limits import LIMITS, Limits, size_findings
from domain.validation.models import shape_findings

_LONGEST_ID = 64


def document_from_json(value: JSON, limits: Limits = LIMITS) -> Document:
    """A workflow document; raises InvalidGraph with a finding for every place whose shape is wrong.

    Also raises TooLarge and Unreadable as `check_values` does.
    """
    trusted = _checked(DocumentShape, value, limits)
    return Document(
        name=trusted["name"],
        description=trusted.get("description", ""),
        category=trusted.get("category", ""),
        tags=tuple(trusted.get("tags", ())),
        definition=definition_from_json(trusted),
        triggers=tuple(_trigger(trigger) for trigger in trusted.get("triggers", ())),
        demo=trusted.get("demo"),
    )


def _trigger(value: Trusted) -> TriggerSpec:
    return TriggerSpec(type=value["type"], config={key: value[key] for key in value if key != "type"})


def document_to_json(document: Document) -> JSONObject:
    """The inverse of `document_from_json`; what equals the default is left out."""
    value: dict[str, JSON] = {"weir": 1, "name": document.name}
    if document.description:
        value["description"] = document.description
    if document.category:
        value["category"] = document.category
    if document.tags:
        value["tags"] = list(document.tags)
    if document.demo is not None:
        value["demo"] = document.demo
    if document.triggers:
        value["triggers"] = [{"type": trigger.type, **trigger.config} for trigger in document.triggers]
    return {**value, **definition_to_json(document.definition)}


def graph_from_json(value: JSON, limits: Limits = LIMITS) -> Graph:
    """`{nodes, edges}`; raises as `document_from_json`."""
    return trusted_graph(_checked(GraphShape, value, limits))


def variables_from_json(value: JSON) -> Mapping[str, Variable]:
    """`{name: {default, description}}`; raises as `document_from_json`."""
    return trusted_variables(_checked(VariablesShape, {"variables": value})["variables"])


def settings_from_json(value: JSON) -> WorkflowSettings:
    """`{timeout, concurrency: {max, perMinute}, onError: {strategy, handler}}`; raises as `document_from_json`."""
    return trusted_settings(_checked(SettingsShape, value))


def _checked(shape: type[BaseModel], value: JSON, limits: Limits = LIMITS) -> Trusted:
    members = as_object(value)
    too_many = size_findings(len(as_list(members.get("nodes"))), len(as_list(members.get("edges"))), limits)
    if too_many:
        raise InvalidGraph(too_many)
    check_values(value)
    try:
        shape.model_validate(value)
    except ValidationError as error:
        findings = shape_findings(shape, error, value)
        raise InvalidGraph([_inside_node(finding, members) for finding in findings]) from None
    return cast("Mapping[str, Any]", value)


def _inside_node(finding: Finding, document: JSONObject) -> Finding:
    """The same finding told from its node, when it is in one that has an id."""
    if finding.path[:1] != ("nodes",) or len(finding.path) < 2:
        return finding
    node = as_object(as_list(document["nodes"])[int(finding.path[1])])
    name = node.get("id")
    if not isinstance(name, str) or len(name) > _LONGEST_ID or finding.path[2:] == ("id",):
        return finding
    message = finding.message.replace(".".join(finding.path), ".".join(finding.path[2:]) or "This node", 1)
    return replace(finding, node_id=name, path=finding.path[2:], message=message)
