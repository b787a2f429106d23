"""A node's `compensation`: what is run to undo it."""

from collections.abc import Mapping
from typing import Any, cast

from domain.formats.stored import trusted_graph
from domain.graphs import Node


def undoing(node: Node) -> Node | None:
    """The node that `compensation` describes: `{kind, config?, retry?, timeout?}`; None without one.

    Its shape is validation's to say; raises KeyError, TypeError or ValueError for another.
    """
    given: Any = node.compensation
    if not isinstance(given, Mapping):
        return None
    described = cast("Mapping[str, Any]", given)
    return trusted_graph({"nodes": [{**described, "id": node.id}]}).nodes[0]
