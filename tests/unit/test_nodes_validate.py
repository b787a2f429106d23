"""The validate node says what is wrong with a value, and no schema can hurt it."""

import asyncio
from collections.abc import AsyncGenerator
from time import perf_counter

import pytest

from domain.engine.outcomes import Completed, Failed
from domain.graphs import Node
from domain.json import JSON, JSONObject
from jobs.nodes import CATALOG
from tests.unit.node_world import NodeWorld, node_world

ORDER: JSONObject = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string", "pattern": "^o-[0-9]+$"},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
    },
    "additionalProperties": False,
    "$defs": {"line": {"type": "object", "properties": {"price": {"type": "number", "minimum": 0}}}},
}


@pytest.fixture(scope="module")
async def world() -> AsyncGenerator[NodeWorld]:
    async with node_world() as world:
        yield world


async def test_a_value_that_fits_goes_on_unchanged(world: NodeWorld) -> None:
    order: JSON = {"id": "o-7", "lines": [{"price": 1.5}]}

    whole = await world.run("validate", {"schema": ORDER}, input=order)
    part = await world.run("validate", {"schema": {"type": "string"}, "value": "{{ input.id }}"}, input=order)

    assert whole == Completed(output=order, handles=("valid",), decision={"valid": True})
    assert part == Completed(output="o-7", handles=("valid",), decision={"valid": True})


async def test_everything_that_does_not_fit_is_told_with_its_place_and_keyword(world: NodeWorld) -> None:
    order: JSON = {"id": "x", "lines": [{"price": 1}, {"price": -1}, {"price": "2"}], "note": "?"}

    outcome = await world.run("validate", {"schema": ORDER}, input=order)

    errors: list[JSON] = [
        {"path": ["id"], "message": "id should match ^o-[0-9]+$, not be 'x'", "keyword": "pattern"},
        {
            "path": ["lines", "1", "price"],
            "message": "lines.1.price: -1 is less than the minimum of 0",
            "keyword": "minimum",
        },
        {"path": ["lines", "2", "price"], "message": "lines.2.price should be number, not '2'", "keyword": "type"},
        {"path": ["note"], "message": "note is no key of the schema", "keyword": "additionalProperties"},
    ]
    assert outcome == Completed(
        output={"value": order, "errors": errors},
        handles=("invalid",),
        decision={"valid": False, "errors": 4, "first": errors[0]},
    )


async def test_errors_are_bounded_in_number_and_size(world: NodeWorld) -> None:
    schema: JSON = {"items": {"const": "y" * 10_000}}

    outcome = await world.run("validate", {"schema": schema}, input=["x" * 10_000] * 500)

    assert isinstance(outcome, Completed)
    assert isinstance(outcome.output, dict)
    errors = outcome.output["errors"]
    assert isinstance(errors, list)
    assert len(errors) == 100
    assert len(str(errors)) < 50_000


@pytest.mark.parametrize(
    ("schema", "code", "message"),
    [
        ("{{ input }}", "BAD_SCHEMA", "The schema is none: it is a list"),
        ({"type": "{{ input[0] }}"}, "BAD_SCHEMA", "The schema is none: type"),
        ({"$ref": "https://example.com/schema.json"}, "BAD_SCHEMA", "The schema is none: The reference"),
        ({"pattern": "(?=a)"}, "BAD_SCHEMA", "The schema is none: '(?=a)' is no regular expression"),
        ({"$ref": "#"}, "BAD_SCHEMA", "The schema is none: "),
    ],
)
async def test_a_schema_that_is_none_fails_the_node(world: NodeWorld, schema: JSON, code: str, message: str) -> None:
    outcome = await world.run("validate", {"schema": schema}, input=[1])

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == (code, False)
    assert outcome.message.startswith(message)


async def test_a_pattern_that_would_explode_elsewhere_is_answered_at_once(world: NodeWorld) -> None:
    start = perf_counter()

    outcome = await world.run("validate", {"schema": {"pattern": "^(a+)+$"}}, input="a" * 50_000 + "!")

    assert isinstance(outcome, Completed)
    assert outcome.handles == ("invalid",)
    assert perf_counter() - start < 2


async def test_a_schema_that_takes_endless_work_is_stopped_and_does_not_hold_up_others(world: NodeWorld) -> None:
    doubled: dict[str, JSON] = {f"d{at}": {"allOf": [{"$ref": f"#/$defs/d{at + 1}"}] * 2} for at in range(40)}
    schema: JSON = {"items": {"$ref": "#/$defs/d0"}, "$defs": {**doubled, "d40": {"type": "string"}}}
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    outcome = await world.run("validate", {"schema": schema}, input=["a"])
    beside.cancel()

    assert isinstance(outcome, Failed)
    assert outcome.code == "CANNOT_CHECK"
    assert turns > 10


def test_a_schema_that_is_none_is_told_when_it_is_written() -> None:
    def codes(schema: JSON) -> list[tuple[str, tuple[str, ...]]]:
        found = CATALOG.check(Node(id="a", kind="validate", config={"schema": schema}))
        return [(finding.code, finding.path) for finding in found]

    assert codes({"type": "strnig"}) == [("BAD_SCHEMA", ("config", "schema", "type"))]
    assert codes({"properties": {"a": {"$ref": "http://x/y"}}}) == [
        ("BAD_SCHEMA", ("config", "schema", "properties", "a", "$ref"))
    ]
    assert codes("text") == [("BAD_SCHEMA", ("config", "schema"))]
    assert codes("{{ vars.schema }}") == []
    assert codes({"enum": "{{ vars.known }}"}) == []
    assert codes(True) == []
    assert [finding.code for finding in CATALOG.check(Node(id="a", kind="validate", config={}))] == ["MISSING"]
