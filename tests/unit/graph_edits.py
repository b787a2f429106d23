"""Definitions to compare and to merge, as edits of one another: changes when definitions get another part."""

from hypothesis import strategies as st

from domain.graphs import Definition, Edge, Graph, Node, Variable, WorkflowSettings
from domain.json import JSON

LEAVES = st.sampled_from([None, True, False, 0, 1, 1.0, "", "a", "b", "{{ input.a }}"])
NAMES = st.sampled_from(["a", "b", "c"])
IDS = ("one", "two", "three", "four")


def values() -> st.SearchStrategy[JSON]:
    return st.recursive(
        LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2), max_leaves=4
    )


CASES = st.lists(
    st.fixed_dictionaries({"name": NAMES, "when": LEAVES}), max_size=3, unique_by=lambda case: str(case["name"])
)
BODIES = st.permutations(IDS[:2]).flatmap(
    lambda ids: st.fixed_dictionaries(
        {
            "nodes": st.lists(
                st.fixed_dictionaries({"config": st.dictionaries(NAMES, LEAVES, max_size=2)}), max_size=2
            ).map(lambda made: [{"id": name, "kind": "log", **each} for name, each in zip(ids, made, strict=False)]),
            "edges": st.just([{"source": "one", "target": "two"}]) | st.just([]),
        }
    )
)
CONFIGS = st.dictionaries(NAMES, values(), max_size=3) | st.fixed_dictionaries({"cases": CASES, "body": BODIES})
EDGES = st.builds(
    Edge,
    source=st.sampled_from(IDS),
    target=st.sampled_from(IDS),
    source_handle=st.sampled_from(["out", "error"]),
    condition=st.none() | st.sampled_from(["input.a", "input.b"]),
)


def nodes(name: str) -> st.SearchStrategy[Node]:
    return st.builds(
        Node,
        id=st.just(name),
        kind=st.sampled_from(["log", "set"]),
        name=st.sampled_from(["", "Named"]),
        config=CONFIGS,
        timeout=st.none() | st.just(1.5),
        disabled=st.booleans(),
    )


GRAPHS = st.builds(
    Graph,
    nodes=st.permutations(IDS)
    .flatmap(lambda ids: st.integers(0, len(ids)).map(lambda count: ids[:count]))
    .flatmap(lambda ids: st.tuples(*(nodes(name) for name in ids))),
    edges=st.lists(EDGES, max_size=4).map(tuple),
)
DEFINITIONS = st.builds(
    Definition,
    graph=GRAPHS,
    variables=st.dictionaries(NAMES, st.builds(Variable, default=LEAVES), max_size=3),
    settings=st.builds(WorkflowSettings, timeout=st.none() | st.just(60.0), max_concurrent=st.none() | st.just(2)),
    input_schema=st.none() | st.just({"type": "object"}),
)
