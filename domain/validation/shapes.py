"""What is known of a value before there is one: its JSON types, and the members of objects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from domain.expressions.properties import LIST_NAMES, NUMBER_NAMES, OBJECT_NAMES, TEXT_NAMES
from domain.json import JSON, as_list, as_object
from domain.validation.fields import type_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """`types`: None when nothing is known. `members` of an object; when it is `open` it may have others.

    `element`: that of a list, None when nothing is known of it.
    """

    types: frozenset[str] | None = None
    members: Mapping[str, "Shape"] | None = None
    open: bool = True
    element: "Shape | None" = None

    @property
    def written(self) -> str:
        """`text or null`."""
        return " or ".join(sorted(_WORDS[name] for name in self.types or ()))


_WORDS: Final = {
    "string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false",
    "array": "a list", "object": "an object", "null": "null",
}  # fmt: skip
_BEYOND_WORDS = """
    $ref $dynamicRef allOf anyOf oneOf not if then else patternProperties dependentSchemas unevaluatedProperties
    unevaluatedItems prefixItems propertyNames"""
_BEYOND: Final = frozenset(_BEYOND_WORDS.split())
"""Keywords of a schema that say more than is followed here."""
_OBJECT: Final = frozenset({"object"})
ANY: Final = Shape()
LIST: Final = Shape(types=frozenset({"array"}))
TEXT: Final = Shape(types=frozenset({"string"}))
WHOLE_NUMBER: Final = Shape(types=frozenset({"integer"}))


@dataclass(frozen=True, slots=True)
class Missing:
    """There is nothing under `key` in a value of this shape."""

    key: str
    shape: Shape


def described(schema: JSON) -> Shape:
    """What a JSON Schema says of its values; ANY where it says it in a way that is not followed."""
    if not isinstance(schema, Mapping) or not schema or not _BEYOND.isdisjoint(schema):
        return ANY
    named = schema.get("type")
    types = frozenset(str(name) for name in ([named] if isinstance(named, str) else as_list(named)))
    if not types:
        values = as_list(schema.get("enum")) or ([schema["const"]] if "const" in schema else [])
        types = frozenset(map(type_of, values))
    properties = as_object(schema.get("properties"))
    return Shape(
        types=types or None,
        members={name: described(each) for name, each in properties.items()},
        open=schema.get("additionalProperties") is not False,
        element=described(schema["items"]) if "items" in schema else None,
    )


def at(shape: Shape, keys: Sequence[str]) -> Shape | Missing:
    """What is read by these keys in turn."""
    for key in keys:
        found = _member(shape, key)
        if isinstance(found, Missing) or found is ANY:
            return found
        shape = found
    return shape


def _member(shape: Shape, key: str) -> Shape | Missing:
    match shape.types:
        case None:
            return ANY
        case _ if shape.types == _OBJECT:
            found = (shape.members or {}).get(key)
            if found is not None:
                return found
            return ANY if shape.open or key in OBJECT_NAMES else Missing(key, shape)
        case _ if shape.types == LIST.types:
            return (shape.element or ANY) if key.isdecimal() else _builtin(shape, key, LIST_NAMES)
        case _ if shape.types == TEXT.types:
            return TEXT if key.isdecimal() else _builtin(shape, key, TEXT_NAMES)
        case _ if shape.types <= {"number", "integer", "boolean"}:
            return _builtin(shape, key, NUMBER_NAMES)
        case _:
            return ANY


def _builtin(shape: Shape, key: str, names: frozenset[str]) -> Shape | Missing:
    if key == "length" and key in names:
        return WHOLE_NUMBER
    return ANY if key in names else Missing(key, shape)


def fits(shape: Shape, types: frozenset[str]) -> bool:
    """Whether a value of this shape may be one of these types; what is not known may be anything."""
    if shape.types is None:
        return True
    wanted = types | {"integer"} if "number" in types else types | {"number"} if "integer" in types else types
    return not shape.types.isdisjoint(wanted)
