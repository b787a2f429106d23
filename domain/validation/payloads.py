"""Data that stands in a workflow itself: changes when more or less of it is too much."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from domain.errors import Finding, Severity
from domain.validation.codes import found
from domain.validation.leaves import Leaf, leaves
from domain.validation.views import GraphView

MUCH: Final = 64 * 1024
TOO_MUCH: Final = 256 * 1024
"""Characters of a config: beyond, a step's output is not even kept in the log."""
_FILE: Final = 8 * 1024
_BASE64: Final = re.compile(r"(?:data:[\w.+/-]{1,100};base64,)?[A-Za-z0-9+/\r\n]{1000}")
_DATA_URL: Final = re.compile(r"data:[\w.+/-]{1,100};base64,")


def findings(view: GraphView) -> Iterator[Finding]:
    for config, found_leaves in view.leaves:
        yield from _of(found_leaves, config.node.id, config.path)


def variable_findings(view: GraphView) -> Iterator[Finding]:
    """The same for the defaults of the workflow's variables."""
    for name, variable in view.definition.variables.items():
        path = ("variables", name, "default")
        yield from _of(list(leaves(variable.default, path, name)), None, path)


def _of(found_leaves: Sequence[Leaf], node_id: str | None, path: tuple[str, ...]) -> Iterator[Finding]:
    size = 0
    for leaf in found_leaves:
        length = len(leaf.value) if isinstance(leaf.value, str) else 1
        size += length
        if length > _FILE and isinstance(leaf.value, str) and _is_file(leaf.value):
            message = f"{'.'.join(leaf.path)[:200]} holds a file of about {length * 3 // 4 // 1024:,} KiB as text"
            yield found("INLINE_FILE", message, node_id=node_id, path=leaf.path)
    if size > MUCH:
        severity = Severity.WARNING if size > TOO_MUCH else Severity.INFO
        message = f"{size // 1024:,} KiB of data stand here: every version keeps them, and every step reads them"
        yield found("LARGE_VALUE", message, node_id=node_id, path=path, severity=severity)


def _is_file(text: str) -> bool:
    return _DATA_URL.match(text) is not None or _BASE64.match(text) is not None
