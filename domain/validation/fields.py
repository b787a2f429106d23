"""What a kind's config schema says of each place in a config: how it is evaluated, which names it sees, its types.

A kind says which fields it evaluates itself: `x-expression` is `expression`, `condition` or `template`, and `x-names`
lists the names such a field sees beside the usual ones; `liquid` and `source` mark a text in another language and
`graph` a graph. `x-connection` marks the name of a connection, with the types it may have. A schema is read once,
however many configs are checked by it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from domain.json import JSON, JSONObject, as_list, as_object
from domain.validation.schemas import alternatives, child

MARK: Final = "x-expression"
NAMES: Final = "x-names"
CONNECTION: Final = "x-connection"
_CONNECTION_NAME: Final = "connection"
_DEEPEST: Final = 5
_KEPT: Final = 256


@dataclass(slots=True, kw_only=True)
class Field:
    """One place. `raw`: something at or below it is evaluated by the kind itself.

    `types`: the JSON types it takes, None where any goes or nobody knows. `connection`: the types of the connection it
    names, none where any goes; None where it names no connection.
    """

    mark: str | None = None
    names: frozenset[str] = frozenset()
    raw: bool = False
    types: frozenset[str] | None = None
    connection: tuple[str, ...] | None = None
    _root: JSONObject = field(repr=False)
    _schemas: Sequence[JSONObject] = field(repr=False)
    _members: dict[str, "Field"] = field(default_factory=dict[str, "Field"], repr=False)
    _element: "Field | None" = field(default=None, repr=False)

    def member(self, key: str) -> "Field":
        """What is at a key of an object."""
        found = self._members.get(key)
        if found is None:
            found = _field(self._root, child(self._root, self._schemas, key))
            if found is not UNKNOWN and len(self._members) < _KEPT:  # keys of a map are the user's: any number of them
                self._members[key] = found
        return found

    def element(self) -> "Field":
        """What is at any place of a list."""
        if self._element is None:
            self._element = _field(self._root, child(self._root, self._schemas, 0))
        return self._element


UNKNOWN: Final = Field(_root={}, _schemas=())
"""A place that the schema says nothing of."""
_known: Final[dict[int, tuple[JSONObject, Field]]] = {}


def fields_of(schema: JSONObject) -> Field:
    """The whole config. Kept by the schema's identity: kinds live as long as the process."""
    kept = _known.get(id(schema))
    if kept is not None and kept[0] is schema:
        return kept[1]
    if len(_known) >= _KEPT:
        _known.clear()
    made = _field(schema, [schema])
    _known[id(schema)] = (schema, made)
    return made


def marked_fields(schema: JSONObject) -> frozenset[str]:
    """The config fields that a kind evaluates itself, wholly or in part."""
    properties = as_object(schema.get("properties"))
    return frozenset(name for name in properties if any(_marks(schema, child(schema, [schema], name), 0)))


def connection_fields(schema: JSONObject) -> Mapping[str, tuple[str, ...]]:
    """The config fields that name connections, with the types these may have, none where any goes.

    They are marked; a field called `connection` is one in any case.
    """
    config = fields_of(schema)
    found = {name: config.member(name).connection for name in as_object(schema.get("properties"))}
    return {name: types or () for name, types in found.items() if types is not None or name == _CONNECTION_NAME}


def _field(root: JSONObject, schemas: Sequence[JSONObject]) -> Field:
    if not schemas:
        return UNKNOWN
    return Field(
        mark=next((str(schema[MARK]) for schema in schemas if MARK in schema), None),
        names=frozenset(str(name) for schema in schemas for name in as_list(schema.get(NAMES))),
        raw=any(_marks(root, schemas, 0)),
        types=_types(root, schemas),
        connection=next((_texts(schema[CONNECTION]) for schema in schemas if CONNECTION in schema), None),
        _root=root,
        _schemas=schemas,
    )


def _texts(listed: JSON) -> tuple[str, ...]:
    return tuple(map(str, as_list(listed)))


def _types(root: JSONObject, schemas: Sequence[JSONObject]) -> frozenset[str] | None:
    """`alternatives` lists a schema and all its branches: those that are no branch points say which types go."""
    template = as_object(root.get("$defs")).get("Template")
    found: set[str] = set()
    for schema in schemas:
        if MARK in schema:
            return None
        if schema is template or "anyOf" in schema or "$ref" in schema:
            continue
        named = schema.get("type")
        if isinstance(named, str):
            found.add(named)
        elif "enum" in schema:
            found |= {type_of(value) for value in as_list(schema["enum"])}
        elif "const" in schema:
            found.add(type_of(schema["const"]))
        else:
            return None
    return frozenset(found) or None


def type_of(value: JSON) -> str:
    """The JSON type of a value; whole numbers are `integer`."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case Mapping():
            return "object"
        case _:
            return "array"


def _marks(root: JSONObject, schemas: Sequence[JSONObject], depth: int) -> Iterator[bool]:
    for schema in schemas:
        if MARK in schema:
            yield True
        if depth < _DEEPEST:
            members = (as_object(schema.get(key)).values() for key in ("properties", "patternProperties"))
            elements = (schema.get(key) for key in ("items", "additionalProperties"))
            for described in (*chain(*members), *elements):
                yield from _marks(root, list(alternatives(root, described)), depth + 1)
