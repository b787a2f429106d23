"""What can be wrong with what any node may carry: `each`, `lock`, `cache`, `compensation`."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from domain.errors import Finding
from domain.formats.shapes import CacheShape, CompensationShape, EachShape, LockShape
from domain.graphs import Node
from domain.json import as_object
from domain.nodes import NodeCatalog, NodeKind
from domain.undoing import undoing
from domain.validation.expressions import ExpressionCheck, Place
from domain.validation.models import wrong_shape
from domain.validation.nodes import seconds

_OUTPUT = frozenset({"output"})


def trait_findings(node: Node, catalog: NodeCatalog, check: ExpressionCheck) -> Iterator[Finding]:
    """Everything about the traits of one node; `check` gathers what is wrong with their expressions."""
    kind = catalog.kinds().get(node.kind)
    if node.each is not None:
        yield from each_findings(node)
        check.template(node.each, Place(node_id=node.id, path=("each",)))
    if node.lock is not None:
        yield from _lock_findings(node, check)
    if node.cache is not None:
        yield from _cache_findings(node, kind, check)
    if node.at_most_once and kind is not None and not kind.effects:
        yield Finding(
            code="BAD_AT_MOST_ONCE",
            message=f"A node of the kind {node.kind!r} does nothing outside: running it again harms nobody",
            node_id=node.id,
            path=("atMostOnce",),
            remedy="Leave it out; it is for nodes that act on other systems.",
        )
    yield from compensation_findings(node, catalog, check)


def each_findings(node: Node) -> Iterator[Finding]:
    """`each` is a list, an expression, or `{items, concurrency?, errorHandling?}`."""
    if isinstance(node.each, Mapping):
        yield from wrong_shape(EachShape, node.each, node.id, ("each",))
    elif isinstance(node.each, bool | int | float) or (isinstance(node.each, str) and "{{" not in node.each):
        yield Finding(
            code="BAD_EACH",
            message="'each' is no list",
            node_id=node.id,
            path=("each",),
            remedy="Give a list, an expression in {{ }}, or {items, concurrency, errorHandling}.",
        )


def compensation_findings(node: Node, catalog: NodeCatalog, check: ExpressionCheck) -> Iterator[Finding]:
    """`compensation` is `{kind, config?, retry?, timeout?}`; its expressions see the step's `input` and `output`."""
    if node.compensation is None:
        return
    wrong = wrong_shape(CompensationShape, node.compensation, node.id, ("compensation",))
    if wrong:
        yield from wrong
        return
    undo = undoing(node)
    kind = catalog.kinds().get(undo.kind) if undo is not None else None
    if undo is None or kind is None or kind.entry or kind.body or kind.merges:
        yield Finding(
            code="UNKNOWN_KIND",
            message=f"Nothing can be undone by a node of the kind {as_object(node.compensation).get('kind')!r}",
            node_id=node.id,
            path=("compensation", "kind"),
            remedy="Name a kind that acts, such as http.",
        )
        return
    for finding in catalog.check(undo):
        yield replace(finding, node_id=node.id, path=("compensation", *finding.path))
    check.config(node.id, undo.config, kind.config_schema, within=("compensation",), names=_OUTPUT)


def _lock_findings(node: Node, check: ExpressionCheck) -> Iterator[Finding]:
    """`lock` is `{name, limit?, timeout?}`."""
    wrong = wrong_shape(LockShape, node.lock, node.id, ("lock",))
    if wrong:
        yield from wrong
        return
    lock = as_object(node.lock)
    timeout = lock.get("timeout")
    if isinstance(timeout, int | float):
        yield from seconds("timeout", timeout, node.id, ("lock", "timeout"), least_open=True)
    check.template(lock["name"], Place(node_id=node.id, path=("lock", "name")))


def _cache_findings(node: Node, kind: NodeKind | None, check: ExpressionCheck) -> Iterator[Finding]:
    """`cache` is `{ttl, key?}`, on a node that comes to its result by itself."""
    wrong = wrong_shape(CacheShape, node.cache, node.id, ("cache",))
    if wrong:
        yield from wrong
        return
    cache = as_object(node.cache)
    ttl = cache["ttl"]
    if isinstance(ttl, int | float):
        yield from seconds("ttl", ttl, node.id, ("cache", "ttl"), least_open=True)
    if cache.get("key") is not None:
        check.template(cache["key"], Place(node_id=node.id, path=("cache", "key")))
    if kind is not None and (kind.entry or kind.body or kind.merges or kind.forks):
        yield Finding(
            code="BAD_CACHE",
            message=f"What a node of the kind {node.kind!r} comes to is not its own result, so it cannot be kept",
            node_id=node.id,
            path=("cache",),
            remedy="Give 'cache' to the nodes that compute or fetch something.",
        )
