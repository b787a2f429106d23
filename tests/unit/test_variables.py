"""Variables that would hold the event loop for long are refused before they are coerced."""

from graphql import GraphQLError, build_schema, parse

from schema.variables import too_many_objects

SCHEMA = build_schema("""
scalar JSON
input Node { id: ID! config: JSON children: [Node!] }
input Graph { nodes: [[Node!]!]! title: String }
type Query { check(graph: Graph, node: Node, names: [String!]): Int }
""")
DOCUMENT = parse(
    "query Q($graph: Graph!, $node: Node, $names: [String!]) { check(graph: $graph, node: $node, names: $names) }"
)


def looked_at(variables: dict[str, object], maximum: int) -> GraphQLError | None:
    return too_many_objects(SCHEMA, DOCUMENT, "Q", variables, maximum)


def test_every_input_object_counts_wherever_it_stands() -> None:
    leaf: dict[str, object] = {"id": "c"}
    variables: dict[str, object] = {
        "graph": {"nodes": [[{"id": "a"}, {"id": "b", "children": [leaf, leaf]}]]},
        "node": leaf,
    }
    assert looked_at(variables, 6) is None
    refusal = looked_at(variables, 5)
    assert refusal is not None
    assert (refusal.extensions or {}).get("code") == "TOO_LARGE"


def test_user_data_and_plain_lists_count_nothing() -> None:
    variables: dict[str, object] = {
        "graph": {"nodes": [], "title": "x"},
        "node": {"id": "a", "config": [{}] * 100},
        "names": ["n"] * 100,
    }
    assert looked_at(variables, 2) is None


def test_values_of_another_shape_are_left_to_coercion() -> None:
    assert looked_at({"graph": {"nodes": "no list"}, "node": 7, "unknown": [{}] * 9}, 1) is None


def test_a_value_that_nests_deeply_is_counted_without_recursion() -> None:
    node: dict[str, object] = {"id": "a"}
    for _ in range(20_000):
        node = {"id": "a", "children": [node]}
    refusal = looked_at({"node": node}, 10_000)
    assert refusal is not None
    assert refusal.message == "The variable node holds more than 10,000 objects"
