"""Conditions: parsed with all their problems, decided with all they saw; failing is not false."""

from collections.abc import AsyncGenerator

import pytest

from domain.conditions import InvalidCondition, Operator, Problem, expressions_of, parse_condition
from domain.conditions_compare import compare
from domain.json import JSON, JSONObject
from jobs.nodes.conditions import ConditionFailed, Verdict, decide, preview
from jobs.services import StepServices
from tests.unit.node_world import TENANT, NodeWorld, node_world


@pytest.fixture(scope="module")
async def world() -> AsyncGenerator[NodeWorld]:
    async with node_world() as world:
        yield world


async def decided(world: NodeWorld, condition: JSON, **scope: JSON) -> Verdict:
    services = StepServices(tenant=TENANT, supplies=world.supplies)
    return await decide(parse_condition(condition), scope, services)


def problems_of(condition: JSON) -> tuple[Problem, ...]:
    with pytest.raises(InvalidCondition) as caught:
        parse_condition(condition)
    return caught.value.problems


@pytest.mark.parametrize("text", ["input.a > 1", "{{ input.a > 1 }}", "  {{input.a > 1}}  "])
async def test_an_expression_may_stand_in_braces_or_not(world: NodeWorld, text: str) -> None:
    verdict = await decided(world, text, input={"a": 2})

    assert verdict == Verdict(
        result=True, trace={"expression": "input.a > 1", "result": True, "values": {"input.a": 2}}
    )


async def test_an_expression_beyond_the_native_subset_is_decided_in_the_sandbox(world: NodeWorld) -> None:
    verdict = await decided(world, "input.tags.some(tag => tag === 'vip')", input={"tags": ["new", "vip"]})

    assert verdict.result is True


@pytest.mark.parametrize(
    ("value", "result"), [(0, False), ("", False), (None, False), ([], True), ({}, True), ("no", True), (0.5, True)]
)
async def test_an_expression_is_true_as_in_javascript(world: NodeWorld, value: JSON, result: bool) -> None:
    verdict = await decided(world, "input", input=value)

    assert verdict.result is result
    assert verdict.trace["value"] == value


async def test_all_stops_at_the_first_false_and_any_at_the_first_true(world: NodeWorld) -> None:
    explosive = "input.missing.value"

    every = await decided(world, {"all": ["input.a", explosive]}, input={"a": False})
    some = await decided(world, {"any": ["!input.a", explosive]}, input={"a": False})

    false: JSONObject = {"expression": "input.a", "result": False, "values": {"input.a": False}}
    true: JSONObject = {"expression": "!input.a", "result": True, "values": {"input.a": False}}
    assert every == Verdict(result=False, trace={"all": [false], "result": False})
    assert some == Verdict(result=True, trace={"any": [true], "result": True})


async def test_a_nested_condition_is_decided_with_its_values(world: NodeWorld) -> None:
    condition: JSON = {
        "not": {
            "any": [
                {"left": "{{ input.country }}", "op": "in", "right": ["DE", "{{ vars.extra }}"]},
                {"left": "{{ input.name }}", "op": "isEmpty"},
            ]
        }
    }

    verdict = await decided(world, condition, input={"country": "FR", "name": "Ada"}, vars={"extra": "AT"})

    traces: list[JSON] = [
        {"left": "FR", "op": "in", "result": False, "right": ["DE", "AT"]},
        {"left": "Ada", "op": "isEmpty", "result": False},
    ]
    assert verdict == Verdict(result=True, trace={"not": {"any": traces, "result": False}, "result": True})


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("input.missing.value", "TypeError: cannot read property 'value' of undefined"),
        ("inptu.a", "ReferenceError: 'inptu' is not defined"),
        ({"left": "{{ input.missing.value }}", "op": "exists"}, "TypeError: cannot read property 'value' of undefined"),
        ({"left": "{{ input.text }}", "op": "<", "right": 3}, "'ten' < 3 compares neither numbers nor texts"),
        ({"left": 3, "op": "startsWith", "right": "3"}, "'startsWith' needs text, not 3"),
        ({"left": True, "op": "isEmpty"}, "true can be neither empty nor not"),
        (
            {"left": None, "op": "contains", "right": 1},
            "'contains' looks into a text, a list or an object, not into null",
        ),
        ({"left": "a", "op": "matches", "right": "{{ input.pattern }}"}, "'(' is no regular expression"),
    ],
)
async def test_a_condition_that_cannot_be_decided_is_not_false(world: NodeWorld, condition: JSON, message: str) -> None:
    with pytest.raises(ConditionFailed) as caught:
        await decided(world, condition, input={"text": "ten", "pattern": "("})

    outcome = caught.value.as_outcome()
    assert (outcome.code, outcome.retryable) == ("CONDITION_FAILED", False)
    assert outcome.message.startswith(f"The condition could not be decided: {message}")


@pytest.mark.parametrize(
    ("left", "operator", "right", "result"),
    [
        (1, "==", 1.0, True),
        (1, "==", "1", False),
        (True, "==", 1, False),
        ({"a": [1, {"b": None}]}, "==", {"a": [1.0, {"b": None}]}, True),
        ({"a": True}, "!=", {"a": 1}, True),
        ([1, 2], "==", [1], False),
        (2, "<", 10, True),
        ("2", "<", "10", False),
        (3, "<=", 3, True),
        (3, ">", 3, False),
        (3, ">=", 3, True),
        ("invoice", "contains", "voice", True),
        ([1, "a"], "contains", "a", True),
        ([True], "contains", 1, False),
        ({"a": 1}, "contains", "a", True),
        ("DE", "in", ["DE", "AT"], True),
        ("x", "in", "text", True),
        ("k", "in", {"k": 0}, True),
        ("weir", "startsWith", "we", True),
        ("weir", "endsWith", "we", False),
        ("ada@example.com", "matches", r"@example\.com$", True),
        ("a" * 10_000 + "!", "matches", "^(a+)+$", False),
        ("", "isEmpty", None, True),
        ([], "isEmpty", None, True),
        (None, "isEmpty", None, True),
        ({"a": 1}, "isNotEmpty", None, True),
        (0, "exists", None, True),
        (None, "exists", None, False),
        (None, "isNull", None, True),
        ("1", "isText", None, True),
        (True, "isNumber", None, False),
        (1.5, "isNumber", None, True),
        (False, "isBoolean", None, True),
        ([], "isList", None, True),
        ("ab", "isList", None, False),
        ({}, "isObject", None, True),
    ],
)
def test_comparisons_convert_nothing(left: JSON, operator: str, right: JSON, result: bool) -> None:
    assert compare(left, Operator(operator), right) is result


def test_every_problem_of_a_condition_is_told_with_its_path() -> None:
    condition: JSON = {
        "all": [
            "input.a +",
            {"left": "{{ input. }}", "op": "~", "right": 1, "extra": True},
            {"op": "isEmpty", "right": 1},
            {"left": 1, "op": "=="},
            {"left": "a", "op": "matches", "right": "(?=a)"},
            {"any": []},
            {"not": 3},
            {"all": ["input.a"], "left": 1},
        ]
    }

    found = [(".".join(problem.path), problem.message) for problem in problems_of(condition)]

    assert found == [
        ("all.0", "A value is missing"),
        ("all.1.extra", "Unknown key 'extra'"),
        ("all.1.op", "Unknown operator '~'"),
        ("all.1.left", "A property name is missing"),
        ("all.2.left", "'left' is missing"),
        ("all.2.right", "The operator isEmpty takes no 'right'"),
        ("all.3.right", "The operator == needs a 'right'"),
        ("all.4.right", "'(?=a)' is no regular expression: invalid perl operator: (?="),
        ("all.5.any", "'any' needs a list of conditions"),
        ("all.6.not", "A condition is text or an object"),
        ("all.7", "'all' stands alone in its object"),
    ]


def test_a_condition_nested_too_deep_is_refused() -> None:
    condition: JSON = "true"
    for _ in range(100):
        condition = {"not": condition}

    assert problems_of(condition)[0].message == "A condition is nested at most 50 levels deep"


def test_the_expressions_of_a_condition_are_found_in_order() -> None:
    condition = parse_condition(
        {"any": ["a", {"left": "{{ b }} {{ c }}", "op": "==", "right": ["{{ d }}"]}, {"not": "e"}]}
    )

    assert [expression.source.strip() for expression in expressions_of(condition)] == ["a", "b", "c", "d", "e"]


def test_a_decision_shows_small_values_and_only_describes_large_ones() -> None:
    assert preview("x" * 201) == "x" * 200 + "…"
    assert preview([1, "a"]) == [1, "a"]
    assert preview([[1]]) == "a list of 1"
    assert preview(list(range(21))) == "a list of 21"
    assert preview({"a": {}}) == "an object with 1 keys"
    assert preview({"a": 1}) == {"a": 1}
