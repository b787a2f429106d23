"""Pydantic's errors as findings: changes when a wrong shape is to be told in other words."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from domain.errors import Finding
from domain.json import JSON, JSONObject, as_list, is_list
from domain.validation.schemas import alternatives, child, did_you_mean, known_keys

MAX_FINDINGS = 1_000
_SHOWN = 60

_WISHES = {
    "string_type": "should be text",
    "int_type": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_type": "should be a number",
    "bool_type": "should be true or false",
    "list_type": "should be a list",
    "dict_type": "should be an object",
    "model_type": "should be an object",
}

Place = tuple[str | int, ...]


def shape_findings(
    model: type[BaseModel],
    error: ValidationError,
    value: JSON,
    *,
    code: str = "WRONG_SHAPE",
    passed_over: Callable[[str, object], bool] | None = None,
) -> Iterator[Finding]:
    """One finding for each place of `value` that the model refused; its path leads there from the value.

    At most MAX_FINDINGS are looked at. Places where a union has several complaints give one finding.
    `passed_over` gets an error's type and the value it is about, and says whether it is none.
    """
    schema = _schema(model)
    by_place: dict[Place, list[ErrorDetails]] = {}
    for details in error.errors(include_url=False, include_context=False)[:MAX_FINDINGS]:
        if passed_over and passed_over(details["type"], details["input"]):
            continue
        place = _place(details, value)
        by_place.setdefault(place, []).append(details)
    for place, found in by_place.items():
        yield _finding(schema, place, found, code)


@lru_cache(maxsize=256)
def _schema(model: type[BaseModel]) -> JSONObject:
    return cast("JSONObject", model.model_json_schema(by_alias=True))


def _place(details: ErrorDetails, value: JSON) -> Place:
    """The error's location without the names of union branches that pydantic puts into it."""
    place: list[str | int] = []
    at = value
    for key in details["loc"]:
        if isinstance(key, str) and isinstance(at, Mapping) and key in at:
            at = at[key]
            place.append(key)
        elif isinstance(key, int) and is_list(at) and key < len(as_list(at)):
            at = as_list(at)[key]
            place.append(key)
    if details["type"] == "missing":
        place.append(str(details["loc"][-1]))
    return tuple(place)


def _finding(schema: JSONObject, place: Place, found: Sequence[ErrorDetails], code: str) -> Finding:
    path = tuple(map(str, place))
    name = str(place[-1]) if place else "value"
    first = found[0]
    match first["type"]:
        case "extra_forbidden":
            remedy = did_you_mean(name, known_keys(schema, place[:-1]))
            return Finding(code="UNKNOWN_KEY", message=f"Unknown key {name!r}", path=path, remedy=remedy)
        case "missing":
            message = f"{name!r} is missing"
            return Finding(code="MISSING", message=message, path=path, remedy=_remedy(schema, place))
        case _:
            wishes = list(dict.fromkeys(_wish(details) for details in found))
            message = f"{'.'.join(path) or 'This'} {' or '.join(wishes)}"
            if first["type"] != "value_error":
                message = f"{message}, not {shown(first['input'])}"
            return Finding(code=code, message=message, path=path, remedy=_remedy(schema, place))


def _wish(details: ErrorDetails) -> str:
    wish = _WISHES.get(details["type"])
    if wish is not None:
        return wish
    message = details["msg"].removeprefix("Value error, ").removeprefix("Input ").removeprefix("String ")
    return message[:1].lower() + message[1:]


def _remedy(schema: JSONObject, place: Place) -> str | None:
    """What the schema says of the place."""
    schemas: Sequence[JSONObject] = list(alternatives(schema, schema))
    for key in place:
        schemas = child(schema, schemas, key)
    for described in schemas:
        description = described.get("description")
        if isinstance(description, str):
            return description
    return None


def shown(value: object) -> str:
    """A value in a message: scalars whole when short, containers by kind."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return repr(value) if len(value) <= _SHOWN else f"{value[:_SHOWN]!r}…"
        case Mapping():
            return "an object"
        case list() | tuple():
            return "a list"
        case _:
            return str(value)[:_SHOWN]


def wrong_shape(model: type[BaseModel], value: JSON, node_id: str, path: tuple[str, ...]) -> list[Finding]:
    """Why a value of the node, which stands at `path` in it, is none of this model."""
    try:
        model.model_validate(value)
    except ValidationError as error:
        found = shape_findings(model, error, value)
        return [replace(finding, node_id=node_id, path=(*path, *finding.path)) for finding in found]
    return []
