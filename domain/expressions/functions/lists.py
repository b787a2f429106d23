"""The `list` functions: elements chosen, ordered and grouped by a key, which is a path such as `address.city`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Final, TypeAlias, cast

from domain.expressions.coercion import MAX_TEXT, double, too_long, utf16
from domain.expressions.errors import OutOfRange
from domain.expressions.functions.signatures import Anything, Choice, Items, Key, Number, Text, Whole, function
from domain.expressions.functions.values import as_text, plain_number
from domain.json import JSON, is_list

MAX_ITEMS: Final = 10_000
"""The longest list `range` and `zip` make."""
Direction: TypeAlias = Annotated[str, Choice(("asc", "desc"))]
_PEOPLE = '[{"n": "Ada", "c": "UK"}, {"n": "Emmy", "c": "DE"}, {"n": "Alan", "c": "UK"}]'
_ADA: JSON = {"n": "Ada", "c": "UK"}
_EMMY: JSON = {"n": "Emmy", "c": "DE"}
_ALAN: JSON = {"n": "Alan", "c": "UK"}


def identity(value: JSON) -> str:
    """Equal for equal JSON: members in any order, 1 as 1.0, true not as 1."""
    return json.dumps(value, sort_keys=True)


def same(value: JSON) -> JSON:
    return value


@function("list.first", "The first element; null of an empty list.", "list.first([3, 4])", 3)
def first(items: Items) -> JSON:
    return items[0] if items else None


@function("list.last", "The last element; null of an empty list.", "list.last([3, 4])", 4)
def last(items: Items) -> JSON:
    return items[-1] if items else None


@function(
    "list.slice", "From one position to before another; negative ones count from the end.", "list.slice([1, 2, 3], 1)",
    [2, 3],
)  # fmt: skip
def part(items: Items, start: Whole, end: Whole | None = None) -> JSON:
    return items[start:end]


@function("list.contains", "Whether an equal element is in it.", 'list.contains([{"a": 1}], {"a": 1})', True)
def contains(items: Items, value: Anything) -> bool:
    return index_of(items, value) >= 0


@function("list.indexOf", "Where the first equal element stands, or -1.", 'list.indexOf(["a", "b"], "b")', 1)
def index_of(items: Items, value: Anything) -> int:
    wanted = identity(value)
    return next((at for at, item in enumerate(items) if identity(item) == wanted), -1)


@function("list.join", "As one text; null as nothing.", 'list.join(["a", null, 3], "-")', "a--3")
def join(items: Items, separator: Text = ",") -> str:
    parts = ["" if item is None else as_text(item) for item in items]
    if sum(map(len, parts)) + len(separator) * max(len(parts) - 1, 0) > MAX_TEXT:
        raise too_long()
    return separator.join(parts)


@function("list.reverse", "Backwards.", "list.reverse([1, 2, 3])", [3, 2, 1])
def backwards(items: Items) -> JSON:
    return items[::-1]


@function("list.concat", "Two lists after one another.", "list.concat([1], [2, 3])", [1, 2, 3])
def concat(items: Items, others: Items) -> JSON:
    return [*items, *others]


@function("list.flatten", "Lists inside it opened, so many levels deep.", "list.flatten([1, [2, [3]]])", [1, 2, [3]])
def flatten(items: Items, depth: Whole = 1) -> JSON:
    flat: list[JSON] = []
    for item in items:
        if is_list(item) and depth > 0:
            flat += cast("list[JSON]", flatten(cast("list[JSON]", item), depth - 1))
        else:
            flat.append(item)
    return flat


@function("list.compact", "Without nulls.", "list.compact([1, null, 0])", [1, 0])
def compact(items: Items) -> JSON:
    return [item for item in items if item is not None]


@function("list.map", "The key of every element.", f'list.map({_PEOPLE}, "n")', ["Ada", "Emmy", "Alan"])
def keys_of(items: Items, key: Key) -> JSON:
    return [key(item) for item in items]


@function("list.where", "The elements whose key has this value.", f'list.where({_PEOPLE}, "c", "DE")', [_EMMY])
def where(items: Items, key: Key, value: Anything) -> JSON:
    wanted = identity(value)
    return [item for item in items if identity(key(item)) == wanted]


@function("list.unique", "Without what comes again, by value or by key.", "list.unique([1, 2, 1.0])", [1, 2])
def unique(items: Items, key: Key = same) -> JSON:
    return _unique(items, key)


def _unique(items: Iterable[JSON], key: Key = same) -> list[JSON]:
    kept: dict[str, JSON] = {}
    for item in items:
        kept.setdefault(identity(key(item)), item)
    return list(kept.values())


@function("list.union", "What is in either, once each.", "list.union([1, 2], [2, 3])", [1, 2, 3])
def union(items: Items, others: Items) -> JSON:
    return _unique([*items, *others])


@function("list.intersection", "What is in both, once each.", "list.intersection([1, 2, 2], [2, 3])", [2])
def intersection(items: Items, others: Items) -> JSON:
    known = set(map(identity, others))
    return _unique(item for item in items if identity(item) in known)


@function("list.difference", "What is not in the other list.", "list.difference([1, 2, 2], [1])", [2, 2])
def difference(items: Items, others: Items) -> JSON:
    known = set(map(identity, others))
    return [item for item in items if identity(item) not in known]


@function(
    "list.sortBy",
    "In order of the key: false and true, then numbers, then texts by their characters' codes, then the rest as they "
    "stood; nulls always last.",
    f'list.sortBy({_PEOPLE}, "n", "desc")',
    [_EMMY, _ALAN, _ADA],
)
def sort_by(items: Items, key: Key = same, direction: Direction = "asc") -> JSON:
    ranked = [(_rank(key(item)), item) for item in items]
    some = sorted((pair for pair in ranked if pair[0]), key=lambda pair: pair[0], reverse=direction == "desc")
    return [item for _, item in some] + [item for rank, item in ranked if not rank]


def _rank(value: JSON) -> tuple[int, float, bytes] | tuple[()]:
    """Empty for null."""
    match value:
        case None:
            return ()
        case bool():
            return (0, value, b"")
        case int() | float():
            return (1, double(value), b"")
        case str():
            return (2, 0, utf16(value))
        case _:
            return (3, 0, b"")


@function(
    "list.groupBy",
    "An object with a list of elements for each key.",
    f'list.groupBy({_PEOPLE}, "c")',
    {"UK": [_ADA, _ALAN], "DE": [_EMMY]},
)
def group_by(items: Items, key: Key) -> JSON:
    groups: dict[str, list[JSON]] = {}
    for item in items:
        groups.setdefault(as_text(key(item)), []).append(item)
    return cast("Mapping[str, JSON]", groups)


@function(
    "list.countBy", "How many elements there are for each key.", f'list.countBy({_PEOPLE}, "c")', {"UK": 2, "DE": 1}
)
def count_by(items: Items, key: Key) -> JSON:
    counts: dict[str, int] = {}
    for item in items:
        name = as_text(key(item))
        counts[name] = counts.get(name, 0) + 1
    return cast("Mapping[str, JSON]", counts)


@function(
    "list.keyBy", "An object with the last element for each key.", f'list.keyBy({_PEOPLE}, "c")',
    {"UK": _ALAN, "DE": _EMMY},
)  # fmt: skip
def key_by(items: Items, key: Key) -> JSON:
    return {as_text(key(item)): item for item in items}


@function("list.chunk", "Lists of so many elements, the last maybe shorter.", "list.chunk([1, 2, 3], 2)", [[1, 2], [3]])
def chunk(items: Items, size: Whole) -> JSON:
    if size < 1:
        raise OutOfRange("size is less than 1")
    return [items[at : at + size] for at in range(0, len(items), size)]


@function(
    "list.zip", "Pairs of what stands at the same position; null where one list is shorter.",
    'list.zip(["a", "b"], [1, 2])', [["a", 1], ["b", 2]],
)  # fmt: skip
def pairs(items: Items, others: Items) -> JSON:
    def at(values: Sequence[JSON], index: int) -> JSON:
        return values[index] if index < len(values) else None

    return [[at(items, each), at(others, each)] for each in range(max(len(items), len(others)))]


@function(
    "list.range", "Numbers from one to before another, at most 10,000 of them.", "list.range(0, 10, 2.5)",
    [0, 2.5, 5, 7.5],
)  # fmt: skip
def numbers(start: Number, end: Number, step: Number = 1.0) -> JSON:
    if step == 0:
        raise OutOfRange("step is 0")
    made: list[JSON] = []
    while (end - (number := start + len(made) * step)) * step > 0:
        if len(made) == MAX_ITEMS:
            raise OutOfRange("it has more than 10,000 elements")
        made.append(plain_number(number))
    return made
