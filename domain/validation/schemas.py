"""Walking a JSON Schema beside a value: which subschemas speak of a place, and which keys they know.

Only what pydantic writes is followed: `properties`, `patternProperties`, `additionalProperties`, `items`, `anyOf`,
local `$ref`.
"""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice

from domain.json import JSON, JSONObject, as_list, as_object

_LONGEST_COMPARED = 64
_MOST_COMPARED = 1_000


def alternatives(root: JSONObject, schema: JSON) -> Iterator[JSONObject]:
    """The schema with its references followed, and every branch of its `anyOf`."""
    described = as_object(schema)
    reference = described.get("$ref")
    if isinstance(reference, str):
        name = reference.removeprefix("#/$defs/")
        yield from alternatives(root, as_object(root.get("$defs")).get(name))
    yield described
    for branch in as_list(described.get("anyOf")):
        yield from alternatives(root, branch)


def child(root: JSONObject, schemas: Sequence[JSONObject], key: str | int) -> Sequence[JSONObject]:
    """The subschemas for one key or index below a place that `schemas` describe."""
    found: list[JSONObject] = []
    for schema in schemas:
        if isinstance(key, int):
            found += alternatives(root, schema.get("items"))
        else:
            named = as_object(schema.get("properties")).get(key)
            others = [schema.get("additionalProperties"), *as_object(schema.get("patternProperties")).values()]
            for described in others if named is None else [named]:
                found += alternatives(root, described)
    return found


def known_keys(root: JSONObject, path: Sequence[str | int]) -> tuple[str, ...]:
    """The keys an object at this place may have, as far as they are named."""
    schemas: Sequence[JSONObject] = list(alternatives(root, root))
    for key in path:
        schemas = child(root, schemas, key)
    keys = {key: None for schema in schemas for key in as_object(schema.get("properties"))}
    return tuple(keys)


def suggestion(word: str, known: Sequence[str] | Mapping[str, object]) -> str | None:
    """The known word that was probably meant."""
    if len(word) > _LONGEST_COMPARED or len(known) > _MOST_COMPARED:
        return None
    folded = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), list(folded), n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def did_you_mean(word: str, known: Sequence[str] | Mapping[str, object]) -> str:
    """A remedy for an unknown word: the likely one, else the list of them."""
    meant = suggestion(word, known)
    if meant is not None:
        return f"Did you mean {meant!r}?"
    shown = ", ".join(islice(known, 20))
    return f"Known: {shown}{', …' if len(known) > 20 else ''}." if known else "Remove it."
