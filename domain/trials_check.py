"""What can be wrong with a test of a workflow before it begins."""

from collections.abc import Iterable, Iterator, Mapping

from domain.errors import Invalid
from domain.expressions import ExpressionError, compile_expression
from domain.graphs import ERROR, OUT, Graph
from domain.json import as_list, as_object
from domain.storable import checked
from domain.trials import CALLED, Pin, Trial, node_name, trial_to_json
from domain.validation.schemas import did_you_mean

MAX_BYTES = 1024 * 1024
"""A trial travels in its execution's first event and in every snapshot."""
MAX_ASSERTIONS = 100

Path = tuple[str, ...]


def check_trial(trial: Trial, graph: Graph, *path: str) -> None:
    """Raises Invalid for a node that is not in the graph, an unknown output, an expression that is none; TooLarge.

    What is behind a `call/` is not looked at: which workflow it calls is known when it does. `path` leads to the trial.
    """
    checked(trial_to_json(trial), *path, most=MAX_BYTES)
    for problem in problems(trial, graph, *path):
        raise problem


def problems(trial: Trial, graph: Graph, *path: str) -> Iterator[Invalid]:
    """Everything that `check_trial` refuses but the size, one by one."""
    known = _outputs(graph)
    for at, point in enumerate(trial.breakpoints):
        yield from _unknown(point.node, known, (*path, "breakpoints", str(at), "node"))
    for node, pin in trial.pins.items():
        yield from _unknown(node, known, (*path, "pins", node))
        yield from _wrong_handle(node, pin, known, (*path, "pins", node, "handle"))
    for node in sorted(trial.effects):
        yield from _unknown(node, known, (*path, "effects", node))
    for node in trial.expected:
        yield from _wrong_expected(node, known, (*path, "expected", node))
    if not trial.status.terminal:
        yield Invalid("An execution ends COMPLETED, FAILED or CANCELLED", path=(*path, "status"))
    if len(trial.assertions) > MAX_ASSERTIONS:
        yield Invalid(f"There are at most {MAX_ASSERTIONS} assertions", path=(*path, "assertions"))
    for at, source in enumerate(trial.assertions[:MAX_ASSERTIONS]):
        yield from _no_expression(source, (*path, "assertions", str(at)))


def _unknown(name: str, known: Mapping[str, frozenset[str]], path: Path) -> Iterator[Invalid]:
    own = name.partition(CALLED)[0]
    if own not in known:
        remedy = did_you_mean(own, known)
        yield Invalid(f"The workflow has no node {own[:200]!r}", path=path, remedy=remedy)


def _wrong_handle(name: str, pin: Pin, known: Mapping[str, frozenset[str]], path: Path) -> Iterator[Invalid]:
    if pin.handle is None or name not in known or pin.handle in known[name]:
        return
    taken = ", ".join(sorted(known[name]))
    yield Invalid(f"No edge leaves {name!r} by {pin.handle[:100]!r}", path=path, remedy=f"Give one of {taken}.")


def _wrong_expected(name: str, known: Mapping[str, frozenset[str]], path: Path) -> Iterator[Invalid]:
    if CALLED in name:
        remedy = "Expect the output of the node that calls it."
        yield Invalid("Expected outputs are those of the workflow's own nodes", path=path, remedy=remedy)
        return
    yield from _unknown(node_name(name), known, path)


def _no_expression(source: str, path: Path) -> Iterator[Invalid]:
    try:
        compile_expression(source)
    except ExpressionError as error:
        yield Invalid(f"The assertion is no expression: {error.message}", path=path)


def _outputs(graph: Graph) -> dict[str, frozenset[str]]:
    """Every node by its name, those of bodies too, with the outputs it may be pinned to: those that edges leave by."""
    known = dict(
        _named("", (node.id for node in graph.nodes), ((edge.source, edge.source_handle) for edge in graph.edges))
    )
    work = [(f"{node.id}.", node.config) for node in graph.nodes]
    while work:  # as written: the bodies of a draft may be anything
        prefix, config = work.pop()
        body = as_object(config.get("body"))
        nodes = [as_object(node) for node in as_list(body.get("nodes"))]
        edges = [as_object(edge) for edge in as_list(body.get("edges"))]
        known |= _named(
            prefix,
            (str(node.get("id")) for node in nodes),
            ((str(edge.get("source")), str(edge.get("sourceHandle") or OUT)) for edge in edges),
        )
        work += [(f"{prefix}{node.get('id')}.", as_object(node.get("config"))) for node in nodes]
    return known


def _named(prefix: str, nodes: Iterable[str], edges: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    named = {name: {OUT, ERROR} for name in nodes}
    for source, handle in edges:
        named.setdefault(source, {OUT, ERROR}).add(handle)
    return {prefix + name: frozenset(handles) for name, handles in named.items()}
