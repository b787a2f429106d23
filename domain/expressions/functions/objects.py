"""The `json` functions: objects and any other JSON values, read and written, looked into, put together."""

import json
from collections.abc import Mapping
from typing import NoReturn

from domain.expressions.errors import OutOfRange
from domain.expressions.functions.lists import identity
from domain.expressions.functions.signatures import Anything, Items, Members, Path, Text, Whole, function
from domain.expressions.functions.values import as_text, found, ordered, plain, written
from domain.json import JSON, as_list


@function("json.parse", "Reads JSON.", 'json.parse("{\\"a\\": [1]}")', {"a": [1]})
def parse(value: Text) -> JSON:
    try:
        return plain([json.loads(value, parse_constant=_refused, parse_int=float)])[0]
    except (ValueError, RecursionError):
        raise OutOfRange("the text is no JSON") from None


def _refused(name: str) -> NoReturn:
    raise ValueError(name)


@function("json.stringify", "Writes JSON, over several lines when indented.", "json.stringify({a: [1]})", '{"a":[1]}')
def stringify(value: Anything, indent: Whole = 0) -> str:
    if not 0 <= indent <= 10:
        raise OutOfRange("indent is not between 0 and 10")
    return written(value, indent)


@function("json.get", "What is at a path, else null, or another default.", 'json.get({a: [{b: 7}]}, "a.0.b")', 7)
def get(value: Anything, path: Path, default: Anything | None = None) -> JSON:
    there = found(value, path)
    return default if there is None else there


@function("json.keys", "The names of the members.", "json.keys({a: 1, b: 2})", ["a", "b"])
def keys(value: Members) -> JSON:
    return list(ordered(value))


@function("json.values", "The members without their names.", "json.values({a: 1, b: 2})", [1, 2])
def values(value: Members) -> JSON:
    return [value[key] for key in ordered(value)]


@function("json.entries", "Pairs of name and member.", "json.entries({a: 1, b: 2})", [["a", 1], ["b", 2]])
def entries(value: Members) -> JSON:
    return [[key, value[key]] for key in ordered(value)]


@function("json.fromEntries", "An object of pairs.", 'json.fromEntries([["a", 1], ["b", 2]])', {"a": 1, "b": 2})
def from_entries(pairs: Items) -> JSON:
    if any(len(as_list(pair)) != 2 for pair in pairs):
        raise OutOfRange("an element is no pair")
    return {as_text(as_list(pair)[0]): as_list(pair)[1] for pair in pairs}


@function("json.pick", "Only the members of these names.", 'json.pick({a: 1, b: 2}, ["a", "x"])', {"a": 1})
def pick(value: Members, names: Items) -> JSON:
    return {name: value[name] for name in map(as_text, names) if name in value}


@function("json.omit", "Without the members of these names.", 'json.omit({a: 1, b: 2}, ["a"])', {"b": 2})
def omit(value: Members, names: Items) -> JSON:
    unwanted = set(map(as_text, names))
    return {name: member for name, member in value.items() if name not in unwanted}


@function("json.rename", "With other names: `{old: new}`.", 'json.rename({a: 1, b: 2}, {a: "x"})', {"x": 1, "b": 2})
def rename(value: Members, names: Members) -> JSON:
    return {as_text(names.get(name, name)): value[name] for name in ordered(value)}


@function("json.compact", "Without members that are null.", "json.compact({a: 1, b: null})", {"a": 1})
def compact(value: Members) -> JSON:
    return {name: member for name, member in value.items() if member is not None}


@function(
    "json.merge",
    "Two objects in one, the second winning; objects inside both are merged, lists are not.",
    "json.merge({a: {x: 1}, b: [1]}, {a: {y: 2}, b: []})",
    {"a": {"x": 1, "y": 2}, "b": []},
)
def merge(value: Members, other: Members) -> JSON:
    return _merged(value, other)


def _merged(value: Mapping[str, JSON], other: Mapping[str, JSON]) -> Mapping[str, JSON]:
    merged = dict(value)
    for name, member in other.items():
        ours = merged.get(name)
        if isinstance(ours, Mapping) and isinstance(member, Mapping):
            merged[name] = _merged(ours, member)
        else:
            merged[name] = member
    return merged


@function("json.equals", "Whether two values are equal, members in any order.", "json.equals({a: 1}, {a: 1.0})", True)
def equals(value: Anything, other: Anything) -> bool:
    return identity(value) == identity(other)
