"""Whether values fit where they go, and have the fields that are read of them, as the schemas of both sides say."""

from collections.abc import Iterator, Sequence

from domain.errors import Finding
from domain.expressions.parse import plain_path
from domain.validation.codes import found
from domain.validation.expressions import Place, Use
from domain.validation.schemas import did_you_mean
from domain.validation.shapes import ANY, TEXT, WHOLE_NUMBER, Missing, Shape, at, fits
from domain.validation.views import GraphView

_LIST = frozenset({"array"})


def findings(view: GraphView) -> Iterator[Finding]:
    for use in view.uses:
        paths = use.expression.paths
        if use.expression.native:
            for path in sorted(paths) if len(paths) > 1 else paths:
                yield from _judged(view, use, path)
    yield from _looping(view)


def _judged(view: GraphView, use: Use, path: Sequence[str]) -> Iterator[Finding]:
    root, keys = _root(view, use.place, path)
    if root is ANY:
        return
    shape, place = at(root, keys), use.place
    if isinstance(shape, Missing):
        members = shape.shape.members
        remedy = did_you_mean(shape.key, members) if members else "Read the value itself."
        message = f"{'.'.join(path)[:120]!r} is never there: {shape.shape.written} has no {shape.key[:60]!r}"
        yield found("UNKNOWN_FIELD", message, node_id=place.node_id, path=place.path, remedy=remedy)
        return
    wanted = _wanted(place)
    if use.alone and wanted is not None and not fits(shape, wanted) and plain_path(use.expression.source):
        needed = Shape(types=wanted - {"null"} or wanted).written
        message = f"{'.'.join(path)[:120]!r} is {shape.written}, and {place.path[-1]!r} takes {needed}"
        yield found("TYPE_MISMATCH", message, node_id=place.node_id, path=place.path)


def _wanted(place: Place) -> frozenset[str] | None:
    """The types that the field takes, None when any goes."""
    if place.path in (("each",), ("each", "items")):
        return _LIST
    return place.config.types if place.config is not None else None


def _root(view: GraphView, place: Place, path: Sequence[str]) -> tuple[Shape, Sequence[str]]:
    """The shape of what a path begins with, and the keys that are read of it."""
    match path[0]:
        case "trigger":
            return view.outputs.trigger, path[1:]
        case "steps" if len(path) > 2 and path[2] == "output":
            return _output(view, path[1]), path[3:]
        case "input":
            return _input(view, place), path[1:]
        case "now" if len(path) == 1:
            return TEXT, ()
        case "index" if not place.own:
            return WHOLE_NUMBER, path[1:]
        case _:
            return ANY, ()


def _output(view: GraphView, name: str) -> Shape:
    """Of the step of this name in this graph, else in the nearest around it."""
    if name in view.nodes:
        return view.outputs.of(name)
    return _output(view.around, name) if view.around is not None else ANY


def _input(view: GraphView, place: Place) -> Shape:
    if place.node_id is None:
        return view.outputs.over(view.graph.edges[int(place.path[1])])
    node = view.nodes[place.node_id]
    element = node.each is not None and place.path[0] != "each"
    if element or place.path[0] == "compensation" or "inputMapping" in node.config:
        return ANY
    return view.outputs.entering(node.id)


def _looping(view: GraphView) -> Iterator[Finding]:
    """Loops that leave out their items loop over their input."""
    for node in view.nodes.values():
        if node.kind != "loop" or node.each is not None or node.config.get("type", "foreach") != "foreach":
            continue
        given = view.outputs.entering(node.id) if "items" not in node.config else ANY
        if not fits(given, _LIST):
            message = f"The loop has no items, and its input is {given.written}"
            yield found("TYPE_MISMATCH", message, node_id=node.id, path=("config", "items"), remedy="Give it items.")
