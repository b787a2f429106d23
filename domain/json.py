"""The type of user data: any JSON value, and how it is written to bytes."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

JSON: TypeAlias = "None | bool | int | float | str | Sequence[JSON] | Mapping[str, JSON]"
JSONObject: TypeAlias = Mapping[str, JSON]


def as_object(value: JSON) -> JSONObject:
    """The value itself when it is an object, else an empty object."""
    return value if isinstance(value, dict | Mapping) else {}


def is_list(value: JSON) -> bool:
    return type(value) is list or (isinstance(value, Sequence) and not isinstance(value, str))


def as_list(value: JSON) -> Sequence[JSON]:
    """The value itself when it is a list, else an empty list."""
    return cast("Sequence[JSON]", value) if is_list(value) else ()
