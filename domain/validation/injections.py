"""Values from outside that become part of a program: SQL, commands, HTML."""

import re
from collections.abc import Iterator
from typing import Final

from domain.errors import Finding
from domain.expressions import ExpressionError, expressions_in
from domain.json import JSON, as_object
from domain.validation.codes import found
from domain.validation.leaves import Leaf
from domain.validation.views import Config, GraphView

_OUTSIDE: Final = frozenset({"input", "trigger", "item", "steps", "error"})
"""Names whose values come from whoever started the execution, or from other systems."""
_SQL: Final = re.compile(
    r"^\s*(?:select\b[\s\S]{0,2000}?\bfrom\b|insert\s+into\b|update\b[\s\S]{0,500}?\bset\b|delete\s+from\b"
    r"|(?:drop|alter|create|truncate)\s+table\b|call\s+\w|exec(?:ute)?\s+\w)",
    re.IGNORECASE,
)
_COMMAND_KEYS: Final = frozenset({"command", "cmd", "shell", "script", "bash", "exec", "commandline"})
_COMMAND: Final = re.compile(r"\b(?:ba|da|z|k|pw)?sh\s+-c\b|\bcmd(?:\.exe)?\s+/c\b|\beval\s|\$\(|\|\s*(?:ba|z)?sh\b")
_COMMAND_PARTS: Final = ("sh", "cmd", "eval", "$(")
"""One of them is in every command that is known by its text: a quick look."""
_TAG: Final = re.compile(r"<(?:!doctype|/?[a-z][a-z0-9]*)[\s>/]", re.IGNORECASE)
_OWN: Final = frozenset({"template", "source"})
"""Fields in a language of their own, whose braces are not ours."""


def findings(view: GraphView) -> Iterator[Finding]:
    for config, leaves in view.leaves:
        for leaf in leaves:
            text = leaf.value
            if isinstance(text, str) and "{{" in text and leaf.key not in _OWN:
                yield from _becoming(config, leaf, text)


def _becoming(config: Config, leaf: Leaf, text: str) -> Iterator[Finding]:
    danger = _danger(config, leaf, text)
    outside = _from_outside(text) if danger is not None else ()
    if danger is None or not outside:
        return
    code, what = danger
    names = ", ".join(repr(name) for name in outside)
    message = f"{'.'.join(leaf.path)[:200]}: {names} of whoever started it, or of another system, becomes {what}"
    yield found(code, message, node_id=config.node.id, path=leaf.path)


def _danger(config: Config, leaf: Leaf, text: str) -> tuple[str, str] | None:
    """The code, and what the text is."""
    key = leaf.key.lower()
    if config.kind.name == "database" and leaf.path == (*config.path, "query"):
        return ("UNTRUSTED_SQL", "the whole statement") if _is_one_expression(text) else None  # else they are bound
    if config.kind.name != "database" and _SQL.match(text):
        return "UNTRUSTED_SQL", "SQL text"
    if key in _COMMAND_KEYS or (any(part in text for part in _COMMAND_PARTS) and _COMMAND.search(text)):
        return "UNTRUSTED_COMMAND", "part of a command"
    if key == "html" or ("<" in text and _TAG.search(text) and _answers_html(config.values)):
        return "UNESCAPED_HTML", "HTML that is not escaped"
    return None


def _answers_html(config: JSON) -> bool:
    headers = as_object(as_object(config).get("headers"))
    return any(name.lower() == "content-type" and "html" in str(value).lower() for name, value in headers.items())


def _is_one_expression(text: str) -> bool:
    bare = text.strip()
    return bare.startswith("{{") and bare.endswith("}}") and bare.count("{{") == 1


def _from_outside(text: str) -> tuple[str, ...]:
    """The names from outside that its expressions read."""
    try:
        _, expressions = expressions_in(text)
    except ExpressionError:
        return ()
    read = {path[0] for expression in expressions for path in expression.paths}
    return tuple(sorted(read & _OUTSIDE))
