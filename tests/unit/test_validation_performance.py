"""Validation of how a workflow runs: how wide, how often, how large, how chattily."""

from dataclasses import replace

import pytest

from domain.errors import Finding, Severity, ValidationLevel
from domain.graphs import Definition, Edge, Graph, Node, Variable
from domain.json import JSON, JSONObject
from domain.validation import validate
from jobs.nodes import CATALOG
from tests.unit.graph_world import START, log, of

PERFORMANCE = {ValidationLevel.PERFORMANCE}
PING: JSONObject = {"id": "ping", "kind": "http", "config": {"url": "https://api.example.com"}}
SAY: JSONObject = {"id": "say", "kind": "log", "config": {"message": "hello"}}


def found(definition: Definition) -> list[Finding]:
    return validate(definition, CATALOG, levels=PERFORMANCE)


def told(definition: Definition) -> list[tuple[str, str | None, str]]:
    return [(each.code, each.node_id, ".".join(each.path)) for each in found(definition)]


def loop(name: str, *inner: JSONObject, **config: JSON) -> Node:
    return Node(id=name, kind="loop", config={**config, "body": {"nodes": list(inner)}})


def nested(name: str, *inner: JSONObject, **config: JSON) -> JSONObject:
    return {"id": name, "kind": "loop", "config": {**config, "body": {"nodes": list(inner)}}}


def fan(ways: int, *, behind: Node = START) -> Definition:
    """So many branches behind one node, that come together again."""
    branches = [log(f"b{at}") for at in range(ways)]
    into = [Edge(source=behind.id, target=each.id) for each in branches]
    out = [Edge(source=each.id, target="all") for each in branches]
    return Definition(graph=Graph(nodes=(START, *branches, Node(id="all", kind="merge")), edges=(*into, *out)))


# How wide


def test_five_hundred_branches_are_fine_and_more_are_told() -> None:
    assert told(fan(500)) == []
    [finding] = found(fan(501))
    assert (finding.severity, finding.node_id, finding.message) == (
        Severity.WARNING,
        "start",
        "Up to 501 steps may be under way at once",
    )


def test_concurrency_in_concurrency_multiplies() -> None:
    inner = nested("inner", SAY, items="{{ item }}", concurrency=30)
    fine = of(loop("outer", inner, items="{{ input }}", concurrency=10))
    wide = of(loop("outer", inner, items="{{ input }}", concurrency=20))

    assert told(fine) == []
    [finding] = found(wide)
    assert (finding.code, finding.node_id, finding.path, finding.message) == (
        "WIDE_FAN_OUT",
        "outer",
        ("config", "body", "nodes", "inner", "config", "concurrency"),
        "Up to 600 steps may be under way at once (20 × 30)",
    )


def test_branches_in_rounds_that_run_at_once_multiply() -> None:
    begin: JSONObject = {"id": "begin", "kind": "log", "config": {"message": "hello"}}
    sides: list[JSONObject] = [{**SAY, "id": f"s{at}"} for at in range(30)]
    ways: list[JSON] = [{"source": "begin", "target": str(side["id"])} for side in sides]
    body: JSONObject = {"nodes": [begin, *sides], "edges": ways}

    def rounds(concurrency: int) -> Definition:
        return of(Node(id="l", kind="loop", config={"items": [1] * 99, "concurrency": concurrency, "body": body}))

    assert told(rounds(16)) == []
    assert [each.message for each in found(rounds(17))] == ["Up to 510 steps may be under way at once (17 × 30)"]


def test_a_list_that_is_written_out_bounds_the_concurrency() -> None:
    assert told(of(loop("l", SAY, items=[1, 2, 3], concurrency=1_000))) == []
    assert told(of(loop("l", SAY, type="for", times=600, concurrency=1_000))) == [
        ("WIDE_FAN_OUT", "l", "config.concurrency")
    ]
    assert told(of(replace(log("a"), each={"items": "{{ input }}", "concurrency": 800}))) == [
        ("WIDE_FAN_OUT", "a", "each.concurrency")
    ]


def test_branches_that_have_come_together_count_no_more() -> None:
    def stage(number: int) -> tuple[list[Node], list[Edge]]:
        before = "start" if number == 0 else f"all{number - 1}"
        names = [f"b{number}_{at}" for at in range(30)]
        nodes = [*map(log, names), Node(id=f"all{number}", kind="merge")]
        ways = [Edge(source=before, target=name) for name in names]
        return nodes, [*ways, *(Edge(source=name, target=f"all{number}") for name in names)]

    stages = [stage(number) for number in range(4)]
    nodes = [node for each, _ in stages for node in each]
    assert (
        told(Definition(graph=Graph(nodes=(START, *nodes), edges=tuple(e for _, each in stages for e in each)))) == []
    )


def test_of_the_ways_of_a_decision_only_one_is_taken() -> None:
    cases: list[JSON] = [{"name": f"c{at}", "equals": at} for at in range(600)]
    ways = [Edge(source="s", target=f"a{at}", source_handle=f"c{at}") for at in range(600)]

    def decided(mode: str) -> Definition:
        node = Node(id="s", kind="switch", config={"expression": "input.a", "cases": cases, "mode": mode})
        branches = [log(f"a{at}") for at in range(600)]
        return of(node, *branches, edges=[Edge(source="start", target="s"), *ways])

    assert told(decided("first")) == []
    assert told(decided("all")) == [("WIDE_FAN_OUT", "s", "")]


# How often


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"type": "for", "times": 10_000}, []),
        ({"type": "for", "times": 10_001}, [("LOOP_BEYOND_MAXIMUM", "config.times")]),
        ({"type": "for", "times": 10_001, "maxIterations": 20_000}, [("HUGE_LOOP", "config.times")]),
        ({"type": "for", "times": "{{ input.n }}"}, []),
        ({"items": [1, 2, 3], "maxIterations": 2}, [("LOOP_BEYOND_MAXIMUM", "config.items")]),
        ({"items": "{{ input }}", "maxIterations": 50_000}, [("HUGE_LOOP", "config.maxIterations")]),
        ({"type": "while", "condition": "input.a"}, [("LOOP_WITHOUT_MAXIMUM", "config.maxIterations")]),
        ({"type": "while", "condition": "input.a", "maxIterations": 100}, []),
    ],
)
def test_a_loop_has_a_bound_that_it_can_keep(config: JSONObject, expected: list[tuple[str, str]]) -> None:
    assert told(of(loop("l", SAY, **config))) == [(code, "l", path) for code, path in expected]


def test_only_a_loop_that_always_fails_is_an_error() -> None:
    always = loop("l", SAY, type="for", times=10_001)
    severities = {each.code: each.severity for each in found(of(always, loop("w", SAY, type="while", condition="now")))}

    assert severities == {"LOOP_BEYOND_MAXIMUM": Severity.ERROR, "LOOP_WITHOUT_MAXIMUM": Severity.INFO}


def test_rounds_in_rounds_come_to_many_steps() -> None:
    second: JSONObject = {"id": "more", "kind": "log", "config": {"message": "hello"}}
    inner = nested("inner", SAY, second, type="for", times=300)

    assert told(of(loop("outer", inner, type="for", times=100))) == []
    [finding] = found(of(loop("outer", inner, type="for", times=200)))
    assert (finding.code, finding.path, finding.message) == (
        "MANY_STEPS",
        ("config", "body", "nodes", "inner", "config"),
        "Loops in loops come to 60,000 rounds (200 × 300), and 120,000 steps",
    )


def test_an_edge_of_a_cycle_is_not_taken_too_often() -> None:
    def cycle(most: int) -> Definition:
        back = Edge(source="a", target="a", max_iterations=most)
        return of(log("a"), edges=[Edge(source="start", target="a"), back])

    assert told(cycle(1_000)) == []
    assert told(cycle(1_001)) == [("HUGE_LOOP", None, "edges.1.maxIterations")]


# How chattily


@pytest.mark.parametrize(
    ("pause", "severity"),
    [
        ([], Severity.INFO),
        ([{"id": "p", "kind": "delay", "config": {"seconds": 0.2}}], Severity.WARNING),
        ([{"id": "p", "kind": "delay", "config": {"seconds": 5}}], None),
        ([{"id": "p", "kind": "delay", "config": {"seconds": "{{ vars.pause }}"}}], None),
        ([{"id": "p", "kind": "wait", "config": {"signal": "go"}}], None),
    ],
)
def test_a_loop_that_asks_until_something_is_so_pauses(pause: list[JSONObject], severity: Severity | None) -> None:
    polling = loop("l", PING, *pause, type="while", condition="output.busy", maxIterations=100)
    assert [(each.code, each.severity) for each in found(of(polling))] == (
        [("CHATTY_POLLING", severity)] if severity else []
    )


def test_a_loop_over_a_list_needs_no_pause_and_a_cycle_does() -> None:
    http = Node(id="ask", kind="http", config={"url": "https://api.example.com"})
    ways = [Edge(source="start", target="ask"), Edge(source="ask", target="ask", max_iterations=9)]

    assert told(of(loop("l", PING, items="{{ input }}"))) == []
    assert told(of(http, edges=ways)) == [("CHATTY_POLLING", "ask", "")]


# How large


def test_much_data_in_a_config_is_told_by_its_size() -> None:
    def lines(count: int) -> Definition:
        return of(Node(id="a", kind="set", config={"values": {"rows": ["0123456789 " * 10] * count}}))

    def sized(count: int) -> list[tuple[str, str]]:
        return [(each.severity.value, each.message) for each in found(lines(count))]

    where = "of data stand here: every version keeps them, and every step reads them"
    assert sized(590) == []
    assert sized(600) == [("INFO", f"64 KiB {where}")]
    assert sized(3_000) == [("WARNING", f"322 KiB {where}")]


def test_a_file_in_a_config_or_a_default_is_told() -> None:
    image = "data:image/png;base64," + "iVBORw0KGgo" * 1_000
    config = {"to": "a@example.com", "connection": "mail", "attachments": [{"name": "a.png", "base64": image}]}
    prose = log("prose", "word " * 3_000)
    definition = replace(
        of(Node(id="m", kind="email", config=config), prose), variables={"logo": Variable(default="QUJD" * 4_000)}
    )

    assert told(definition) == [
        ("INLINE_FILE", "m", "config.attachments.0.base64"),
        ("INLINE_FILE", None, "variables.logo.default"),
    ]
