"""Validation of what stands beside the graph: retry, timeout, join, settings, schemas."""

from dataclasses import replace

import pytest

from domain.graphs import (
    FailureStrategy,
    JoinMode,
    Node,
    Retry,
    WorkflowSettings,
)
from domain.json import JSON
from domain.validation.inputs import check_input
from tests.unit.graph_world import found, log, of, only


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (replace(log("a"), retry=Retry(max_attempts=0)), [("BAD_RETRY", "retry.maxAttempts")]),
        (replace(log("a"), retry=Retry(max_attempts=101)), [("BAD_RETRY", "retry.maxAttempts")]),
        (replace(log("a"), retry=Retry(initial_delay=-1)), [("BAD_DURATION", "retry.initialDelay")]),
        (replace(log("a"), retry=Retry(max_delay=1e9)), [("BAD_DURATION", "retry.maxDelay")]),
        (
            replace(log("a"), retry=Retry(max_attempts=2, initial_delay=9, max_delay=1)),
            [("BAD_RETRY", "retry.maxDelay")],
        ),
        (replace(log("a"), timeout=0), [("BAD_DURATION", "timeout")]),
        (replace(log("a"), timeout=-3), [("BAD_DURATION", "timeout")]),
        (replace(log("a"), join=JoinMode.N), [("BAD_JOIN", "join")]),
        (replace(log("a"), join=JoinMode.ANY), []),
        (replace(log("a"), each="{{ input }}"), []),
        (replace(log("a"), each={"items": "{{ input }}", "concurrency": 0}), [("WRONG_SHAPE", "each.concurrency")]),
        (replace(log("a"), each="all of them"), [("BAD_EACH", "each")]),
        (replace(log("a"), cache={"ttl": 60, "key": "{{ input.id }}"}, lock={"name": "stock", "limit": 2}), []),
        (
            replace(log("a"), cache=True, lock="stock", compensation="b"),
            [("WRONG_SHAPE", "lock"), ("WRONG_SHAPE", "cache"), ("WRONG_SHAPE", "compensation")],
        ),
        (replace(log("a"), cache={"ttl": 0}), [("BAD_DURATION", "cache.ttl")]),
        (replace(log("a"), lock={"name": "{{ ( }}", "timeout": -1}), [
            ("BAD_DURATION", "lock.timeout"), ("BAD_EXPRESSION", "lock.name")
        ]),
        (Node(id="a", kind="merge", cache={"ttl": 60}), [("BAD_CACHE", "cache")]),
        (replace(log("a"), at_most_once=True), [("BAD_AT_MOST_ONCE", "atMostOnce")]),
        (Node(id="a", kind="merge", join=JoinMode.ANY), [("BAD_JOIN", "join")]),
        (Node(id="a", kind="merge", config={"mode": "n", "n": 2}), [("BAD_JOIN", "config.n")]),
    ],
)  # fmt: skip
def test_what_any_node_may_carry_is_checked(node: Node, expected: list[tuple[str, str]]) -> None:
    assert found(of(node)) == [(code, "a", path) for code, path in expected]


def test_settings_are_checked() -> None:
    definition = replace(
        of(log("a")),
        settings=WorkflowSettings(
            timeout=0,
            max_concurrent=0,
            max_per_minute=-1,
            on_failure=FailureStrategy.COMPENSATE,
            failure_handler="cleanup",
        ),
    )

    assert found(definition) == [
        ("BAD_DURATION", None, "settings.timeout"),
        ("BAD_SETTING", None, "settings.concurrency.max"),
        ("BAD_SETTING", None, "settings.concurrency.perMinute"),
    ]


@pytest.mark.parametrize(
    ("schema", "path", "message"),
    [
        (3, "", "It: 3 is not of type 'object', 'boolean'"),
        ({"type": "strin"}, "type", "type: 'strin' is not valid under any of the given schemas"),
        (
            {"properties": {"a": {"$ref": "https://example.com/a"}}},
            "properties.a.$ref",
            "The reference 'https://example.com/a' leads to nothing in this schema",
        ),
        ({"$ref": "#/$defs/missing"}, "$ref", "The reference '#/$defs/missing' leads to nothing in this schema"),
        ({"pattern": "(?=a)"}, "pattern", "'(?=a)' is no regular expression: invalid perl operator: (?="),
        ({"patternProperties": {"[": {}}}, "patternProperties.[", "'[' is no regular expression: missing ]: ["),
        ({"$ref": "#"}, "", "The schema refers to itself without end, or is nested too deep"),
    ],
)
def test_input_and_output_schemas_are_checked(schema: JSON, path: str, message: str) -> None:
    finding = only(replace(of(log("a")), output_schema=schema))

    assert (finding.code, ".".join(finding.path), finding.message) == (
        "BAD_SCHEMA",
        f"outputSchema.{path}" if path else "outputSchema",
        message,
    )


def test_sound_schemas_have_no_findings() -> None:
    tree: JSON = {
        "$defs": {"tree": {"type": "object", "properties": {"children": {"items": {"$ref": "#/$defs/tree"}}}}},
        "$ref": "#/$defs/tree",
    }

    assert found(replace(of(log("a")), input_schema=tree, output_schema=True)) == []
    assert check_input(tree, {"children": [{"children": [{}]}]}) == []
    assert [finding.path for finding in check_input(tree, {"children": [{"children": [3]}]})] == [
        ("children", "0", "children", "0")
    ]
