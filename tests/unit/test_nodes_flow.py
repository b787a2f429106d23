"""What the nodes that steer an execution answer: handles, waits, endings, and the decisions behind them."""

from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest

from domain.engine.outcomes import (
    Completed,
    Ended,
    Failed,
    LogLevel,
    LogLine,
    SignalArrived,
    TimerDue,
    Waiting,
)
from domain.expressions import EvaluationError
from domain.graphs import Node
from domain.json import JSON, JSONObject
from jobs.nodes import CATALOG
from tests.unit.node_world import NOW, NodeWorld, node_world

ORDER: JSON = {"id": 7, "amount": 120}


@pytest.fixture(scope="module")
async def world() -> AsyncGenerator[NodeWorld]:
    async with node_world() as world:
        yield world


async def test_a_trigger_gives_the_input(world: NodeWorld) -> None:
    assert await world.run("trigger", input=ORDER) == Completed(output=ORDER)


@pytest.mark.parametrize(("amount", "handle"), [(120, "true"), (99, "false")])
async def test_an_if_passes_its_input_on_one_way_and_says_why(world: NodeWorld, amount: int, handle: str) -> None:
    outcome = await world.run("if", {"condition": "{{ input.amount > 100 }}"}, input={"amount": amount})

    decision: JSON = {
        "expression": "input.amount > 100",
        "result": handle == "true",
        "values": {"input.amount": amount},
    }
    assert outcome == Completed(output={"amount": amount}, handles=(handle,), decision=decision)


async def test_an_if_whose_condition_cannot_be_decided_fails_for_good(world: NodeWorld) -> None:
    outcome = await world.run("if", {"condition": "input.customer.name === 'Ada'"}, input={})

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("CONDITION_FAILED", False)


COUNTRIES: JSONObject = {
    "expression": "input.country",
    "cases": [{"name": "home", "equals": "DE"}, {"name": "near", "equals": "{{ vars.near }}"}],
}


@pytest.mark.parametrize(("country", "handle"), [("DE", "home"), ("AT", "near"), ("FR", "default"), (None, "default")])
async def test_a_switch_compares_its_value_with_the_cases(world: NodeWorld, country: JSON, handle: str) -> None:
    outcome = await world.run("switch", COUNTRIES, input={"country": country}, vars={"near": "AT"})

    assert isinstance(outcome, Completed)
    assert (outcome.handles, outcome.output) == ((handle,), {"country": country})


async def test_a_switch_logs_the_cases_it_looked_at(world: NodeWorld) -> None:
    outcome = await world.run("switch", COUNTRIES, input={"country": "DE"}, vars={"near": "AT"})

    assert outcome == Completed(
        output={"country": "DE"},
        handles=("home",),
        decision={"value": "DE", "cases": {"home": {"equals": "DE", "result": True}}},
    )


@pytest.mark.parametrize(("mode", "handles"), [("first", ("large",)), ("all", ("large", "odd"))])
async def test_a_switch_takes_the_first_case_or_all_that_apply(
    world: NodeWorld, mode: str, handles: tuple[str, ...]
) -> None:
    cases: JSON = [
        {"name": "small", "when": "input < 10"},
        {"name": "large", "when": {"left": "{{ input }}", "op": ">=", "right": 10}},
        {"name": "odd", "when": "input % 2"},
    ]

    outcome = await world.run("switch", {"cases": cases, "mode": mode}, input=11)

    assert isinstance(outcome, Completed)
    assert outcome.handles == handles


async def test_a_case_may_be_null_and_nothing_is_converted(world: NodeWorld) -> None:
    cases: JSON = [{"name": "text", "equals": "1"}, {"name": "nothing", "equals": None}]
    config: JSONObject = {"expression": "input", "cases": cases}

    one, none = await world.run("switch", config, input=1), await world.run("switch", config)

    assert isinstance(one, Completed)
    assert isinstance(none, Completed)
    assert (one.handles, none.handles) == (("default",), ("nothing",))


@pytest.mark.parametrize(
    "config",
    [
        {"expression": "input.a.b", "cases": [{"name": "x", "equals": 1}]},
        {"expression": "input", "cases": [{"name": "x", "equals": "{{ input.a.b }}"}]},
        {"cases": [{"name": "x", "when": "input.a.b"}]},
    ],
)
async def test_a_switch_that_cannot_decide_fails(world: NodeWorld, config: JSONObject) -> None:
    outcome = await world.run("switch", config, input={})

    assert isinstance(outcome, Failed)
    assert outcome.code == "CONDITION_FAILED"


async def test_parallel_takes_all_its_branches(world: NodeWorld) -> None:
    named = await world.run("parallel", {"branches": ["stock", "credit"]}, input=ORDER)
    plain = await world.run("parallel", input=ORDER)

    assert named == Completed(output=ORDER, handles=("stock", "credit"))
    assert plain == Completed(output=ORDER, handles=("out",))


async def test_a_merge_gives_what_came(world: NodeWorld) -> None:
    together: JSON = {"stock": 1, "credit": 2}

    assert await world.run("merge", {"mode": "n", "n": 2}, input=together) == Completed(output=together)


async def test_a_delay_waits_until_its_moment_and_then_passes_its_input_on(world: NodeWorld) -> None:
    config: JSONObject = {"seconds": "{{ input.seconds }}"}

    waiting = await world.run("delay", config, input={"seconds": 90})
    over = await world.resume("delay", config, TimerDue(), input={"seconds": 90})

    assert waiting == Waiting(until=NOW + timedelta(seconds=90))
    assert over == Completed(output={"seconds": 90})


@pytest.mark.parametrize(
    ("until", "seconds"),
    [("2026-11-21T10:00:00Z", 3600), ("2026-11-21T11:00:00+01:00", 3600), ("2026-11-21T09:00:01", 1)],
)
async def test_a_delay_until_a_moment_without_offset_means_utc(world: NodeWorld, until: str, seconds: int) -> None:
    assert await world.run("delay", {"until": until}) == Waiting(until=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("config", [{"seconds": 0}, {"until": "2026-11-21T08:59:59Z"}, {"until": "2020-01-01"}])
async def test_a_delay_that_is_over_does_not_wait(world: NodeWorld, config: JSONObject) -> None:
    assert await world.run("delay", config, input=1) == Completed(output=1)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"until": "{{ input }}"}, "until, 'soon', is no moment in ISO 8601"),
        ({"until": "2028-01-01"}, "until, '2028-01-01', is more than a year away"),
        ({"seconds": "{{ input }}"}, "seconds should be a number, not 'soon'"),
        ({"seconds": -1}, "seconds should be greater than or equal to 0, not -1"),
    ],
)
async def test_a_config_that_turns_out_wrong_fails_the_step_for_good(
    world: NodeWorld, config: JSONObject, message: str
) -> None:
    outcome = await world.run("delay", config, input="soon")

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.message, outcome.retryable) == ("CONFIG_INVALID", message, False)


async def test_a_wait_for_a_signal_goes_on_with_its_payload_or_times_out_with_its_input(world: NodeWorld) -> None:
    config: JSONObject = {"signal": "paid-{{ input.id }}", "timeout": 60}

    waiting = await world.run("wait", config, input=ORDER)
    signalled = await world.resume("wait", config, SignalArrived(payload={"by": "Ada"}), input=ORDER)
    late = await world.resume("wait", config, TimerDue(), input=ORDER)

    assert waiting == Waiting(until=NOW + timedelta(seconds=60), signal="paid-7")
    assert signalled == Completed(output={"by": "Ada"}, handles=("out",))
    assert late == Completed(output=ORDER, handles=("timeout",))


async def test_a_wait_for_a_callback_may_last_for_ever(world: NodeWorld) -> None:
    assert await world.run("wait", {"callback": True}) == Waiting(callback=True)


async def test_a_log_writes_a_line_and_passes_its_input_on(world: NodeWorld) -> None:
    outcome = await world.run("log", {"level": "WARNING", "message": "Order {{ input.id }}"}, input=ORDER)

    assert outcome == Completed(output=ORDER, logs=(LogLine(level=LogLevel.WARNING, message="Order 7"),))


async def test_a_log_writes_values_as_json_and_cuts_long_lines(world: NodeWorld) -> None:
    value = await world.run("log", {"message": "{{ input }}"}, input=ORDER)
    long = await world.run("log", {"message": "{{ input }}"}, input="x" * 20_000)

    assert isinstance(value, Completed)
    assert isinstance(long, Completed)
    assert value.logs[0].message == '{"id":7,"amount":120}'
    assert long.logs[0].message == "x" * 10_000 + "…"


async def test_fail_ends_the_execution_with_its_message(world: NodeWorld) -> None:
    assert await world.run("fail", {"message": "No {{ input }}"}, input="stock") == Ended(message="No stock")


async def test_end_and_respond_give_the_result_or_what_came(world: NodeWorld) -> None:
    assert await world.run("end", input=ORDER) == Completed(output=ORDER, handles=())
    assert await world.run("end", {"output": {"id": "{{ input.id }}"}}, input=ORDER) == Completed(
        output={"id": 7}, handles=()
    )
    assert await world.run("end", {"output": None}, input=ORDER) == Completed(output=None, handles=())
    assert await world.run("respond", {"status": 201, "headers": {"x-a": "{{ input.id }}b"}}, input=ORDER) == Completed(
        output={"status": 201, "headers": {"x-a": "7b"}, "body": ORDER}, handles=()
    )


async def test_an_expression_that_fails_rises_to_the_executor(world: NodeWorld) -> None:
    with pytest.raises(EvaluationError, match="cannot read property"):
        await world.run("log", {"message": "{{ input.a.b }}"}, input={})


async def test_a_kind_that_never_waits_cannot_be_resumed(world: NodeWorld) -> None:
    with pytest.raises(NotImplementedError, match="a log node never waits"):
        await world.resume("log", {"message": "x"}, TimerDue())


@pytest.mark.parametrize(
    ("kind", "config", "expected"),
    [
        ("delay", {}, ["config"]),
        ("delay", {"seconds": 1, "until": "2026-01-01"}, ["config"]),
        ("delay", {"until": "soon"}, ["config.until"]),
        ("wait", {}, ["config"]),
        ("wait", {"signal": "a", "callback": True}, ["config"]),
        ("wait", {"callback": "{{ vars.a }}"}, ["config.callback"]),
        ("wait", {"signal": "a", "timeout": 0}, ["config.timeout"]),
        ("merge", {"mode": "n"}, ["config.n"]),
        ("merge", {"mode": "all", "n": 2}, ["config.n"]),
        ("merge", {"mode": "{{ vars.mode }}"}, ["config.mode"]),
        ("parallel", {"branches": ["a", "a", "error"]}, ["config.branches.1", "config.branches.2"]),
        ("parallel", {"branches": "{{ vars.b }}"}, ["config.branches"]),
        ("switch", {"cases": []}, ["config.cases"]),
        ("switch", {"cases": [{"name": "a"}]}, ["config.cases.0"]),
        ("switch", {"cases": [{"name": "a", "equals": 1}]}, ["config.expression"]),
        ("switch", {"expression": "input", "cases": [{"name": "default", "equals": 1}]}, ["config.cases.0.name"]),
        ("respond", {"status": 99}, ["config.status"]),
        ("log", {"message": "x", "level": "LOUD"}, ["config.level"]),
        ("trigger", {"a": 1}, ["config.a"]),
    ],
)
def test_a_config_that_makes_no_sense_is_found_before_it_runs(
    kind: str, config: JSONObject, expected: list[str]
) -> None:
    from_kind = CATALOG.check(Node(id="a", kind=kind, config=config))

    assert [".".join(finding.path) for finding in from_kind] == expected
