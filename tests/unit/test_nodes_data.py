"""What the nodes that shape data answer: set and transform, natively and through the sandbox alike."""

from collections.abc import AsyncGenerator

import pytest

from domain.engine.outcomes import Completed, Failed
from domain.expressions import EvaluationError
from domain.graphs import Node
from domain.json import JSON, JSONObject
from jobs.nodes import CATALOG
from tests.unit.node_world import NodeWorld, node_world

LINES: JSON = [
    {"sku": "a", "price": 2, "quantity": 3, "country": "DE"},
    {"sku": "b", "price": 10, "quantity": 1, "country": "AT"},
    {"sku": "c", "price": 5, "quantity": 2, "country": "DE"},
]


@pytest.fixture(scope="module")
async def world() -> AsyncGenerator[NodeWorld]:
    async with node_world() as world:
        yield world


async def output(world: NodeWorld, config: JSONObject, given: JSON = LINES, **scope: JSON) -> JSON:
    outcome = await world.run("transform", config, input=given, **scope)
    assert isinstance(outcome, Completed)
    return outcome.output


async def test_set_evaluates_from_top_to_bottom_into_variables_and_output(world: NodeWorld) -> None:
    values: JSON = {
        "net": "{{ input.price * 2 }}",
        "gross": "{{ vars.net + vars.tax }}",
        "label": "{{ vars.gross }} EUR",
    }

    outcome = await world.run("set", {"values": values}, input={"price": 10, "net": "old"}, vars={"tax": 1})

    assert outcome == Completed(
        output={"price": 10, "net": 20, "gross": 21, "label": "21 EUR"},
        variables={"net": 20, "gross": 21, "label": "21 EUR"},
    )


@pytest.mark.parametrize(("given", "keep_only"), [({"old": 1}, True), ("text", False), (None, False), ([1], False)])
async def test_set_gives_only_its_values_when_told_or_when_the_input_is_no_object(
    world: NodeWorld, given: JSON, keep_only: bool
) -> None:
    outcome = await world.run("set", {"values": {"a": [1, "{{ input }}"]}, "keepOnly": keep_only}, input=given)

    assert outcome == Completed(output={"a": [1, given]}, variables={"a": [1, given]})


async def test_set_may_need_the_sandbox(world: NodeWorld) -> None:
    values: JSON = {"names": "{{ input.map(x => x.toUpperCase()) }}", "first": "{{ vars.names[0] }}"}

    outcome = await world.run("set", {"values": values, "keepOnly": True}, input=["a", "b"])

    assert outcome == Completed(
        output={"names": ["A", "B"], "first": "A"}, variables={"names": ["A", "B"], "first": "A"}
    )


@pytest.mark.parametrize(
    "expression", ["item.price * item.quantity + index", "Math.max(item.price * item.quantity + index)"]
)
async def test_map_gives_the_value_for_each_element(world: NodeWorld, expression: str) -> None:
    assert await output(world, {"operation": "map", "expression": expression}) == [6, 11, 12]


@pytest.mark.parametrize("expression", ["item.price > vars.least", "[item].some(x => x.price > vars.least)"])
async def test_filter_keeps_the_elements_that_fit(world: NodeWorld, expression: str) -> None:
    kept = await output(
        world,
        {"operation": "filter", "items": "{{ input.lines }}", "expression": expression},
        {"lines": LINES},
        vars={"least": 4},
    )

    assert kept == [LINES[1], LINES[2]]  # pyright: ignore


@pytest.mark.parametrize(
    "expression", ["acc + item.price * item.quantity", "[acc, item.price * item.quantity].reduce((a, b) => a + b)"]
)
async def test_reduce_sees_the_result_so_far(world: NodeWorld, expression: str) -> None:
    assert await output(world, {"operation": "reduce", "expression": expression, "initial": 100}) == 126
    assert (
        await output(
            world,
            {"operation": "reduce", "expression": expression, "initial": "{{ vars.start }}"},
            [],
            vars={"start": 5},
        )
        == 5
    )


async def test_a_native_expression_that_meets_a_method_goes_on_in_the_sandbox(world: NodeWorld) -> None:
    assert await output(world, {"operation": "map", "expression": "'' + item"}, [[1] * 2000, "x"]) == [
        ",".join(["1"] * 2000),
        "x",
    ]


async def test_an_expression_computes_a_value_from_mapped_input_and_the_output_is_mapped(world: NodeWorld) -> None:
    config: JSONObject = {
        "operation": "expression",
        "inputMapping": {"first": "{{ input.name }}", "greeting": "Hello"},
        "expression": "input.greeting + ' ' + input.first",
        "outputMapping": {"text": "{{ output }}!", "length": "{{ output.length }}", "of": "{{ trigger.id }}"},
    }

    assert await output(world, config, {"name": "Ada"}, trigger={"id": 3}) == {
        "text": "Hello Ada!",
        "length": 9,
        "of": 3,
    }


async def test_aggregates_sum_up_a_list(world: NodeWorld) -> None:
    config: JSONObject = {
        "operation": "aggregate",
        "aggregates": {
            "lines": {"function": "count"},
            "total": {"function": "sum", "of": "item.price * item.quantity"},
            "mean": {"function": "avg", "of": "item.price"},
            "least": {"function": "min", "of": "item.price"},
            "most": {"function": "max", "of": "Math.round(item.price)"},
            "discounts": {"function": "count", "of": "item.discount"},
        },
    }

    assert await output(world, config) == {
        "lines": 3, "total": 26, "mean": 17 / 3, "least": 2, "most": 10, "discounts": 0
    }  # fmt: skip
    assert await output(world, config, []) == {
        "lines": 0, "total": 0, "mean": None, "least": None, "most": None, "discounts": 0
    }  # fmt: skip


async def test_aggregates_by_group_keep_the_order_in_which_keys_appear(world: NodeWorld) -> None:
    config: JSONObject = {
        "operation": "aggregate",
        "groupBy": "item.country",
        "aggregates": {"pieces": {"function": "sum", "of": "item.quantity"}},
    }

    assert await output(world, config) == [{"key": "DE", "pieces": 5}, {"key": "AT", "pieces": 1}]


@pytest.mark.parametrize(
    ("given", "keys"),
    [([1, "1", True, None, 1], [1, "1", True, None]), ([[1], {"a": 1, "b": 2}, [1]], [[1], {"a": 1, "b": 2}])],
)
async def test_groups_are_of_equal_values_not_of_equal_looking_ones(
    world: NodeWorld, given: JSON, keys: list[JSON]
) -> None:
    config: JSONObject = {
        "operation": "aggregate",
        "groupBy": "item",
        "aggregates": {"n": {"function": "count", "of": "1"}},
    }

    found = await output(world, config, given)

    assert isinstance(found, list)
    assert [group["key"] for group in found if isinstance(group, dict)] == keys


@pytest.mark.parametrize(
    ("config", "given", "code", "message"),
    [
        (
            {"operation": "map", "expression": "item"},
            {"a": 1},
            "NOT_A_LIST",
            "There is no list to map: the items are an object",
        ),
        (
            {"operation": "aggregate", "aggregates": {"a": {"function": "sum"}}},
            [1, "2"],
            "NOT_A_NUMBER",
            "'a' is the sum of numbers, and one is '2'",
        ),
        (
            {"operation": "filter", "items": "{{ input }}", "expression": "item"},
            3,
            "CONFIG_INVALID",
            "items should be a list, not 3",
        ),
    ],
)
async def test_data_of_the_wrong_kind_fails_the_step_for_good(
    world: NodeWorld, config: JSONObject, given: JSON, code: str, message: str
) -> None:
    outcome = await world.run("transform", config, input=given)

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.message, outcome.retryable) == (code, message, False)


async def test_an_expression_that_fails_names_the_element(world: NodeWorld) -> None:
    with pytest.raises(EvaluationError, match=r"for the element at 1 in 'item\.a\.b'"):
        await world.run("transform", {"operation": "map", "expression": "item.a.b"}, input=[{"a": {"b": 1}}, {}])


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"operation": "map"}, [("MISSING", "config.expression")]),
        ({"operation": "aggregate"}, [("MISSING", "config.aggregates")]),
        ({"operation": "map", "expression": "item", "initial": 0}, [("UNKNOWN_KEY", "config.initial")]),
        ({"operation": "map", "expression": "item", "groupBy": "item"}, [("UNKNOWN_KEY", "config.groupBy")]),
        ({"operation": "count", "expression": "item"}, [("WRONG_SHAPE", "config.operation")]),
        ({"operation": "map", "expression": 3}, [("WRONG_SHAPE", "config.expression")]),
        ({"operation": "aggregate", "aggregates": {"a": {"fnction": "sum"}}}, [
            ("MISSING", "config.aggregates.a.function"), ("UNKNOWN_KEY", "config.aggregates.a.fnction")
        ]),
    ],
)  # fmt: skip
def test_a_transform_that_makes_no_sense_is_found_before_it_runs(
    config: JSONObject, expected: list[tuple[str, str]]
) -> None:
    findings = CATALOG.check(Node(id="a", kind="transform", config=config))

    assert [(finding.code, ".".join(finding.path)) for finding in findings] == expected


def test_a_variable_has_a_name_that_expressions_can_spell() -> None:
    findings = CATALOG.check(Node(id="a", kind="set", config={"values": {"not a name": 1}}))

    assert [".".join(finding.path) for finding in findings] == ["config.values.not a name"]
