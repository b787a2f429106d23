"""Conditions about dates, in any time zone, and about what kind of text a text is."""

from collections.abc import AsyncGenerator

import pytest

from domain.conditions import InvalidCondition, Operator, parse_condition
from domain.conditions_compare import Undecidable, compare, view_of
from domain.json import JSON
from jobs.nodes.conditions import ConditionFailed, Verdict, decide
from jobs.services import StepServices
from tests.unit.node_world import TENANT, NodeWorld, node_world

NOW = "2026-11-21T09:00:00+00:00"  # a Saturday
OFFICE: JSON = {"days": ["mon", "Tuesday", 3, "thu", 5], "from": "09:00", "to": "17:30", "holidays": ["2026-12-25"]}
NIGHT: JSON = {"days": ["fri"], "from": "22:00", "to": "06:00"}


@pytest.fixture(scope="module")
async def world() -> AsyncGenerator[NodeWorld]:
    async with node_world() as world:
        yield world


async def decided(world: NodeWorld, condition: JSON, **scope: JSON) -> Verdict:
    services = StepServices(tenant=TENANT, supplies=world.supplies)
    return await decide(parse_condition(condition), {"now": NOW, **scope}, services)


@pytest.mark.parametrize(
    ("left", "operator", "right", "zone", "result"),
    [
        ("2026-01-01", "before", "2026-01-01T00:00:01Z", None, True),
        ("2026-01-01", "before", "2026-01-01", None, False),
        ("2026-01-01", "before", "2025-12-31T23:30:00Z", "Europe/Berlin", True),
        ("2026-01-01T00:00:00", "after", "2025-12-31T23:30:00Z", "America/New_York", True),
        ("2026-01-01T00:00:00+14:00", "after", "2025-12-31T12:00:00Z", None, False),
        (1_767_225_600_001, "after", "2026-01-01", None, True),
        ("2026-06-01", "between", ["2026-06-01", "2026-06-30"], None, True),
        ("2026-06-30T00:00:01", "between", ["2026-06-01", "2026-06-30"], None, False),
        (5, "between", [5, 7.5], None, True),
        (7.6, "between", [5, 7.5], None, False),
        ("2026-11-21T08:00:00Z", "within", 3600, None, True),
        ("2026-11-21T10:00:01Z", "within", "PT1H", None, False),
        ("2026-11-21T10:00:00Z", "within", "PT1H", None, True),
        ("2026-11-14T09:00:00Z", "withinLast", "P7D", None, True),
        ("2026-11-14T08:59:59Z", "withinLast", "P7D", None, False),
        ("2026-11-21T09:00:01Z", "withinLast", "P7D", None, False),
        ("2026-12-21T09:00:00Z", "withinNext", "P1M", None, True),
        ("2026-11-20T09:00:00Z", "withinNext", "P1M", None, False),
        ("2026-03-30", "within", {"duration": "P1M", "of": "2026-02-28"}, None, False),
        ("2026-03-28", "within", {"duration": "P1M", "of": "2026-02-28"}, None, True),
        # the night of 29 March has 23 hours in Berlin: a day of the calendar is over before 24 hours are
        ("2026-03-29T12:30:00", "within", {"duration": "P1D", "of": "2026-03-28T12:00:00"}, "Europe/Berlin", False),
        ("2026-03-29T12:30:00", "within", {"duration": "PT24H", "of": "2026-03-28T12:00:00"}, "Europe/Berlin", True),
        ("2026-11-21T09:00:00Z", "onWeekday", ["sat", "sun"], None, True),
        ("2026-11-22T23:30:00Z", "onWeekday", "Monday", "Europe/Berlin", True),
        ("2026-11-22T23:30:00Z", "onWeekday", 7, "UTC", True),
        ("2026-11-23T08:00:00Z", "inBusinessHours", OFFICE, "Europe/Berlin", True),
        ("2026-11-23T08:00:00Z", "inBusinessHours", OFFICE, None, False),
        ("2026-11-23T07:59:59Z", "inBusinessHours", OFFICE, "+01:00", False),
        ("2026-11-23T16:30:00Z", "inBusinessHours", OFFICE, "Europe/Berlin", False),
        ("2026-11-21T10:00:00Z", "inBusinessHours", OFFICE, None, False),
        ("2026-12-25T10:00:00Z", "inBusinessHours", OFFICE, None, False),
        ("2026-11-21T10:00:00Z", "inBusinessHours", {"days": [6]}, None, True),
        ("2026-11-20T22:00:00Z", "inBusinessHours", NIGHT, None, True),
        ("2026-11-21T05:59:00Z", "inBusinessHours", NIGHT, None, True),
        ("2026-11-21T06:00:00Z", "inBusinessHours", NIGHT, None, False),
        ("2026-11-20T05:00:00Z", "inBusinessHours", NIGHT, None, False),
    ],
)
def test_dates_are_compared_as_moments_seen_from_a_zone(
    left: JSON, operator: str, right: JSON, zone: JSON, result: bool
) -> None:
    assert compare(left, Operator(operator), right, view_of(zone, NOW)) is result


@pytest.mark.parametrize(
    ("value", "operator", "result"),
    [
        ("2026-02-28", "isDate", True),
        ("2026-02-30", "isDate", False),
        ("2026-11-21T09:00:00.5+01:00", "isDate", True),
        (1_767_225_600_000, "isDate", False),
        ("ada@example.com", "isEmail", True),
        ("ada@example", "isEmail", False),
        ("ada lovelace@example.com", "isEmail", False),
        ("a@" + "b." * 200 + "com", "isEmail", False),
        (None, "isEmail", False),
        ("https://example.com/a?b#c", "isUrl", True),
        ("ftp://example.com", "isUrl", False),
        ("javascript:alert(1)", "isUrl", False),
        ("https://", "isUrl", False),
        ("https://[::1", "isUrl", False),
        ("https://exa mple.com", "isUrl", False),
    ],
)
def test_a_text_is_asked_what_it_is(value: JSON, operator: str, result: bool) -> None:
    assert compare(value, Operator(operator), None) is result


@pytest.mark.parametrize(
    ("left", "operator", "right", "message"),
    [
        (None, "before", "2026-01-01", "null is no date"),
        ("soon", "after", "2026-01-01", "'soon' is no date"),
        ("2026-01-01", "after", "2026-02-30", "'2026-02-30' is no date"),
        ("2026-01-01", "between", ["2026-01-01"], "'between' needs a list of two bounds, not a list"),
        ("2026-01-01", "between", [1, "x"], "'x' is no date"),
        ("2026-01-01", "within", "1 day", "'1 day' is no duration"),
        ("2026-01-01", "within", "P", "'P' is no duration"),
        ("2026-01-01", "within", "P1DT", "'P1DT' is no duration"),
        ("2026-01-01", "within", -5, "-5 is no duration"),
        ("2026-01-01", "withinLast", "P999999Y", "the date is outside the years 1 to 9999"),
        ("2026-01-01", "within", {"duration": 1, "of": "then"}, "'then' is no date"),
        ("2026-01-01", "onWeekday", "mo", "'mo' is no weekday"),
        ("2026-01-01", "onWeekday", [0], "0 is no weekday"),
        ("2026-01-01", "inBusinessHours", {"from": "9"}, "'9' is no time of day"),
        ("2026-01-01", "inBusinessHours", {"from": "24:30"}, "'24:30' is no time of day"),
        (
            "2026-01-01",
            "inBusinessHours",
            "9-17",
            "Business hours are an object of days, from, to and holidays: '9-17'",
        ),
        ("9999-12-31T23:00:00Z", "onWeekday", 1, "the date is outside the years 1 to 9999"),
    ],
)
def test_what_is_no_date_or_no_duration_has_no_answer(left: JSON, operator: str, right: JSON, message: str) -> None:
    with pytest.raises(Undecidable) as caught:
        compare(left, Operator(operator), right, view_of("+14:00", NOW))

    assert str(caught.value) == message


async def test_the_zone_may_be_an_expression_and_stands_in_the_decision(world: NodeWorld) -> None:
    condition: JSON = {
        "left": "{{ now }}",
        "op": "inBusinessHours",
        "right": {"days": ["sat"], "to": "18:30"},
        "zone": "{{ input.zone }}",
    }

    verdict = await decided(world, condition, input={"zone": "Asia/Tokyo"})

    assert verdict == Verdict(
        result=True,
        trace={
            "left": NOW,
            "op": "inBusinessHours",
            "right": "an object with 2 keys",
            "zone": "Asia/Tokyo",
            "result": True,
        },
    )
    with pytest.raises(ConditionFailed) as caught:
        await decided(world, condition, input={"zone": "Mars"})
    assert str(caught.value) == "'Mars' is no time zone"


def test_what_can_be_known_to_be_wrong_is_told_when_it_is_written() -> None:
    condition: JSON = {
        "all": [
            {"left": "{{ now }}", "op": "before", "right": "tomorrow"},
            {"left": "{{ now }}", "op": "within", "right": {"duration": "3 days"}},
            {"left": "{{ now }}", "op": "onWeekday", "right": ["xyz"]},
            {"left": "{{ now }}", "op": "inBusinessHours", "right": {"form": "09:00"}},
            {"left": "{{ now }}", "op": "after", "right": "2026-01-01", "zone": "Mars"},
            {"left": 1, "op": "==", "right": 1, "zone": "UTC"},
            {"left": "{{ now }}", "op": "before", "right": "{{ input.until }}", "zone": "{{ input.zone }}"},
        ]
    }

    with pytest.raises(InvalidCondition) as caught:
        parse_condition(condition)

    assert [(".".join(problem.path), problem.message) for problem in caught.value.problems] == [
        ("all.0.right", "'tomorrow' is no date"),
        ("all.1.right", "'3 days' is no duration"),
        ("all.2.right", "'xyz' is no weekday"),
        ("all.3.right", "Business hours are an object of days, from, to and holidays: unknown key 'form'"),
        ("all.4.zone", "'Mars' is no time zone"),
        ("all.5.zone", "The operator == has no time zone"),
    ]
