"""Validation: every defect of a workflow is found, named and given a remedy, at once and in linear time."""

import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.engine.plan import compile_plan
from domain.errors import Finding, Severity
from domain.graphs import (
    Definition,
    Edge,
    Graph,
    Node,
    OnError,
    Variable,
)
from domain.json import JSONObject
from domain.validation import Limits, validate
from jobs.nodes import CATALOG
from tests.unit.graph_world import START, found, log, of, only


def test_a_sound_workflow_has_no_findings() -> None:
    definition = of(
        Node(id="price", kind="http", config={"url": "{{ vars.api }}/x"}, on_error=OnError.ROUTE),
        Node(id="big", kind="if", config={"condition": "{{ steps.price.output.body.total > 100 }}"}),
        log("yes"),
        log("no"),
        edges=[
            Edge(source="start", target="price"),
            Edge(source="price", target="big", condition="input.status === 200"),
            Edge(source="price", target="no", source_handle="error"),
            Edge(source="big", target="yes", source_handle="true"),
            Edge(source="big", target="no", source_handle="false"),
        ],
    )

    assert validate(replace(definition, variables={"api": Variable()}), CATALOG) == []


def test_all_defects_of_a_graph_are_told_at_once() -> None:
    definition = Definition(
        graph=Graph(
            nodes=(
                START,
                Node(id="a", kind="htpp"),
                Node(id="b", kind="http", config={"methd": "POST"}),
                log("c", "{{ steps.nobody.output }}"),
                log("c", "{{ 1 + }}"),
                log("island"),
            ),
            edges=(
                Edge(source="start", target="a"),
                Edge(source="a", target="b"),
                Edge(source="b", target="nowhere"),
                Edge(source="b", target="c", source_handle="otu"),
                Edge(source="c", target="b", condition="input."),
            ),
        )
    )

    assert found(definition) == [
        ("DUPLICATE_ID", "c", "id"),
        ("UNKNOWN_KIND", "a", "kind"),
        ("MISSING", "b", "config.url"),
        ("UNKNOWN_KEY", "b", "config.methd"),
        ("DANGLING_EDGE", None, "edges.2.target"),
        ("UNKNOWN_HANDLE", None, "edges.3.sourceHandle"),
        ("UNKNOWN_STEP", "c", "config.message"),
        ("BAD_EXPRESSION", "c", "config.message"),
        ("BAD_EXPRESSION", None, "edges.4.condition"),
        ("UNREACHABLE", "island", ""),
        ("UNBOUNDED_CYCLE", None, "edges.4.maxIterations"),
        ("CHATTY_POLLING", "b", ""),
    ]


def test_an_unknown_kind_is_answered_with_the_likely_one() -> None:
    finding = only(of(Node(id="a", kind="Swich", config={})))

    assert finding == Finding(
        code="UNKNOWN_KIND",
        message="There is no node kind 'Swich'",
        node_id="a",
        path=("kind",),
        remedy="Did you mean 'switch'?",
    )


def test_a_wrong_type_in_a_config_is_told_with_the_fields_meaning() -> None:
    finding = only(of(Node(id="a", kind="delay", config={"seconds": "ten"})))

    assert finding == Finding(
        code="WRONG_SHAPE",
        message="seconds should be a number, not 'ten'",
        node_id="a",
        path=("config", "seconds"),
        remedy="How long to wait.",
    )


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("delay", {"seconds": "{{ input.seconds }}"}),
        ("http", {"url": "{{ input.url }}", "expect": "{{ vars.expected }}", "query": {"a": ["{{ input.a }}"]}}),
        ("http", {"url": "https://x", "method": "{{ input.method }}", "followRedirects": "{{ vars.follow }}"}),
        ("transform", {"operation": "map", "items": "{{ input.lines }}", "expression": "item"}),
        ("respond", {"status": "{{ input.status }}", "headers": "{{ vars.headers }}"}),
    ],
)
def test_a_template_may_stand_for_a_value_of_any_type(kind: str, config: JSONObject) -> None:
    assert validate(of(Node(id="a", kind=kind, config=config)), CATALOG, whole=False) == []


@pytest.mark.parametrize(
    ("kind", "config", "paths"),
    [
        (
            "set",
            {"values": {"a": "{{ input. }}", "b": ["{{ 1 + }}", {"c": "{{ ) }}"}]}},
            ["values.a", "values.b.0", "values.b.1.c"],
        ),
        (
            "if",
            {"condition": {"all": ["a +", {"left": "{{ ( }}", "op": "exists"}]}},
            ["condition.all.0", "condition.all.1.left"],
        ),
        ("switch", {"expression": "a +", "cases": [{"name": "x", "when": "b +"}]}, ["expression", "cases.0.when"]),
        ("transform", {"operation": "reduce", "expression": "acc +"}, ["expression"]),
        (
            "transform",
            {"operation": "aggregate", "groupBy": "+", "aggregates": {"n": {"function": "sum", "of": "item."}}},
            ["groupBy", "aggregates.n.of"],
        ),
        ("log", {"message": {"a": ["{{ ( }}"]}}, ["message.a.0"]),
    ],
)
def test_every_bad_expression_of_a_config_is_found_where_it_stands(
    kind: str, config: JSONObject, paths: Sequence[str]
) -> None:
    definition = of(Node(id="a", kind=kind, config=config))

    assert found(definition) == [("BAD_EXPRESSION", "a", f"config.{path}") for path in paths]


def test_a_bad_expression_is_told_with_its_position() -> None:
    assert only(of(log("a", "{{ 1 + }}"))).message == "A value is missing (character 6)"


def test_a_reference_to_a_node_that_is_not_there_names_the_likely_one() -> None:
    finding = only(of(log("price"), log("b", "{{ steps.pirce.output }}")))

    assert (finding.code, finding.message, finding.remedy) == (
        "UNKNOWN_STEP",
        "'steps.pirce' refers to a node that is not in the graph",
        "Did you mean 'price'?",
    )


def test_an_unknown_name_is_a_warning_and_the_names_of_a_field_are_known() -> None:
    sums = Node(
        id="sum", kind="transform", config={"operation": "reduce", "expression": "acc + item * index + items.length"}
    )
    named = Node(id="named", kind="transform", config={
        "operation": "expression", "expression": "input", "outputMapping": {"a": "{{ output }}"}
    })  # fmt: skip

    findings = validate(of(sums, named, log("a", "{{ inptu.x }}"), log("b", "{{ acc }}")), CATALOG)

    assert [(f.severity, f.code, f.node_id, f.remedy) for f in findings] == [
        (Severity.WARNING, "UNKNOWN_NAME", "a", "Did you mean 'input'?"),
        (Severity.WARNING, "UNKNOWN_NAME", "b", findings[1].remedy),
    ]


def test_handles_come_from_the_config_where_they_depend_on_it() -> None:
    switch = Node(id="s", kind="switch", config={"cases": [{"name": "big", "when": "input.a"}]})
    ways = [Edge(source="start", target="s")]
    ways += [Edge(source="s", target="a", source_handle=handle) for handle in ("big", "default", "small")]

    finding = only(of(switch, log("a"), edges=ways))

    assert (finding.code, finding.path, finding.message, finding.remedy) == (
        "UNKNOWN_HANDLE",
        ("edges", "3", "sourceHandle"),
        "The node 's' has no output 'small'",
        "Its outputs: big, default.",
    )


def test_nothing_leads_into_a_trigger_and_nothing_follows_an_end() -> None:
    end = Node(id="end", kind="end")
    definition = of(end, edges=[
        Edge(source="start", target="end"), Edge(source="end", target="start", max_iterations=1)
    ])  # fmt: skip

    assert found(definition) == [
        ("UNKNOWN_HANDLE", None, "edges.1.sourceHandle"),
        ("UNKNOWN_HANDLE", None, "edges.1.targetHandle"),
    ]


def test_a_self_loop_needs_a_maximum() -> None:
    def loop(maximum: int | None) -> Definition:
        ways = [Edge(source="start", target="a"), Edge(source="a", target="a", max_iterations=maximum)]
        return of(log("a"), edges=ways)

    finding = only(loop(None))

    assert (finding.code, finding.message, finding.path) == (
        "UNBOUNDED_CYCLE",
        "These nodes form a cycle without a maximum: a",
        ("edges", "1", "maxIterations"),
    )
    assert found(loop(5)) == []
    assert found(loop(0)) == [("BAD_MAXIMUM", None, "edges.1.maxIterations")]


def test_each_cycle_needs_its_own_maximum_on_any_of_its_edges() -> None:
    ways = [
        Edge(source="start", target="a"),
        Edge(source="a", target="b", max_iterations=3),
        Edge(source="b", target="a"),
        Edge(source="b", target="c"),
        Edge(source="c", target="b"),
    ]

    assert found(of(log("a"), log("b"), log("c"), edges=ways)) == [("UNBOUNDED_CYCLE", None, "edges.4.maxIterations")]


def test_a_maximum_outside_a_cycle_is_a_warning() -> None:
    finding = only(of(log("a"), edges=[Edge(source="start", target="a", max_iterations=2)]))

    assert (finding.severity, finding.code) == (Severity.WARNING, "MAXIMUM_UNUSED")


def test_a_graph_without_nodes_or_without_an_entry_cannot_begin() -> None:
    assert found(Definition()) == [("EMPTY", None, "nodes")]
    assert found(Definition(graph=Graph(nodes=(log("a"),)))) == [("NO_ENTRY", None, "nodes")]


def test_several_entries_are_fine() -> None:
    other = Node(id="other", kind="trigger")
    definition = of(other, log("a"), edges=[Edge(source="start", target="a"), Edge(source="other", target="a")])

    assert found(definition) == []


def test_error_routes_and_edges_go_together() -> None:
    routed = replace(log("a"), on_error=OnError.ROUTE)
    assert [(f.severity, f.code, f.node_id) for f in validate(of(routed), CATALOG)] == [
        (Severity.WARNING, "ROUTE_WITHOUT_EDGE", "a")
    ]

    ways = [Edge(source="start", target="a"), Edge(source="a", target="b", source_handle="error")]
    assert [(f.severity, f.code) for f in validate(of(log("a"), log("b"), edges=ways), CATALOG)] == [
        (Severity.WARNING, "ERROR_NOT_ROUTED")
    ]
    assert found(of(routed, log("b"), edges=ways)) == []


def test_equal_edges_are_a_warning() -> None:
    twice = [Edge(source="start", target="a")] * 2

    assert [(f.severity, f.code) for f in validate(of(log("a"), edges=twice), CATALOG)] == [
        (Severity.WARNING, "DUPLICATE_EDGE")
    ]


def test_a_graph_beyond_the_limit_gets_one_finding_at_once() -> None:
    nodes = tuple(Node(id=f"n{at}", kind="no such kind") for at in range(100_000))
    started = time.perf_counter()

    findings = validate(Definition(graph=Graph(nodes=nodes)), CATALOG)

    assert time.perf_counter() - started < 0.05
    assert [(f.code, f.message) for f in findings] == [
        ("TOO_LARGE", "The graph has 100,000 nodes; at most 10,000 are allowed")
    ]


def test_more_findings_than_the_limit_are_counted_errors_first() -> None:
    definition = of(*(log(f"n{at}") for at in range(5)), Node(id="bad", kind="no such kind"), edges=[])

    findings = validate(definition, CATALOG, Limits(findings=2))

    assert [(f.severity, f.code) for f in findings] == [
        (Severity.ERROR, "UNKNOWN_KIND"),
        (Severity.WARNING, "UNREACHABLE"),
        (Severity.INFO, "MORE"),
    ]
    assert findings[-1].message == "There are 5 more findings"


def test_ten_thousand_nodes_are_validated_in_seconds() -> None:
    nodes = [log("n0"), *(log(f"n{at}", f"{{{{ steps.n{at - 1}.output.a[{at}] }}}}") for at in range(1, 9_999))]
    definition = of(*nodes)
    started = time.perf_counter()

    findings = validate(definition, CATALOG)

    assert findings == []
    assert time.perf_counter() - started < 5


ids = st.sampled_from(["start", "a", "b", "c", "d"])
graphs = st.lists(
    st.builds(Edge, source=ids, target=ids, max_iterations=st.none() | st.integers(1, 3)), max_size=10
).map(lambda edges: of(log("a"), log("b"), log("c"), log("d"), edges=edges))


@settings(max_examples=200, deadline=None)
@given(definition=graphs)
def test_a_graph_without_errors_can_be_planned_and_every_cycle_has_a_maximum(definition: Definition) -> None:
    if any(finding.severity is Severity.ERROR for finding in validate(definition, CATALOG)):
        return

    plan = compile_plan(definition, CATALOG)

    for cycle in plan.cycles:
        inside = [each.edge for each in plan.edges if {each.edge.source, each.edge.target} <= cycle.nodes]
        assert any(edge.max_iterations is not None for edge in inside)
