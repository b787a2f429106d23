"""What can be wrong with one node by itself: kind, id, retry, timeout, error route, join."""

from collections.abc import Iterator, Sequence

from domain.errors import Finding, Severity
from domain.graphs import Definition, JoinMode, Node, Retry
from domain.nodes import NodeCatalog, NodeKind
from domain.validation.schemas import did_you_mean

MAX_ATTEMPTS = 100
MAX_SECONDS = 366 * 24 * 3600.0
"""The longest timeout or delay: a year."""


def node_findings(node: Node, catalog: NodeCatalog) -> Iterator[Finding]:
    """Everything about the node but its expressions and edges."""
    kinds = catalog.kinds()
    kind = kinds.get(node.kind)
    if kind is None:
        message, remedy = f"There is no node kind {node.kind[:80]!r}", did_you_mean(node.kind, kinds)
        yield Finding(code="UNKNOWN_KIND", message=message, node_id=node.id, path=("kind",), remedy=remedy)
    else:
        yield from catalog.check(node)
        yield from _join(node, kind)
    yield from _retry(node.id, node.retry)
    if node.timeout is not None:
        yield from seconds("timeout", node.timeout, node.id, ("timeout",), least_open=True)


def duplicate_ids(nodes: Sequence[Node]) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for at, node in enumerate(nodes):
        if first.setdefault(node.id, at) != at:
            yield Finding(
                code="DUPLICATE_ID",
                message=f"Two nodes have the id {node.id!r}: the nodes at {first[node.id]} and {at}",
                node_id=node.id,
                path=("id",),
                remedy="Give one of them another id.",
            )


def settings_findings(definition: Definition) -> Iterator[Finding]:
    settings = definition.settings
    if settings.timeout is not None:
        yield from seconds("timeout", settings.timeout, None, ("settings", "timeout"), least_open=True)
    for name, value in (("max", settings.max_concurrent), ("perMinute", settings.max_per_minute)):
        if value is not None and value < 1:
            yield Finding(
                code="BAD_SETTING",
                message=f"concurrency.{name} is {value}; it is at least 1",
                path=("settings", "concurrency", name),
                remedy="Leave it out for no limit.",
            )


def _retry(node_id: str, retry: Retry) -> Iterator[Finding]:
    if not 1 <= retry.max_attempts <= MAX_ATTEMPTS:
        yield Finding(
            code="BAD_RETRY",
            message=f"maxAttempts is {retry.max_attempts}; it is 1 to {MAX_ATTEMPTS}",
            node_id=node_id,
            path=("retry", "maxAttempts"),
            remedy="1 means no retry.",
        )
    for name, value in (("initialDelay", retry.initial_delay), ("maxDelay", retry.max_delay)):
        yield from seconds(name, value, node_id, ("retry", name))
    if 0 <= retry.max_delay < retry.initial_delay and retry.max_attempts > 1:
        yield Finding(
            severity=Severity.WARNING,
            code="BAD_RETRY",
            message=f"initialDelay, {retry.initial_delay:g}, is longer than maxDelay, {retry.max_delay:g}",
            node_id=node_id,
            path=("retry", "maxDelay"),
            remedy="Raise maxDelay or lower initialDelay.",
        )


def seconds(
    name: str, value: float, node_id: str | None, path: tuple[str, ...], *, least_open: bool = False
) -> Iterator[Finding]:
    """A duration is between 0 (exclusive if `least_open`) and a year."""
    if not 0 <= value <= MAX_SECONDS or (least_open and value == 0):
        least = "more than" if least_open else "at least"
        yield Finding(
            code="BAD_DURATION",
            message=f"{name} is {value:g} seconds; it is {least} 0 and at most a year",
            node_id=node_id,
            path=path,
            remedy="Give a number of seconds.",
        )


def _join(node: Node, kind: NodeKind) -> Iterator[Finding]:
    if node.join is None:
        return
    if kind.merges:
        message, severity = f"'join' is not used by a {kind.name} node", Severity.WARNING
    elif node.join is JoinMode.N:
        message, severity = "'join: n' does not say how many edges", Severity.ERROR
    else:
        return
    remedy = "Use a merge node's config: mode and n."
    yield Finding(severity=severity, code="BAD_JOIN", message=message, node_id=node.id, path=("join",), remedy=remedy)
