"""Validation of large graphs: a thousand nodes in every shape, all levels; how long it takes is the bench's to say."""

from collections.abc import Sequence
from itertools import pairwise

import pytest

from bench.workflows import mixed
from domain.formats.documents import graph_from_json
from domain.graphs import Definition, Edge, Graph, Node, Variable
from domain.json import JSONObject
from domain.validation import validate
from jobs.nodes import CATALOG
from tests.unit.graph_world import START, log, of

NODES = 1_000


def chain(names: Sequence[str]) -> list[JSONObject]:
    return [{"source": source, "target": target} for source, target in pairwise(names)]


def of_many_kinds() -> Definition:
    return Definition(graph=graph_from_json(mixed(NODES, "large")), variables={"api": Variable()})


def meshed() -> Definition:
    """Forty layers of 25 nodes, each led to by all of the layer before."""
    layers = [[f"n{layer}_{at}" for at in range(25)] for layer in range(40)]
    ways = [Edge(source="start", target=name) for name in layers[0]]
    ways += [Edge(source=a, target=b) for one, other in pairwise(layers) for a in one for b in other]
    nodes = [log(name, f"{{{{ steps.n0_{at}.output }}}}" if layer else "x") for layer in range(40)
             for at, name in enumerate(layers[layer])]  # fmt: skip
    return Definition(graph=Graph(nodes=(START, *nodes), edges=tuple(ways)))


def nested() -> Definition:
    """Ten loops in one another, each with a hundred nodes that read the loops around them."""
    body: JSONObject | None = None
    for depth in reversed(range(10)):
        reads = "{{ item }}" if depth == 0 else f"{{{{ steps.loop{depth - 1}.item }}}}"
        names = [f"n{depth}_{at}" for at in range(99)]
        inner: list[JSONObject] = [{"id": name, "kind": "log", "config": {"message": reads}} for name in names]
        if body is not None:
            config: JSONObject = {"items": "{{ item }}", "body": body}
            inner.append({"id": f"loop{depth}", "kind": "loop", "config": config})
            names.append(f"loop{depth}")
        body = {"nodes": inner, "edges": chain(names)}
    outermost = Node(id="outer", kind="loop", config={"items": "{{ input }}", "body": body})
    return of(outermost)


def circular() -> Definition:
    """One cycle through all of them, in which everybody reads everybody's neighbour."""
    nodes = [log(f"n{at}", f"{{{{ steps.n{(at + 500) % (NODES - 1)}.output }}}}") for at in range(NODES - 1)]
    ways = [Edge(source="start", target="n0"), *(Edge(source=a.id, target=b.id) for a, b in pairwise(nodes))]
    return of(*nodes, edges=[*ways, Edge(source=nodes[-1].id, target="n0", max_iterations=5)])


@pytest.mark.parametrize(
    "definition",
    [of_many_kinds(), meshed(), nested(), circular()],
    ids=["of many kinds", "meshed", "nested", "circular"],
)
def test_a_sound_graph_of_a_thousand_nodes_has_no_findings(definition: Definition) -> None:
    assert validate(definition, CATALOG) == []


def test_in_a_thousand_nodes_every_wrong_one_is_found() -> None:
    nodes = [log(f"n{at}", f"{{{{ vars.v{at} }}}}") for at in range(999)]
    findings = validate(of(*nodes), CATALOG)

    assert [(each.code, each.node_id) for each in findings] == [("UNKNOWN_VARIABLE", node.id) for node in nodes]
