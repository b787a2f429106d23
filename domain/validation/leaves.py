"""What a value is made of: its texts, numbers and truth values, each with where it stands."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from domain.json import JSON, as_list, is_list


class Leaf(NamedTuple):
    """`key`: the nearest key of an object above it, since the places of a list say nothing of what stands there.

    A tuple, because a large graph has thousands.
    """

    path: tuple[str, ...]
    key: str
    value: str | int | float | bool


@lru_cache(maxsize=2048)
def plain(key: str) -> str:
    """A key as it is compared: small letters and digits alone, so that `X-Api-Key` is `apikey` with an x before it."""
    return "".join(character for character in key[:200].lower() if character.isalnum())


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
