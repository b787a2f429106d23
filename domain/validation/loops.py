"""How often and how wide a graph may run: bounds of loops, steps at once, steps in all."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from domain.errors import Finding
from domain.graphs import ERROR, Node
from domain.json import JSON, JSONObject, as_list, as_object, is_list
from domain.validation.codes import found
from domain.validation.views import GraphView

MOST_AT_ONCE: Final = 500
"""More steps at once than this wait for one another in a worker."""
MOST_STEPS: Final = 100_000
MOST_ROUNDS: Final = 10_000
MOST_PASSES: Final = 1_000
_DEFAULT_MAXIMUM: Final = 10_000
"""Of a loop over a list or a number; a while loop's is 1,000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """What is known of how a node repeats: how often (None: nobody knows), how many rounds at once."""

    count: int | None = None
    at_once: int = 1


_ONCE: Final = Rounds(count=1)


def findings(view: GraphView) -> Iterator[Finding]:
    for node in view.nodes.values():
        if node.kind == "loop":
            yield from _loop(node)
        if node.kind == "loop" or node.each is not None:
            yield from _many_steps(view, node)
    yield from _wide(view)
    for at, edge in view.edges:
        if edge.max_iterations is not None and edge.max_iterations > MOST_PASSES:
            message = f"The edge from {edge.source!r} to {edge.target!r} may be taken {edge.max_iterations:,} times"
            remedy = "Lower it, or use a loop node, whose rounds are forgotten when they are over."
            yield found("HUGE_LOOP", message, path=("edges", str(at), "maxIterations"), remedy=remedy)


def rounds_of(node: Node) -> Rounds:
    """Those of a loop node, or of `each`."""
    if node.each is not None:
        described = as_object(node.each)
        items = described.get("items") if described else node.each
        return Rounds(count=_length(items), at_once=_whole(described.get("concurrency")) or 1)
    if node.kind != "loop":
        return _ONCE
    config = node.config
    known = _whole(config.get("times")) if config.get("type") == "for" else _length(config.get("items"))
    count = known if known is not None else _whole(config.get("maxIterations"))
    at_once = _whole(config.get("concurrency")) or 1
    return Rounds(count=count, at_once=min(at_once, known) if known is not None else at_once)


def _whole(value: JSON) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _length(value: JSON) -> int | None:
    return len(as_list(value)) if is_list(value) else None


def _loop(node: Node) -> Iterator[Finding]:
    config = node.config
    type_, maximum = config.get("type", "foreach"), _whole(config.get("maxIterations"))
    key, known = ("times", _whole(config.get("times"))) if type_ == "for" else ("items", _length(config.get("items")))
    if type_ == "while" and "maxIterations" not in config:
        message = "The loop goes round 1,000 times at most, the default, and fails then"
        yield found("LOOP_WITHOUT_MAXIMUM", message, node_id=node.id, path=("config", "maxIterations"))
    if known is not None and type_ != "while" and known > (maximum or _DEFAULT_MAXIMUM):
        message = (
            f"The loop has {known:,} rounds to go and a maximum of {maximum or _DEFAULT_MAXIMUM:,}: it always fails"
        )
        yield found("LOOP_BEYOND_MAXIMUM", message, node_id=node.id, path=("config", key))
    elif (most := known if known is not None else maximum) is not None and most > MOST_ROUNDS:
        where = key if known is not None else "maxIterations"
        remedy = "Lower it, or begin sub-workflows for parts of the work."
        message = f"The loop may go round {most:,} times"
        yield found("HUGE_LOOP", message, node_id=node.id, path=("config", where), remedy=remedy)


def _around(view: GraphView) -> Iterator[Rounds]:
    """The loops this graph lies in, and those they lie in."""
    if view.container is not None and view.around is not None:
        yield rounds_of(view.container)
        yield from _around(view.around)


def _many_steps(view: GraphView, node: Node) -> Iterator[Finding]:
    """Told of the innermost loop, of whose rounds all around it make many."""
    own = rounds_of(node)
    counts = [own.count or 1, *(each.count or 1 for each in _around(view))]
    if own.count in (None, 1) or all(count == 1 for count in counts[1:]):
        return
    total, steps = 1, max(1, len(as_list(as_object(node.config.get("body")).get("nodes"))))
    for count in counts:
        total *= count
    if total * steps > MOST_STEPS:
        product = " × ".join(f"{count:,}" for count in reversed(counts) if count > 1)
        message = f"Loops in loops come to {total:,} rounds ({product}), and {total * steps:,} steps"
        yield found("MANY_STEPS", message, node_id=node.id, path=("config",) if node.each is None else ("each",))


def _wide(view: GraphView) -> Iterator[Finding]:
    """Told of the node that makes it too many: its rounds at once, times the ways it begins, times all around it."""
    outside = 1
    for rounds in _around(view):
        outside *= rounds.at_once
    opened = _branches(view)
    for node in view.nodes.values():
        own, ways = rounds_of(node).at_once, _ways(view, node)
        before = opened.get(node.id, 1)
        total = outside * before * own * ways
        if max(own, ways) > 1 and total > MOST_AT_ONCE >= outside * before:
            factors = [factor for factor in (outside, before, own, ways) if factor > 1]
            product = f" ({' × '.join(f'{factor:,}' for factor in factors)})" if len(factors) > 1 else ""
            message = f"Up to {total:,} steps may be under way at once{product}"
            yield found("WIDE_FAN_OUT", message, node_id=node.id, path=_concurrency(node, own))


def _concurrency(node: Node, own: int) -> tuple[str, ...]:
    if own == 1:
        return ()
    return ("each", "concurrency") if node.each is not None else ("config", "concurrency")


def _ways(view: GraphView, node: Node) -> int:
    """How many edges may be taken together when the node is done."""
    outgoing = view.outgoing.get(node.id, ())
    if len(outgoing) < 2:
        return 1
    by_handle: dict[str, int] = {}
    for edge in outgoing:
        if edge.source_handle != ERROR:
            by_handle[edge.source_handle] = by_handle.get(edge.source_handle, 0) + 1
    kind = view.kinds.get(node.kind)
    together = (kind is not None and kind.forks) or _takes_all(node.config)
    return max(1, sum(by_handle.values()) if together else max(by_handle.values(), default=1))


def _takes_all(config: JSONObject) -> bool:
    return config.get("mode") == "all" and "cases" in config


def _branches(view: GraphView) -> Mapping[str, int]:
    """About how many branches are open where each node begins: a fork multiplies them, a join divides them."""
    opened: dict[str, int] = {}
    left = {name: len(view.incoming.get(name, ())) for name in view.nodes}
    ready = [name for name, count in left.items() if count == 0]
    while ready:
        name = ready.pop()
        node = view.nodes[name]
        joined = max(1, len(view.incoming.get(name, ())))
        opened[name] = max(1, opened.get(name, 1) // joined)
        after = min(opened[name] * _ways(view, node), MOST_AT_ONCE * 10)
        for edge in view.outgoing.get(name, ()):
            opened[edge.target] = max(opened.get(edge.target, 1), after)
            left[edge.target] -= 1
            if left[edge.target] == 0:
                ready.append(edge.target)
    return opened
