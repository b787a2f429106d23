"""JSON that must be an object: changes when a caller is to be told otherwise."""

from collections.abc import Mapping

from domain.errors import Invalid
from domain.json import JSON, JSONObject


def object_or_refuse(value: JSON, *path: str) -> JSONObject:
    """The object a caller gave, empty for null; raises Invalid for anything else."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Invalid("A JSON object is needed", path=path)
    return value
