"""The graph inside a node's config, and how the paths of its steps are read."""

import re
from collections.abc import Mapping

from domain.formats.stored import trusted_graph
from domain.graphs import Graph, Node
from domain.json import JSON

BODY = "body"
_PASS = re.compile(r"(?:\[\d+\]|#\d+)+$")


def body_of(node: Node) -> Graph | None:
    """`config.body`, whose shape validation has seen to; None when there is none."""
    body: JSON = node.config.get(BODY)
    return trusted_graph(body) if isinstance(body, Mapping) and body.get("nodes") else None


def scope_of(path: str) -> str:
    """The prefix of a step's path: `loop[3].` of `loop[3].price`, empty at the top."""
    head, dot, _ = path.rpartition(".")
    return head + dot


def container_of(prefix: str) -> str:
    """The path of the step whose iteration a prefix names: `loop` of `loop[3].`."""
    return prefix[: prefix.rindex("[")]


def node_of(path: str) -> str:
    """The node id a path ends with: `price` of `loop[3].price#2`."""
    return _PASS.sub("", path.rpartition(".")[2])


def top_of(path: str) -> str:
    """The step of the execution's own graph that a path lies in: `loop#2` of `loop#2[3].price`."""
    return path.partition("[")[0].removesuffix(":undo")


def is_top(path: str) -> bool:
    """Whether it is a step of the execution's own graph, and no compensation."""
    return top_of(path) == path
