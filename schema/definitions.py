"""A definition as mutations take it: changes when a definition gets a part that people edit."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import strawberry

from domain.formats.documents import graph_from_json, settings_from_json, variables_from_json
from domain.graphs import Definition
from schema.graphs import GraphInput, WorkflowSettingsInput, graph_document, settings_document
from schema.scalars import JSON

Edit = Callable[[Definition], Definition]


@strawberry.input
class DefinitionChanges:
    """What is left out stays as it is; an input of a mutation that edits a definition has these fields."""

    graph: GraphInput | None = None
    variables: JSON | None = strawberry.field(default=None, description="Replaces all of them.")
    settings: WorkflowSettingsInput | None = None
    input_schema: JSON | None = strawberry.field(default=strawberry.UNSET, description="null removes it.")
    output_schema: JSON | None = strawberry.field(default=strawberry.UNSET, description="null removes it.")


def edit_of(given: DefinitionChanges) -> Edit | None:
    """What the input changes of a definition, None when nothing; the new parts are read once."""
    changes: dict[str, Any] = {}
    if given.graph is not None:
        changes["graph"] = graph_from_json(graph_document(given.graph))
    if given.variables is not None:
        changes["variables"] = variables_from_json(given.variables)
    if given.settings is not None:
        changes["settings"] = settings_from_json(settings_document(given.settings))
    if given.input_schema is not strawberry.UNSET:
        changes["input_schema"] = given.input_schema
    if given.output_schema is not strawberry.UNSET:
        changes["output_schema"] = given.output_schema
    return (lambda definition: replace(definition, **changes)) if changes else None
