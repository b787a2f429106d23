"""Whether values fit where they go, and have the fields that are read of them, as the schemas of both sides say."""

from collections.abc import Iterator, Sequence

from domain.errors import Finding
from domain.expressions.parse import plain_path
from domain.validation.codes import found
from domain.validation.expressions import Place, Use
from domain.validation.outputs import Outputs
from domain.validation.references import reader_of
from domain.validation.schemas import did_you_mean
from domain.validation.shapes import ANY, TEXT, WHOLE_NUMBER, Missing, Shape, at, fits
from domain.validation.views import GraphView

_LIST = frozenset({"array"})


def findings(view: GraphView) -> Iterator[Finding]:
    everywhere = list(_outputs(view))
    for use in view.uses:
        if use.expression.native:
            for path in sorted(use.expression.paths) if len(use.expression.paths) > 1 else use.expression.paths:
                yield from _judged(everywhere, use, path)
    yield from _looping(everywhere[0])


def _outputs(view: GraphView) -> Iterator[Outputs]:
    """Those of this graph and of the graphs around it, innermost first."""
    yield Outputs(view)
    if view.around is not None:
        yield from _outputs(view.around)


def _judged(everywhere: Sequence[Outputs], use: Use, path: Sequence[str]) -> Iterator[Finding]:
    root, keys = _root(everywhere, use.place, path)
    if root is ANY:
        return
    shape, place = at(root, keys), use.place
    if isinstance(shape, Missing):
        read = ".".join(path)[:120]
        if shape.shape.members and shape.shape.types == {"object"}:
            remedy = did_you_mean(shape.key, shape.shape.members)
        else:
            remedy = "Read the value itself."
        message = f"{read!r} is never there: {shape.shape.written} has no {shape.key[:60]!r}"
        yield found("UNKNOWN_FIELD", message, node_id=place.node_id, path=place.path, remedy=remedy)
        return
    wanted = _LIST if place.path in (("each",), ("each", "items")) else place.config.types if place.config else None
    if use.alone and wanted is not None and not fits(shape, wanted) and plain_path(use.expression.source) is not None:
        needed = Shape(types=wanted - {"null"} or wanted).written
        message = f"{'.'.join(path)[:120]!r} is {shape.written}, and {place.path[-1]!r} takes {needed}"
        yield found("TYPE_MISMATCH", message, node_id=place.node_id, path=place.path)


def _root(everywhere: Sequence[Outputs], place: Place, path: Sequence[str]) -> tuple[Shape, Sequence[str]]:
    """The shape of what a path begins with, and the keys that are read of it."""
    match path:
        case ("trigger", *keys):
            return everywhere[0].trigger, keys
        case ("steps", name, "output", *keys):
            known = next((outputs for outputs in everywhere if name in outputs.view.nodes), None)
            return (known.of(name) if known is not None else ANY), keys
        case ("input", *keys):
            return _input(everywhere[0], place), keys
        case ("now",):
            return TEXT, ()
        case ("index",) if not place.own:
            return WHOLE_NUMBER, ()
        case _:
            return ANY, ()


def _input(outputs: Outputs, place: Place) -> Shape:
    if place.node_id is None:
        return outputs.over(outputs.view.graph.edges[int(place.path[1])])
    node = outputs.view.nodes[reader_of(outputs.view, place)]
    another = node.each is not None and place.path[0] != "each"  # there it is the element
    if another or place.path[0] == "compensation" or "inputMapping" in node.config:
        return ANY
    return outputs.entering(node.id)


def _looping(outputs: Outputs) -> Iterator[Finding]:
    """Loops that leave out their items loop over their input."""
    for node in outputs.view.nodes.values():
        if node.kind != "loop" or node.each is not None or node.config.get("type", "foreach") != "foreach":
            continue
        given = outputs.entering(node.id) if "items" not in node.config else ANY
        if not fits(given, _LIST):
            message = f"The loop has no items, and its input is {given.written}"
            yield found("TYPE_MISMATCH", message, node_id=node.id, path=("config", "items"), remedy="Give it items.")
