"""The JSON Schema validator for schemas that users write: linear keywords, counted work, nothing fetched.

It is jsonschema's for draft 2020-12 with patterns in RE2, `uniqueItems` by hashing, the formats `date`, `time`,
`date-time`, `email`, `uuid`, `ipv4`, `ipv6` asserted, and a budget of keywords evaluated for one value.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from datetime import date, datetime, time
from ipaddress import IPv4Address, IPv6Address
from itertools import islice
from typing import Any, cast
from uuid import UUID

from jsonschema import Draft202012Validator, FormatChecker, ValidationError, exceptions, validators
from referencing import Registry
from referencing.exceptions import Unresolvable

from domain.json import JSON, as_list
from domain.patterns import compile_pattern
from domain.validation.models import shown

STEPS = 100_000
STEPS_PER_VALUE = 50
"""Keywords evaluated for one value: so many, and so many more for each value it holds."""

Keyword = Callable[[Any, Any, Any, Any], Any]
_best_match = cast("Callable[[Sequence[ValidationError]], ValidationError]", cast("Any", exceptions).best_match)


class CannotCheck(Exception):
    """The schema refers out of itself, or takes more work than it is allowed; the message says which."""


def errors(schema: JSON, value: JSON, most: int) -> list[ValidationError]:
    """The first `most` places where the value does not fit. Raises CannotCheck."""
    budget = _left.set([STEPS + STEPS_PER_VALUE * _size(value)])
    try:
        validator = _Bounded(schema, registry=_NOTHING_FETCHED, format_checker=_formats)
        found = cast("Iterator[ValidationError]", validator.iter_errors(value))
        return [_best_match([error]) for error in islice(found, most)]
    except _Exhausted:
        raise CannotCheck("Checking a value by this schema takes too many steps") from None
    except RecursionError:
        raise CannotCheck("The schema refers to itself without end, or is nested too deep") from None
    except Unresolvable as error:
        raise CannotCheck(f"The schema refers to {error.ref!r}, which is not in it") from None
    finally:
        _left.reset(budget)


def meta_errors(schema: JSON, most: int) -> list[ValidationError]:
    """The first `most` places where the schema is none. Raises CannotCheck."""
    validator = cast("Any", Draft202012Validator)(Draft202012Validator.META_SCHEMA)
    try:
        found = cast("Iterator[ValidationError]", validator.iter_errors(schema))
        return [_best_match([error]) for error in islice(found, most)]
    except RecursionError:
        raise CannotCheck("The schema is nested too deep") from None


class _Exhausted(Exception):
    pass


_left: ContextVar[list[int]] = ContextVar("steps left to the check that runs")
_NOTHING_FETCHED: Registry[Any] = Registry()


def _size(value: JSON) -> int:
    count, work = 0, [value]
    while work:
        item = work.pop()
        count += 1
        work.extend(item.values() if isinstance(item, Mapping) else as_list(item))
    return count


def _counted(keyword: Keyword) -> Keyword:
    def evaluate(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        left = _left.get()
        left[0] -= 1
        if left[0] < 0:
            raise _Exhausted
        return keyword(validator, value, instance, schema)

    return evaluate


def _type(validator: Any, types: Any, instance: Any, schema: Any) -> Any:
    wanted = [types] if isinstance(types, str) else types
    if not any(validator.is_type(instance, name) for name in wanted):
        yield ValidationError(f"should be {' or '.join(wanted)}, not {shown(instance)}")


def _required(validator: Any, names: Any, instance: Any, schema: Any) -> Any:
    if isinstance(instance, dict):
        for name in names:
            if name not in instance:
                yield ValidationError("is missing", path=[name])


def _pattern(validator: Any, pattern: Any, instance: Any, schema: Any) -> Any:
    if isinstance(instance, str) and not compile_pattern(pattern).search(instance):
        yield ValidationError(f"should match {pattern}, not be {shown(instance)}")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, schema: Any) -> Any:
    if isinstance(instance, dict):
        for pattern, subschema in patterns.items():
            compiled = compile_pattern(pattern)
            for key, member in cast("dict[str, JSON]", instance).items():
                if compiled.search(key):
                    yield from validator.descend(member, subschema, path=key, schema_path=pattern)


def _additional_properties(validator: Any, allowed: Any, instance: Any, schema: Any) -> Any:
    if not isinstance(instance, dict):
        return
    named = schema.get("properties", {})
    patterns = [compile_pattern(pattern) for pattern in schema.get("patternProperties", {})]
    for key, member in cast("dict[str, JSON]", instance).items():
        if key in named or any(pattern.search(key) for pattern in patterns):
            continue
        if allowed is False:
            yield ValidationError("is no key of the schema", path=[key])
        else:
            yield from validator.descend(member, allowed, path=key)


def _unique_items(validator: Any, unique: Any, instance: Any, schema: Any) -> Any:
    if not unique or not isinstance(instance, list):
        return
    seen: set[str] = set()
    for item in cast("list[JSON]", instance):
        written = json.dumps(_plain(item), sort_keys=True)
        if written in seen:
            yield ValidationError(f"holds {written[:60]} twice")
            return
        seen.add(written)


def _plain(value: JSON) -> JSON:
    """The value with 1.0 written as 1, as JSON Schema compares."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _plain(member) for key, member in value.items()}
    return [_plain(member) for member in value] if isinstance(value, list) else value


_KEYWORDS: Mapping[str, Keyword] = {
    **cast("Mapping[str, Keyword]", Draft202012Validator.VALIDATORS),
    "type": _type,
    "required": _required,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
}
_Bounded = cast("Any", validators).extend(
    Draft202012Validator, {name: _counted(keyword) for name, keyword in _KEYWORDS.items()}
)


def _moment(text: str) -> None:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(text)


def _email(text: str) -> None:
    name, _, host = text.rpartition("@")
    if not name or not host or any(character.isspace() for character in text):
        raise ValueError(text)


def _asserted(parse: Callable[[str], object]) -> Callable[[object], bool]:
    def fits(value: object) -> bool:
        if isinstance(value, str):
            parse(value)
        return True

    return fits


_FORMATS: Mapping[str, Callable[[str], object]] = {
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "date-time": _moment,
    "email": _email,
    "uuid": UUID,
    "ipv4": IPv4Address,
    "ipv6": IPv6Address,
}
_formats = FormatChecker(formats=())
for _name, _parse in _FORMATS.items():
    _formats.checks(_name, raises=ValueError)(_asserted(_parse))
