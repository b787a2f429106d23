"""JSON values as what PostgreSQL's parameters want; changes when another type is to take JSON by itself."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal, InvalidOperation

import orjson
from asyncpg.types import Type

from domain.expressions.templates import text_of
from domain.json import JSON
from jobs.databases.failures import DatabaseFailed
from jobs.databases.statements import Statement


def bind(statement: Statement, types: Sequence[Type]) -> list[object]:
    """The statement's values, each as its parameter's type wants it. Raises DatabaseFailed: PARAMETER_INVALID."""
    bound: list[object] = []
    for name, value, type in zip(statement.names, statement.values, types, strict=True):
        try:
            bound.append(_converted(value, type.name))
        except (ValueError, TypeError, InvalidOperation, OverflowError, binascii.Error):
            message = f"The parameter {name[:80]} is no {type.name}: {text_of(value)[:80]!r}"
            remedy = f"Give a {type.name}, or text that the statement casts: CAST(CAST(:x AS text) AS {type.name})."
            raise DatabaseFailed("PARAMETER_INVALID", message, remedy=remedy) from None
    return bound


def _converted(value: JSON, type: str) -> object:
    if value is None:
        return None
    if type.endswith("[]"):
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise TypeError
        nested = [isinstance(element, Sequence) and not isinstance(element, str) for element in value]
        return [_converted(each, type if deep else type[:-2]) for each, deep in zip(value, nested, strict=True)]
    convert = _CONVERSIONS.get(type, _other)
    return convert(value)


def _integer(value: JSON) -> int:
    number = _number(value)
    if number != int(number):
        raise ValueError
    return int(number)


def _number(value: JSON) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError
    return Decimal(str(value))


def _boolean(value: JSON) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _text(value: JSON) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _moment(value: JSON) -> datetime:
    """A text without an offset is taken as UTC."""
    moment = datetime.fromisoformat(_text(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _local_moment(value: JSON) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _seconds(value: JSON) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return timedelta(seconds=value)


def _other(value: JSON) -> object:
    """Text for most types; a list for those with parts (point, composite)."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(value)
    return text_of(value)


_CONVERSIONS: dict[str, Callable[[JSON], object]] = {
    **dict.fromkeys(("int2", "int4", "int8", "oid"), _integer),
    **dict.fromkeys(("float4", "float8"), lambda value: float(_number(value))),
    **dict.fromkeys(("json", "jsonb"), lambda value: orjson.dumps(value).decode()),
    "numeric": _number,
    "bool": _boolean,
    "date": lambda value: datetime.fromisoformat(_text(value)).date(),
    "timestamptz": _moment,
    "timestamp": _local_moment,
    "time": lambda value: time.fromisoformat(_text(value)).replace(tzinfo=None),
    "timetz": lambda value: time.fromisoformat(_text(value)),
    "interval": _seconds,
    "bytea": lambda value: base64.b64decode(_text(value), validate=True),
    "uuid": _text,
}
