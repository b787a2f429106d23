"""Ids that stand inside an input, where a refusal has to say which field it is about."""

from uuid import UUID

from domain.errors import InvalidId
from domain.ids import decode


def read_id(prefix: str, text: str, *path: str) -> UUID:
    """Raises InvalidId with this path."""
    try:
        return decode(prefix, text)
    except InvalidId as refusal:
        refusal.path = path
        raise
