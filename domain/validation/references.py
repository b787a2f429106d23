"""Names that expressions read, and whether they can have a value there: steps, variables, the names of loops, links."""

from collections.abc import Iterator, Sequence

from domain.errors import Finding
from domain.graphs import ERROR, OnError
from domain.json import as_list
from domain.validation.codes import found
from domain.validation.expressions import Place
from domain.validation.schemas import did_you_mean
from domain.validation.views import GraphView

_TOLD_BY = {"steps": 2, "vars": 2, "execution": 3, "item": 1, "index": 1, "error": 1}
"""How much of a path it depends on whether it has a value."""


def findings(view: GraphView) -> Iterator[Finding]:
    """Everything read in this graph that has no value where it is read; what is no name at all is found earlier."""
    for use in view.uses:
        judged = {path[: _TOLD_BY[path[0]]] for path in use.expression.paths if path[0] in _TOLD_BY}
        for path in sorted(judged):
            yield from _reading(view, use.place, path)
    yield from _cancelled(view)


def _reading(view: GraphView, place: Place, path: Sequence[str]) -> Iterator[Finding]:
    match path:
        case ("steps", name, *_) if not _sees_itself(view, place, name):
            yield from _step(view, place, name)
        case ("vars", name, *_):
            yield from _variable(view, place, name)
        case ("execution", "callbacks", name, *_):
            yield from _callback(view, place, name)
        case (("item" | "index") as name, *_) if not _in_loop(view, place):
            message = f"{name!r} has a value in loops and 'each' only"
            yield _at(place, "NO_VALUE_HERE", message, "Read it in the body of a loop, or give the node an 'each'.")
        case ("error", *_) if not _behind_failure(view, place):
            message = "'error' has a value only where a failed step leads to"
            remedy = "Read it in the node that an edge on 'error' leads to; later, from what that node kept."
            yield _at(place, "NO_VALUE_HERE", message, remedy)
        case _:
            return


def reader_of(view: GraphView, place: Place) -> str:
    """The node whose expression it is; a condition of an edge reads what its source sees."""
    return place.node_id if place.node_id is not None else view.graph.edges[int(place.path[1])].source


def _at(place: Place, code: str, message: str, remedy: str) -> Finding:
    return found(code, message, node_id=place.node_id, path=place.path, remedy=remedy)


def _step(view: GraphView, place: Place, name: str) -> Iterator[Finding]:
    """Steps of the graphs around are seen when they come before the node whose body this is."""
    if place.path[0] == "compensation":
        return  # undoing comes last
    reader, at = reader_of(view, place), view
    known = False
    while True:
        known = known or name in at.nodes
        around = at is not view and name == reader
        if name in at.nodes and reader in at.nodes and (around or at.order.before(name, reader)):
            return
        if at.around is None or at.container is None:
            break
        reader, at = at.container.id, at.around
    if not known:
        return  # no node at all: UNKNOWN_STEP
    if name == place.node_id:
        message, remedy = f"{name!r} reads its own step, which has not run yet then", "Read 'input', or another step."
    else:
        message = f"'steps.{name}' is read where no way leads from {name!r}: it need not have run before"
        remedy = f"Lead a way from {name!r} to what reads it, or read another step."
    yield _at(place, "STEP_NOT_BEFORE", message, remedy)


def _variable(view: GraphView, place: Place, name: str) -> Iterator[Finding]:
    known = view.variables
    if known is not None and name not in known:
        message = f"'vars.{name[:80]}' is neither a variable of the workflow nor set by a node"
        remedy = f"{did_you_mean(name, sorted(known))} Or declare it." if known else "Declare it."
        yield _at(place, "UNKNOWN_VARIABLE", message, remedy)


def _callback(view: GraphView, place: Place, name: str) -> Iterator[Finding]:
    links = [node.id for node in view.outermost.nodes.values() if node.config.get("callback") is True]
    if name not in links:
        message = f"{name[:80]!r} has no link: it does not wait for a callback"
        remedy = did_you_mean(name, links) if links else "Add a wait node with callback: true."
        yield _at(place, "UNKNOWN_CALLBACK", message, remedy)


def _sees_itself(view: GraphView, place: Place, name: str) -> bool:
    """Behind it, on an edge that leaves it; and where it runs again and again, in its own iterations."""
    if name != reader_of(view, place):
        return False
    node = view.nodes.get(name)
    kind = view.kinds.get(node.kind) if node is not None else None
    return place.node_id is None or (node is not None and node.each is not None) or (kind is not None and kind.body)


def _in_loop(view: GraphView, place: Place) -> bool:
    if place.path[0] == "compensation" or view.container is not None or place.own & {"item", "items"}:
        return True
    node = view.nodes.get(place.node_id or "")
    return node is not None and node.each is not None and place.path[0] != "each"


def _behind_failure(view: GraphView, place: Place) -> bool:
    if place.path[0] == "compensation":
        return True
    reader = reader_of(view, place)
    if place.node_id is None:
        leaving = view.graph.edges[int(place.path[1])]
        return leaving.source_handle == ERROR or _goes_on(view, reader)
    return any(edge.source_handle == ERROR or _goes_on(view, edge.source) for edge in view.incoming.get(reader, ()))


def _goes_on(view: GraphView, name: str) -> bool:
    node = view.nodes.get(name)
    return node is not None and node.on_error is OnError.CONTINUE


def _cancelled(view: GraphView) -> Iterator[Finding]:
    for node in view.nodes.values():
        if node.kind != "cancel":
            continue
        for at, name in enumerate(as_list(node.config.get("nodes"))):
            if isinstance(name, str) and name not in view.nodes:
                message, path = f"There is no node {name[:80]!r} in this graph", ("config", "nodes", str(at))
                yield found("UNKNOWN_NODE", message, node_id=node.id, path=path, remedy=did_you_mean(name, view.nodes))
