"""Loops that ask another system again and again with hardly a pause: changes when another way to poll is known."""

from collections.abc import Iterable, Iterator
from typing import Final

from domain.errors import Finding, Severity
from domain.graphs import Node
from domain.json import JSONObject, as_list, as_object
from domain.validation.codes import found
from domain.validation.views import GraphView

LEAST_PAUSE: Final = 1.0
"""Seconds between two requests of a loop that waits for something."""
_ASKS: Final = frozenset({"http", "connector", "database", "ai"})
_WAITS: Final = frozenset({"wait", "approval", "subworkflow"})
_Step = tuple[str, JSONObject]


def findings(view: GraphView) -> Iterator[Finding]:
    """`while` loops and cycles; loops over a list or a number have an end of their own."""
    for node in view.nodes.values():
        if node.kind == "loop" and node.config.get("type") == "while":
            body = map(as_object, as_list(as_object(node.config.get("body")).get("nodes")))
            yield from _judged(node.id, [(str(each.get("kind")), as_object(each.get("config"))) for each in body])
    for members in view.cycles:
        inside = [node for node in view.nodes.values() if node.id in members]
        asking = next((node.id for node in inside if node.kind in _ASKS), None)
        if asking is not None:
            yield from _judged(asking, map(_step, inside))


def _step(node: Node) -> _Step:
    return node.kind, node.config


def _judged(node_id: str, steps: Iterable[_Step]) -> Iterator[Finding]:
    steps = list(steps)
    if not any(kind in _ASKS for kind, _ in steps) or any(kind in _WAITS for kind, _ in steps):
        return
    pauses = [config for kind, config in steps if kind == "delay"]
    if not pauses:
        message = "It asks another system each time round, without a pause"
        yield found("CHATTY_POLLING", message, node_id=node_id, severity=Severity.INFO)
        return
    seconds = [config.get("seconds") for config in pauses]
    known = [value for value in seconds if isinstance(value, int | float)]
    if len(known) == len(pauses) and sum(known) < LEAST_PAUSE:
        message = f"It asks another system each time round, with a pause of {sum(known):g} seconds"
        yield found("CHATTY_POLLING", message, node_id=node_id)
