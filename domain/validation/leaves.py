"""What a value is made of: its texts, numbers and truth values, each with where it stands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from domain.json import JSON, as_list, is_list


@dataclass(frozen=True, slots=True)
class Leaf:
    """`key`: the nearest key of an object above it, since the places of a list say nothing of what stands there."""

    path: tuple[str, ...]
    key: str
    value: str | int | float | bool


def leaves(value: JSON, path: tuple[str, ...], key: str = "", *, without: str | None = None) -> Iterator[Leaf]:
    """In the order of the document; nulls are left out, and at the top what stands under the key `without`."""
    if isinstance(value, str | int | float):
        yield Leaf(path, key, value)
    elif isinstance(value, Mapping):
        for name, member in value.items():
            if isinstance(member, str):  # most are
                yield Leaf((*path, name), name, member)
            elif member is not None and name != without:
                yield from leaves(member, (*path, name), name)
    elif is_list(value):
        for at, member in enumerate(as_list(value)):
            yield from leaves(member, (*path, str(at)), key)
