"""Config fields that are more than their type: expressions a kind evaluates itself, templates, names of connections."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from domain.conditions import Condition, parse_condition
from domain.errors import Refusal
from domain.expressions import Expression, Template, compile_condition, compile_value
from domain.json import JSON, JSONObject, as_list, as_object
from domain.validation.expressions import MARK, NAMES
from domain.validation.fields import CONNECTION, type_of

EXPRESSION_ERROR = "weir_expression"
"""The type of pydantic's error for an expression or condition that does not compile."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """Marks a field as compiled when it is validated; `names` are in its scope beside the usual ones."""

    mark: str
    names: tuple[str, ...] = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._compile)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        shape = {
            "expression": {"type": "string"},
            "condition": {"type": ["string", "object"]},
            "graph": {"type": "object"},
        }
        described: dict[str, Any] = {**shape.get(self.mark, {}), MARK: self.mark}
        return {**described, NAMES: list(self.names)} if self.names else described

    def _compile(self, value: JSON) -> Expression | Condition | Template | JSONObject:
        try:
            match self.mark:
                case "condition":
                    return parse_condition(value)
                case "template":
                    return compile_value(value)
                case "graph":
                    if not isinstance(value, Mapping):
                        raise PydanticCustomError("dict_type", "should be an object")
                    return value
                case _:
                    if not isinstance(value, str):
                        raise PydanticCustomError("string_type", "should be text")
                    return compile_condition(value)
        except Refusal as error:
            raise PydanticCustomError(EXPRESSION_ERROR, "{reason}", {"reason": error.message}) from None


class ConnectionOf:
    """Marks a text as the name of a connection of one of these types; of any type when there are none."""

    def __init__(self, *types: str) -> None:
        self._types = types

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), CONNECTION: list(self._types)}


ConditionField: TypeAlias = Annotated[Condition, Compiled("condition")]
ExpressionField: TypeAlias = Annotated[Expression, Compiled("expression")]
TemplateField: TypeAlias = Annotated[Template, Compiled("template")]

_TEMPLATE: JSONObject = {
    "type": "string",
    "pattern": r"\{\{",
    "title": "Expression",
    "description": "A value in {{ }}.",
}
_ABOUT = ("title", "description", "default", "examples")


def template_schema(value: JSON) -> JSONObject:
    """What such a field gives: one expression alone gives anything, a text with expressions gives text."""
    if isinstance(value, str):
        bare = value.strip()
        return {} if bare.startswith("{{") and bare.endswith("}}") else {"type": "string"}
    if isinstance(value, Mapping):
        return closed({str(name): template_schema(member) for name, member in value.items()})
    return {"type": type_of(value)}


def closed(members: JSONObject) -> JSONObject:
    """The schema of an object with these members and no others."""
    return {"type": "object", "properties": members, "additionalProperties": False}


def accepting_templates(schema: JSONObject) -> JSONObject:
    """A config schema in which every field that is not text may hold a template instead."""
    definitions = cast("Mapping[str, JSONObject]", schema.get("$defs") or {})
    changed = {name: _object(definition) for name, definition in definitions.items()}
    return {**_object(schema), "$defs": {**changed, "Template": _TEMPLATE}}


def _object(schema: JSONObject) -> dict[str, JSON]:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return dict(schema)
    return {**schema, "properties": {name: _field(described) for name, described in properties.items()}}


def _field(described: JSON) -> JSON:
    if not isinstance(described, Mapping) or MARK in described:
        return described
    about = {key: described[key] for key in _ABOUT if key in described}
    shape = {key: value for key, value in described.items() if key not in _ABOUT}
    if not shape or shape == {"type": "string"}:
        return described
    branches = as_list(shape["anyOf"]) if list(shape) == ["anyOf"] else [_inside(shape)]
    if any(MARK in as_object(branch) for branch in branches):
        return described
    return {**about, "anyOf": [*branches, {"$ref": "#/$defs/Template"}]}


def _inside(shape: Mapping[str, JSON]) -> JSONObject:
    """The same for the elements of lists and the members of objects."""
    changed = {key: _field(shape[key]) for key in ("items", "additionalProperties") if key in shape}
    patterns = {pattern: _field(member) for pattern, member in as_object(shape.get("patternProperties")).items()}
    return {**shape, **changed, **({"patternProperties": patterns} if patterns else {})}
