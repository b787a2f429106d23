"""The filter parts a list and loses nothing of it; if and switch have a way for what is neither true nor false."""

import json
from collections.abc import AsyncGenerator

import pytest

from domain.engine.outcomes import Completed, Failed
from domain.graphs import Node
from domain.json import JSON, JSONObject
from jobs.nodes import CATALOG
from tests.unit.node_world import NodeWorld, node_world

STOCK: JSON = [{"sku": "a", "stock": 3}, {"sku": "b", "stock": 0}, {"sku": "c"}]
COMPARISON: JSON = {"left": "{{ item.stock }}", "op": ">", "right": "{{ index - 1 }}"}


@pytest.fixture(scope="module")
async def world() -> AsyncGenerator[NodeWorld]:
    async with node_world() as world:
        yield world


async def test_a_filter_keeps_what_fits_and_hands_on_the_rest_on_another_output(world: NodeWorld) -> None:
    outcome = await world.run("filter", {"condition": "item.stock > 0"}, input=STOCK)

    def seen(at: int, stock: JSON, result: bool) -> JSON:
        return {"expression": "item.stock > 0", "values": {"item.stock": stock}, "result": result, "index": at}

    elements: JSON = [seen(0, 3, True), seen(1, 0, False), seen(2, None, False)]
    assert outcome == Completed(
        output=[{"sku": "a", "stock": 3}],
        handles=("out", "rejected"),
        outputs={"rejected": [{"sku": "b", "stock": 0}, {"sku": "c"}]},
        decision={"out": 1, "rejected": 2, "elements": elements},
    )


async def test_an_output_without_elements_is_not_taken_but_for_the_kept_ones(world: NodeWorld) -> None:
    every = await world.run("filter", {"condition": "true"}, input=[1, 2])
    none = await world.run("filter", {"items": "{{ input.list }}", "condition": "false"}, input={"list": [1]})
    empty = await world.run("filter", {"condition": "true"}, input=[])

    assert isinstance(every, Completed)
    assert isinstance(none, Completed)
    assert isinstance(empty, Completed)
    assert (every.output, every.handles, every.outputs) == ([1, 2], ("out",), {})
    assert (none.output, none.handles, none.outputs) == ([], ("out", "rejected"), {"rejected": [1]})
    assert (empty.output, empty.handles, empty.outputs) == ([], ("out",), {})


@pytest.mark.parametrize(("amount", "handle"), [(5, "out"), (1, "rejected")])
async def test_a_single_value_goes_one_way_unchanged(world: NodeWorld, amount: int, handle: str) -> None:
    outcome = await world.run("filter", {"condition": "item.amount > 3"}, input={"amount": amount})

    assert isinstance(outcome, Completed)
    assert (outcome.output, outcome.handles, outcome.outputs) == ({"amount": amount}, (handle,), {})


async def test_an_element_that_cannot_be_decided_on_fails_the_filter_and_is_named(world: NodeWorld) -> None:
    outcome = await world.run("filter", {"condition": COMPARISON}, input=STOCK)

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.message) == (
        "CONDITION_FAILED",
        "The condition could not be decided: null > 1 compares neither numbers nor texts for the element at 2",
    )
    assert outcome.details == {
        "decision": {
            "left": None,
            "op": ">",
            "right": 1,
            "result": None,
            "error": "null > 1 compares neither numbers nor texts",
            "index": 2,
        }
    }


async def test_elements_that_cannot_be_decided_on_have_an_output_where_that_is_wished(world: NodeWorld) -> None:
    config: JSONObject = {"condition": COMPARISON, "onUnclear": "route"}

    outcome = await world.run("filter", config, input=STOCK)

    assert isinstance(outcome, Completed)
    assert outcome.output == [{"sku": "a", "stock": 3}]
    assert outcome.outputs == {"rejected": [{"sku": "b", "stock": 0}], "unclear": [{"sku": "c"}]}
    assert outcome.handles == ("out", "rejected", "unclear")
    assert tuple(CATALOG.handles(Node(id="a", kind="filter", config=config))) == outcome.handles


async def test_a_condition_for_the_sandbox_is_decided_for_all_elements(world: NodeWorld) -> None:
    tags: JSON = [{"tags": ["new"]}, {"tags": ["vip", "old"]}, {}]
    condition = "item.tags.some(tag => text.upper(tag) === 'VIP')"

    failed = await world.run("filter", {"condition": condition}, input=tags)
    routed = await world.run("filter", {"condition": condition, "onUnclear": "route"}, input=tags)

    assert isinstance(failed, Failed)
    assert "for the element at 2" in failed.message
    assert isinstance(routed, Completed)
    assert (routed.output, routed.outputs) == (
        [{"tags": ["vip", "old"]}],
        {"rejected": [{"tags": ["new"]}], "unclear": [{}]},
    )


async def test_a_long_list_leaves_a_short_decision(world: NodeWorld) -> None:
    long: JSON = [{"text": "x" * 200, "at": at} for at in range(5_000)]
    condition: JSON = {"left": "{{ item }}", "op": "!=", "right": {"text": "y"}}

    outcome = await world.run("filter", {"condition": condition}, input=long)

    assert isinstance(outcome, Completed)
    assert len(json.dumps(outcome.decision)) < 17_000
    assert outcome.output == long


@pytest.mark.parametrize(
    "condition",
    ["input.customer.name === 'Ada'", {"not": {"left": "{{ input.amount }}", "op": "<", "right": 3}}],
)
async def test_an_if_may_go_on_when_its_condition_cannot_be_decided(world: NodeWorld, condition: JSON) -> None:
    config: JSONObject = {"condition": condition, "onUnclear": "route"}

    outcome = await world.run("if", config, input={})

    assert isinstance(outcome, Completed)
    assert (outcome.output, outcome.handles) == ({}, ("unclear",))
    assert isinstance(outcome.decision, dict)
    assert outcome.decision["result"] is None
    assert tuple(CATALOG.handles(Node(id="a", kind="if", config=config))) == ("true", "false", "unclear")


async def test_an_unclear_decision_says_what_was_seen_before(world: NodeWorld) -> None:
    condition: JSON = {
        "any": [
            {"left": "{{ input.a }}", "op": "==", "right": 2},
            {"all": ["input.a === 1", {"left": "{{ input.b }}", "op": "<", "right": 3}, "input.c"]},
        ]
    }

    outcome = await world.run("if", {"condition": condition, "onUnclear": "route"}, input={"a": 1, "b": "x"})

    seen: JSON = {"expression": "input.a === 1", "values": {"input.a": 1}, "result": True}
    error = "'x' < 3 compares neither numbers nor texts"
    unclear: JSON = {"left": "x", "op": "<", "right": 3, "result": None, "error": error}
    assert isinstance(outcome, Completed)
    assert outcome.decision == {
        "any": [
            {"left": 1, "op": "==", "right": 2, "result": False},
            {"all": [seen, unclear], "result": None},
        ],
        "result": None,
    }


async def test_a_condition_of_many_parts_leaves_a_decision_of_bounded_size(world: NodeWorld) -> None:
    parts: list[JSON] = [{"left": "{{ input }}", "op": "!=", "right": at} for at in range(500)]
    condition: JSON = {"all": [*parts, "false"]}

    outcome = await world.run("if", {"condition": condition}, input="x" * 10_000)

    assert isinstance(outcome, Completed)
    assert outcome.handles == ("false",)
    assert isinstance(outcome.decision, dict)
    assert outcome.decision["more"] == 401
    assert len(json.dumps(outcome.decision)) < 20_000


SWITCH: JSONObject = {
    "expression": "input.country",
    "cases": [
        {"name": "home", "equals": "DE"},
        {"name": "large", "when": {"left": "{{ input.amount }}", "op": ">", "right": 100}},
    ],
}


async def test_a_switch_may_go_on_when_a_case_cannot_be_decided(world: NodeWorld) -> None:
    routed = await world.run("switch", {**SWITCH, "mode": "all", "onUnclear": "route"}, input={"country": "DE"})
    first = await world.run("switch", {**SWITCH, "onUnclear": "route"}, input={"country": "DE"})
    failed = await world.run("switch", SWITCH, input={"country": "AT"})

    error = "null > 100 compares neither numbers nor texts"
    unclear: JSONObject = {"left": None, "op": ">", "right": 100, "result": None, "error": error}
    assert routed == Completed(
        output={"country": "DE"},
        handles=("unclear",),
        decision={"value": "DE", "cases": {"home": {"equals": "DE", "result": True}}, "case": "large", **unclear},
    )
    assert isinstance(first, Completed)
    assert first.handles == ("home",)
    assert isinstance(failed, Failed)
    assert failed.message == f"The condition could not be decided: {error}"


def test_a_switch_has_the_output_unclear_only_when_it_is_asked_for() -> None:
    def handles(config: JSONObject) -> tuple[str, ...]:
        return tuple(CATALOG.handles(Node(id="a", kind="switch", config=config)))

    assert handles(SWITCH) == ("home", "large", "default")
    assert handles({**SWITCH, "onUnclear": "route"}) == ("home", "large", "default", "unclear")
