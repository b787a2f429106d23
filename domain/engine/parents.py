"""What an execution's first event says of the one that began it."""

from typing import Any

from domain.engine.state import Parent
from domain.json import JSON, JSONObject


def parent_from_json(value: JSON) -> Parent | None:
    """`{execution, path, depth}`, None for an execution that stands alone."""
    document: Any = value
    if not document:
        return None
    return Parent(execution=document["execution"], path=document["path"], depth=document["depth"])


def parent_to_json(parent: Parent | None) -> JSONObject | None:
    """The inverse of `parent_from_json`."""
    return {"execution": parent.execution, "path": parent.path, "depth": parent.depth} if parent else None
