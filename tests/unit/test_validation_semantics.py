"""Validation of what a workflow means: order, names, variables, types, decisions."""

from dataclasses import replace

import pytest

from domain.errors import Finding, Severity, ValidationLevel
from domain.graphs import Definition, Edge, Node, OnError, Variable
from domain.json import JSON, JSONObject
from domain.validation import validate
from jobs.nodes import CATALOG
from tests.unit.graph_world import START, log, of, only

SEMANTIC = {ValidationLevel.SEMANTIC}


def told(definition: Definition) -> list[tuple[str, str | None, str]]:
    """(code, node, path) of what is semantic."""
    return [(each.code, each.node_id, ".".join(each.path)) for each in validate(definition, CATALOG, levels=SEMANTIC)]


def edges(*ways: str) -> list[Edge]:
    """`edges("a > b", "b:error > c")`."""
    made: list[Edge] = []
    for way in ways:
        source, target = way.split(" > ")
        name, _, handle = source.partition(":")
        made.append(Edge(source=name, target=target, source_handle=handle or "out"))
    return made


def loop(name: str, *inner: JSONObject, **config: JSON) -> Node:
    body: JSONObject = {"nodes": list(inner), "edges": []}
    return Node(id=name, kind="loop", config={"items": "{{ input }}", **config, "body": body})


def inside(name: str, message: JSON) -> JSONObject:
    return {"id": name, "kind": "log", "config": {"message": message}}


def http(name: str, **config: JSON) -> Node:
    return Node(id=name, kind="http", config={"url": "https://api.example.com", **config})


# Order


def test_a_step_is_read_only_where_a_way_leads_from_it() -> None:
    reads = "{{ steps.a.output.x + steps.a.output.y + steps.a.error }}"
    after = of(log("a"), log("b", reads))
    beside = of(log("a"), log("b", reads), edges=edges("start > a", "start > b"))
    before = of(log("b", reads), log("a"))
    itself = of(log("a", reads))

    assert told(after) == []
    assert [told(each) for each in (beside, before)] == [[("STEP_NOT_BEFORE", "b", "config.message")]] * 2
    assert told(itself) == [("STEP_NOT_BEFORE", "a", "config.message")]
    assert only(before) == Finding(
        severity=Severity.WARNING,
        level=ValidationLevel.SEMANTIC,
        code="STEP_NOT_BEFORE",
        message="'steps.a' is read where no way leads from 'a': it need not have run before",
        node_id="b",
        path=("config", "message"),
        remedy="Lead a way from 'a' to what reads it, or read another step.",
    )


def test_on_a_cycle_every_step_comes_before_every_other_and_itself() -> None:
    ways = [
        Edge(source="start", target="a"),
        Edge(source="a", target="b"),
        Edge(source="b", target="a", max_iterations=3),
    ]
    assert told(of(log("a", "{{ steps.b.output + steps.a.output }}"), log("b"), edges=ways)) == []


def test_the_condition_of_an_edge_sees_the_step_it_leaves_and_those_before() -> None:
    def when(condition: str) -> Definition:
        last = Edge(source="b", target="c", condition=condition)
        return of(log("a"), log("b"), log("c"), edges=[*edges("start > a", "a > b"), last])

    assert told(when("steps.b.output === steps.a.output")) == []
    assert told(when("steps.c.output")) == [("STEP_NOT_BEFORE", None, "edges.2.condition")]


def test_a_body_sees_the_steps_before_its_loop_its_loop_and_its_own() -> None:
    first = inside("first", "{{ steps.a.output + steps.loop.item }}")
    second = inside("second", "{{ steps.first.output }}")
    third = inside("third", "{{ steps.z.output + steps.nobody.output }}")
    node = loop("loop", first, second, third)
    within = "config.body.nodes"

    definition = of(log("a"), node, log("z"))
    assert told(definition) == [
        ("UNKNOWN_STEP", "loop", f"{within}.third.config.message"),
        ("STEP_NOT_BEFORE", "loop", f"{within}.second.config.message"),
        ("STEP_NOT_BEFORE", "loop", f"{within}.third.config.message"),
    ]


def test_what_undoes_a_step_may_read_whatever_has_run() -> None:
    undone = replace(http("pay"), compensation={"kind": "log", "config": {"message": "{{ steps.z.output }}"}})
    assert told(of(undone, log("z"))) == []


# Names


def test_a_variable_is_declared_or_set_somewhere() -> None:
    sets = Node(id="s", kind="set", config={"values": {"seen": 1}})
    deep = loop("loop", {"id": "deep", "kind": "set", "config": {"values": {"inner": 1}}}, items=[1])
    reads = log("r", "{{ vars.seen + vars.inner + vars.api + vars.apy }} {{ vars }}")
    definition = replace(of(sets, deep, reads), variables={"api": Variable()})

    assert told(definition) == [("UNKNOWN_VARIABLE", "r", "config.message")]
    assert only(definition).remedy == "Did you mean 'api'? Or declare it."
    assert validate(definition, CATALOG, whole=False) == []


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (log("a", "{{ item }}"), ["config.message"]),
        (log("a", "{{ index }}"), ["config.message"]),
        (replace(log("a", "{{ item }} {{ index }}"), each="{{ input }}"), []),
        (replace(log("a"), each="{{ item }}"), ["each"]),
        (Node(id="a", kind="transform", config={"operation": "map", "expression": "item + index"}), []),
        (Node(id="a", kind="filter", config={"condition": "item > index"}), []),
        (loop("a", inside("b", "{{ item }} {{ index }}"), breakWhen="item > 3"), []),
    ],
)
def test_item_and_index_have_a_value_in_loops_only(node: Node, expected: list[str]) -> None:
    assert told(of(node)) == [("NO_VALUE_HERE", "a", path) for path in expected]


def test_error_has_a_value_where_a_failure_leads_to() -> None:
    reads = log("b", "{{ error.message }}")
    routed = of(replace(log("a"), on_error=OnError.ROUTE), reads, edges=edges("start > a", "a:error > b"))
    borne = of(replace(log("a"), on_error=OnError.CONTINUE), reads)

    assert told(routed) == told(borne) == []
    assert told(of(log("a"), reads)) == [("NO_VALUE_HERE", "b", "config.message")]


def test_a_link_belongs_to_a_node_that_waits_for_a_call() -> None:
    waits = Node(id="answer", kind="wait", config={"callback": True})
    asks = log("ask", "{{ execution.callbacks.answer }} {{ execution.callbacks.anser }} {{ execution.id }}")

    definition = of(asks, waits)
    assert told(definition) == [("UNKNOWN_CALLBACK", "ask", "config.message")]
    assert only(definition).remedy == "Did you mean 'answer'?"


def test_a_cancelled_node_is_in_the_graph() -> None:
    cancels = Node(id="c", kind="cancel", config={"nodes": ["a", "b"]})
    assert told(of(log("a"), cancels)) == [("UNKNOWN_NODE", "c", "config.nodes.1")]


# Types


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("{{ input.status }}", []),
        ("{{ input.stats }}", ["UNKNOWN_FIELD"]),
        ("{{ input.body.anything[3].goes }}", []),
        ("{{ input.headers['x-a'] }}", []),
        ("{{ input.status.code }}", ["UNKNOWN_FIELD"]),
        ("{{ input.status.toFixed(2) }}", []),
        ("{{ steps.call.output.boody }}", ["UNKNOWN_FIELD"]),
        ("{{ steps.call.output.boody.find(x => x) }}", []),
    ],
)
def test_a_field_that_is_read_is_there(message: str, expected: list[str]) -> None:
    assert [code for code, _, _ in told(of(http("call"), log("through"), log("a", message)))] == expected


def test_a_field_that_is_not_there_is_answered_with_the_likely_one() -> None:
    finding = only(of(http("call"), log("a", "{{ input.stauts }}")))

    assert (finding.message, finding.remedy) == (
        "'input.stauts' is never there: an object has no 'stauts'",
        "Did you mean 'status'?",
    )


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"seconds": "{{ trigger.count }}"}, []),
        ({"seconds": "{{ trigger.name }}"}, ["config.seconds"]),
        ({"seconds": "{{ input.name }}"}, ["config.seconds"]),
        ({"seconds": "{{ trigger.either }}"}, []),
        ({"seconds": "{{ trigger.unknown }}"}, []),
        ({"seconds": "{{ trigger.name.length }}"}, []),
        ({"seconds": "{{ trigger.name ? 1 : 2 }}"}, []),
        ({"until": "{{ trigger.count }}"}, ["config.until"]),
        ({"until": "at {{ trigger.count }}"}, []),
        ({"until": "{{ now }}"}, []),
    ],
)
def test_a_value_fits_the_field_it_goes_to(config: JSONObject, expected: list[str]) -> None:
    schema: JSON = {
        "type": "object",
        "properties": {
            "count": {"type": "integer"},
            "name": {"type": "string"},
            "either": {"type": ["string", "number"]},
        },
    }
    definition = replace(of(Node(id="wait", kind="delay", config=config)), input_schema=schema)
    assert told(definition) == [("TYPE_MISMATCH", "wait", path) for path in expected]


def test_a_type_that_does_not_fit_is_told_with_both_sides() -> None:
    definition = of(http("call"), Node(id="d", kind="delay", config={"until": "{{ steps.call.output.status }}"}))
    finding = only(definition)

    assert (finding.severity, finding.message) == (
        Severity.WARNING,
        "'steps.call.output.status' is a whole number, and 'until' takes text",
    )


def test_what_is_looped_over_is_a_list() -> None:
    empty = inside("x", "hello")
    over_object = of(http("call"), Node(id="l", kind="loop", config={"body": {"nodes": [empty]}}))
    each = of(http("call"), replace(log("a"), each="{{ input.status }}"))
    fine = of(loop("l", empty), replace(log("a"), each="{{ input }}"))

    assert told(over_object) == [("TYPE_MISMATCH", "l", "config.items")]
    assert told(each) == [("TYPE_MISMATCH", "a", "each")]
    assert told(fine) == []


def test_nothing_is_said_of_a_value_that_several_ways_may_give() -> None:
    joined = of(
        http("a"), http("b"), log("c", "{{ input.nothing }}"), edges=edges("start > a", "start > b", "a > c", "b > c")
    )
    routed = of(
        replace(http("a"), on_error=OnError.ROUTE), log("c", "{{ input.x }}"), edges=edges("start > a", "a:error > c")
    )
    borne = of(replace(http("a"), on_error=OnError.CONTINUE), log("c", "{{ input.nothing }}"))

    assert told(joined) == told(routed) == told(borne) == []


def test_a_long_way_of_nodes_that_pass_on_their_input_is_followed() -> None:
    definition = of(http("call"), *(log(f"n{at}") for at in range(3_000)), log("last", "{{ input.stats }}"))
    assert told(definition) == [("UNKNOWN_FIELD", "last", "config.message")]


# Decisions


@pytest.mark.parametrize(
    ("condition", "told_as"),
    [
        ("true", "always true"),
        ("{{ 1 > 2 }}", "always false"),
        ({"not": "false"}, "always true"),
        ({"any": ["input.a", "true"]}, None),
        ({"all": ["true", "1 === 1"]}, "always true"),
        ({"left": 3, "op": "<", "right": 4}, "always the same"),
        ({"left": "{{ now }}", "op": "after", "right": "2030-01-01"}, None),
        ({"left": "2030-01-01", "op": "withinNext", "right": "P7D"}, None),
        ("input.total > 3", None),
        ("Math.random() > 0.5", None),
    ],
)
def test_a_condition_reads_something(condition: JSON, told_as: str | None) -> None:
    definition = of(Node(id="i", kind="if", config={"condition": condition}), edges=edges("start > i"))
    messages = [each.message for each in validate(definition, CATALOG, levels=SEMANTIC)]

    assert messages == ([f"The condition reads nothing: it is {told_as}"] if told_as else [])


def test_the_condition_of_an_edge_reads_something_too() -> None:
    definition = of(log("a"), edges=[Edge(source="start", target="a", condition="2 > 1")])
    assert told(definition) == [("CONSTANT_CONDITION", None, "edges.0.condition")]


def test_a_loop_that_is_left_by_its_break_may_go_on_for_ever() -> None:
    body: JSON = {"nodes": [inside("x", "hello")]}
    config: JSONObject = {"type": "while", "condition": "true", "maxIterations": 5, "body": body}
    left = Node(id="l", kind="loop", config={**config, "breakWhen": "output.done"})
    never = Node(id="l", kind="loop", config=config)

    assert told(of(left)) == []
    assert told(of(never)) == [("CONSTANT_CONDITION", "l", "config.condition")]


def switch(*cases: JSONObject, mode: str = "first", expression: str = "input.a") -> Definition:
    config: JSONObject = {"expression": expression, "mode": mode, "cases": list(cases)}
    return of(Node(id="s", kind="switch", config=config), edges=edges("start > s"))


def test_a_case_is_never_taken_behind_one_that_asks_for_the_same() -> None:
    twice = [{"name": "a", "equals": {"x": 1, "y": 2}}, {"name": "b", "equals": {"y": 2, "x": 1}}]

    assert told(switch(*twice)) == [("UNREACHABLE_CASE", "s", "config.cases.1")]
    assert told(switch(*twice, mode="all")) == []
    assert told(switch({"name": "a", "equals": 1}, {"name": "b", "equals": "1"})) == []


def test_a_case_is_never_taken_behind_one_that_always_is() -> None:
    cases = [{"name": "a", "when": "input.b"}, {"name": "b", "when": "{{ 1 < 2 }}"}, {"name": "c", "equals": 3}]
    assert told(switch(*cases)) == [
        ("CONSTANT_CONDITION", "s", "config.cases.1.when"),
        ("UNREACHABLE_CASE", "s", "config.cases.2"),
    ]
    assert told(switch({"name": "a", "equals": 3}, expression="'DE'")) == [
        ("CONSTANT_CONDITION", "s", "config.expression")
    ]


# Levels


def test_findings_are_of_the_levels_asked_for() -> None:
    definition = replace(of(START, log("a", "{{ vars.x }}")), variables={})
    levels = {each.code: each.level for each in validate(definition, CATALOG)}

    assert levels == {
        "DUPLICATE_ID": ValidationLevel.STRUCTURAL,
        "UNKNOWN_HANDLE": ValidationLevel.SEMANTIC,
        "UNBOUNDED_CYCLE": ValidationLevel.STRUCTURAL,
        "UNKNOWN_VARIABLE": ValidationLevel.SEMANTIC,
    }
    assert {each.code for each in validate(definition, CATALOG, levels={ValidationLevel.STRUCTURAL})} == {
        "DUPLICATE_ID",
        "UNBOUNDED_CYCLE",
    }
