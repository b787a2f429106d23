"""What a person is told of the difference between two definitions, and what they are not shown."""

from dataclasses import replace

import pytest
from hypothesis import given

from domain.graph_diff import ChangeKind, Diff, EdgeChange, FieldChange, NodeChange, diff
from domain.graphs import Definition, Edge, Graph, Node, Variable, WorkflowSettings
from domain.json import JSON
from domain.plain_secrets import HIDDEN, hidden
from domain.versions import content_hash
from tests.unit.graph_edits import DEFINITIONS

START = Node(id="start", kind="trigger")
PRICE = Node(id="price", kind="http", name="Price", config={"url": "https://a.example", "headers": {"x": "1"}})
DONE = Node(id="done", kind="end")
BEFORE = Definition(
    graph=Graph(
        nodes=(START, PRICE, DONE),
        edges=(Edge(source="start", target="price"), Edge(source="price", target="done", condition="input.ok")),
    ),
    variables={"currency": Variable(default="EUR")},
    settings=WorkflowSettings(timeout=60),
)


def with_nodes(*nodes: Node) -> Definition:
    return Definition(graph=Graph(nodes=nodes))


def only_change(before: JSON, after: JSON) -> FieldChange:
    """The one field that differs between two configs."""
    told = diff(
        with_nodes(Node(id="a", kind="log", config={"it": before})),
        with_nodes(Node(id="a", kind="log", config={"it": after})),
    )
    ((field,),) = [change.fields for change in told.nodes_changed]
    return field


def test_every_difference_is_told_at_its_place_with_both_values() -> None:
    price = replace(PRICE, config={"url": "https://b.example", "headers": {"x": "1", "y": "2"}}, timeout=5.0)
    check = Node(id="check", kind="if", config={"condition": "input.ok"})
    after = Definition(
        graph=Graph(
            nodes=(START, price, check),
            edges=(
                Edge(source="start", target="price", condition="input.sure"),
                Edge(source="price", target="check", source_handle="error"),
            ),
        ),
        variables={"currency": Variable(default="USD"), "region": Variable(default="eu")},
        settings=WorkflowSettings(max_concurrent=3),
        input_schema={"type": "object"},
    )

    told = diff(BEFORE, after)

    assert told == Diff(
        nodes_added=(check,),
        nodes_removed=(DONE,),
        nodes_changed=(
            NodeChange(
                node=price,
                fields=(
                    FieldChange(
                        path=("config", "url"),
                        kind=ChangeKind.CHANGED,
                        before="https://a.example",
                        after="https://b.example",
                    ),
                    FieldChange(path=("config", "headers", "y"), kind=ChangeKind.ADDED, after="2"),
                    FieldChange(path=("timeout",), kind=ChangeKind.ADDED, after=5.0),
                ),
            ),
        ),
        edges_added=(after.graph.edges[1],),
        edges_removed=(BEFORE.graph.edges[1],),
        edges_changed=(
            EdgeChange(
                edge=after.graph.edges[0],
                fields=(FieldChange(path=("condition",), kind=ChangeKind.ADDED, after="input.sure"),),
            ),
        ),
        variables=(
            FieldChange(path=("currency", "default"), kind=ChangeKind.CHANGED, before="EUR", after="USD"),
            FieldChange(path=("region",), kind=ChangeKind.ADDED, after={"default": "eu"}),
        ),
        settings=(
            FieldChange(path=("timeout",), kind=ChangeKind.REMOVED, before=60),
            FieldChange(path=("concurrency",), kind=ChangeKind.ADDED, after={"max": 3}),
        ),
        others=(FieldChange(path=("inputSchema",), kind=ChangeKind.ADDED, after={"type": "object"}),),
    )
    assert not told.identical


def test_what_lies_in_a_body_is_told_by_the_names_of_its_nodes() -> None:
    def loop(message: str, *more: JSON) -> JSON:
        nodes = [{"id": "say", "kind": "log", "config": {"message": message}}, *more]
        return {"nodes": nodes, "edges": [{"source": "say", "target": "end"}] if more else []}

    end: JSON = {"id": "end", "kind": "end"}
    told = diff(
        with_nodes(Node(id="loop", kind="loop", config={"body": loop("a")})),
        with_nodes(Node(id="loop", kind="loop", config={"body": loop("b", end)})),
    )

    assert told.nodes_changed[0].fields == (
        FieldChange(
            path=("config", "body", "nodes", "say", "config", "message"),
            kind=ChangeKind.CHANGED,
            before="a",
            after="b",
        ),
        FieldChange(path=("config", "body", "nodes", "end"), kind=ChangeKind.ADDED, after=end),
        FieldChange(
            path=("config", "body", "edges", "say > end"),
            kind=ChangeKind.ADDED,
            after={"source": "say", "target": "end"},
        ),
    )


def test_another_order_is_a_difference_of_its_own() -> None:
    cases: list[JSON] = [{"name": "a", "when": "1"}, {"name": "b", "when": "2"}]

    assert diff(with_nodes(START, DONE), with_nodes(DONE, START)) == Diff(reordered=True)
    assert only_change(cases, cases[::-1]) == FieldChange(
        path=("config", "it"), kind=ChangeKind.MOVED, before=["a", "b"], after=["b", "a"]
    )


@pytest.mark.parametrize(("before", "after"), [(1, True), (0, False), (1, 1.0), (None, ""), ([], {}), ([1], ["1"])])
def test_values_that_only_look_alike_differ(before: JSON, after: JSON) -> None:
    assert only_change(before, after) == FieldChange(
        path=("config", "it"), kind=ChangeKind.CHANGED, before=before, after=after
    )


@given(DEFINITIONS, DEFINITIONS)
def test_a_difference_is_empty_exactly_between_equal_definitions(one: Definition, other: Definition) -> None:
    assert diff(one, one).identical
    assert diff(one, other).identical is (content_hash(one) == content_hash(other))


@given(DEFINITIONS, DEFINITIONS)
def test_there_and_back_the_same_parts_differ(one: Definition, other: Definition) -> None:
    there, back = diff(one, other), diff(other, one)

    assert {node.id for node in there.nodes_added} == {node.id for node in back.nodes_removed}
    assert {change.node.id for change in there.nodes_changed} == {change.node.id for change in back.nodes_changed}
    assert there.reordered is back.reordered


def test_that_a_secret_changed_is_told_and_the_secret_is_not() -> None:
    def calling(token: str, password: str) -> Node:
        config: JSON = {"headers": {"Authorization": f"Bearer {token}"}, "url": f"https://ada:{password}@a.example/"}
        return Node(id="call", kind="http", config=config)

    told = diff(with_nodes(calling("first", "one")), with_nodes(calling("second", "two")))
    added = diff(Definition(), with_nodes(calling("third", "three")))

    url = f"https://ada:{HIDDEN}@a.example/"
    assert told.nodes_changed[0].fields == (
        FieldChange(
            path=("config", "headers", "Authorization"),
            kind=ChangeKind.CHANGED,
            before=HIDDEN,
            after=HIDDEN,
            hidden=True,
        ),
        FieldChange(path=("config", "url"), kind=ChangeKind.CHANGED, before=url, after=url, hidden=True),
    )
    assert told.nodes_changed[0].node.config == {"headers": {"Authorization": HIDDEN}, "url": url}
    assert added.nodes_added[0].config == {"headers": {"Authorization": HIDDEN}, "url": url}


def test_a_variable_named_like_a_secret_is_not_shown_and_a_schema_is() -> None:
    schema: JSON = {"properties": {"password": {"type": "string"}}}
    told = diff(Definition(), Definition(variables={"apiKey": Variable(default="k")}, input_schema=schema))

    assert told.variables == (
        FieldChange(path=("apiKey",), kind=ChangeKind.ADDED, after={"default": HIDDEN}, hidden=True),
    )
    assert told.others == (FieldChange(path=("inputSchema",), kind=ChangeKind.ADDED, after=schema),)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"password": "hunter2"}, {"password": HIDDEN}),
        ({"password": "{{ vars.password }}"}, {"password": "{{ vars.password }}"}),
        ({"Authorization": "Bearer {{ vars.t }}"}, {"Authorization": "Bearer {{ vars.t }}"}),
        ({"client_secret": {"value": ["a", 1]}}, {"client_secret": {"value": [HIDDEN, 1]}}),
        ({"name": "X-Api-Key", "value": "k"}, {"name": "X-Api-Key", "value": HIDDEN}),
        ({"name": "Get a token", "kind": "http"}, {"name": "Get a token", "kind": "http"}),
        ({"maxTokens": 100}, {"maxTokens": 100}),
        ("postgres://u:p@h/d", f"postgres://u:{HIDDEN}@h/d"),
        ("postgres://u:{{vars.p}}@h/d", "postgres://u:{{vars.p}}@h/d"),
        ("curl -H 'Authorization: Bearer abcdef123456'", f"curl -H 'Authorization: Bearer {HIDDEN}'"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE", HIDDEN),
        ("the bearer of news", "the bearer of news"),
    ],
)
def test_what_is_taken_for_a_secret(value: JSON, shown: JSON) -> None:
    assert hidden(value) == shown
