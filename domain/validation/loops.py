"""How often and how wide a graph may run: bounds of loops, steps at once, steps in all."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from domain.errors import Finding
from domain.graphs import OUT, Node
from domain.json import JSON, JSONObject, as_list, as_object, is_list
from domain.nodes import NodeKind
from domain.validation.codes import found
from domain.validation.views import GraphView
from domain.validation.widths import Way, width

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
    total, steps = math.prod(counts), max(1, len(as_list(as_object(node.config.get("body")).get("nodes"))))
    if total * steps > MOST_STEPS:
        product = " × ".join(f"{count:,}" for count in reversed(counts) if count > 1)
        message = f"Loops in loops come to {total:,} rounds ({product}), and {total * steps:,} steps"
        yield found("MANY_STEPS", message, node_id=node.id, path=("config",) if node.each is None else ("each",))


def _wide(view: GraphView) -> Iterator[Finding]:
    """Told of the node that makes it too many: that begins the most branches, or whose rounds are too many at once."""
    outside = math.prod(rounds.at_once for rounds in _around(view))
    if outside > MOST_AT_ONCE:
        return  # told of a node around
    if view.container is None or rounds_of(view.container).at_once == 1:
        own = _width(view)
        if outside * own > MOST_AT_ONCE:
            node = max(view.nodes, key=lambda name: len(view.outgoing.get(name, ())))
            yield _too_wide(node, (), (outside, own))
    for node in view.nodes.values():
        at_once = rounds_of(node).at_once
        inside = _body_width(node, view.kinds) if at_once > 1 else 1
        if at_once > 1 and outside * at_once * inside > MOST_AT_ONCE:
            path = ("config", "concurrency") if node.each is None else ("each", "concurrency")
            yield _too_wide(node.id, path, (outside, at_once, inside))


def _too_wide(node_id: str, path: tuple[str, ...], factors: tuple[int, ...]) -> Finding:
    counted = [f"{factor:,}" for factor in factors if factor > 1]
    product = f" ({' × '.join(counted)})" if len(counted) > 1 else ""
    message = f"Up to {math.prod(factors):,} steps may be under way at once{product}"
    return found("WIDE_FAN_OUT", message, node_id=node_id, path=path)


def _width(view: GraphView) -> int:
    nodes, kinds = view.nodes, view.kinds
    ways = [Way(edge.source, edge.source_handle, edge.target) for _, edge in view.edges]
    return width(nodes, ways, lambda name: _together(nodes[name].kind, nodes[name].config, kinds))


def _body_width(node: Node, kinds: Mapping[str, NodeKind]) -> int:
    body = as_object(node.config.get("body") if node.each is None else None)
    inner = {str(each.get("id")): each for each in map(as_object, as_list(body.get("nodes")))}
    edges = map(as_object, as_list(body.get("edges")))
    ways = [Way(str(e.get("source")), str(e.get("sourceHandle", OUT)), str(e.get("target"))) for e in edges]
    known = [way for way in ways if way.source in inner and way.target in inner]

    def together(name: str) -> bool:
        return _together(str(inner[name].get("kind")), as_object(inner[name].get("config")), kinds)

    return max(1, width(inner, known, together))


def _together(kind: str, config: JSONObject, kinds: Mapping[str, NodeKind]) -> bool:
    """Whether all outputs of such a node are taken."""
    return (kind in kinds and kinds[kind].forks) or (config.get("mode") == "all" and "cases" in config)
