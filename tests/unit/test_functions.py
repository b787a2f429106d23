"""The functions of the expression language: documented truly, and the same natively as in QuickJS, errors included."""

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
import quickjs
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from domain.engine.outcomes import Completed
from domain.expressions import EvaluationError, ExpressionError, NeedsSandbox, compile_expression, evaluate
from domain.expressions.coercion import Value, number_text, to_json
from domain.expressions.functions import FAMILIES, FUNCTIONS, Choice, Function, Parameter, sources, zone_table
from domain.expressions.functions.documentation import markdown
from domain.expressions.functions.prelude import CORE, families_in
from domain.expressions.functions.signatures import Kind
from domain.expressions.functions.zones import zone_of
from domain.json import JSON
from tests.unit.node_world import node_world

PAGE = Path(__file__).parents[2] / "docs" / "functions.md"
ZONES = [
    "UTC", "Z", "+05:30", "-03:00", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe",
    "America/Godthab", "Africa/Casablanca", "Asia/Gaza", "Europe/Dublin", "Pacific/Apia", "Pacific/Chatham",
    "America/Argentina/San_Luis", "Mars/Olympus", "posixrules", "europe/berlin", "+25:00", "",
]  # fmt: skip
PATTERNS = [
    "yyyy-MM-dd", "dd.MM.yyyy HH:mm:ss.SSS XXX", "d MMM yy, h:mm a", "EEEE 'the' d'th' MMMM", "''yyyy", "yyyy 'open",
    "qq", "MM/dd/yyyy hh a", "H:m:s", "",
]  # fmt: skip
WRITTEN = ["2026-03-29", "29.03.2026 02:30:00.000 +02:00", "5 Feb 26, 1:05 PM", "02/30/2026 11 AM", "23:59:59", "x"]
DATES = [
    "2026-03-29T02:30:00+01:00", "2026-10-25T02:30:00", "2026-10-25T00:30:00Z", "2024-02-29", "0001-01-01",
    "9999-12-31", "2026-01-31T23:59:59.9999-05:00", "2026-02-30", "2026-11-21 09:00Z", "2026-11-21T25:00Z",
    "1900-01-01T00:00:00+00:19:32", "soon", "2037-12-31T23:00:00Z", "2099-07-01T00:00:00Z", "0001-01-01T00:30:00+01:00",
]  # fmt: skip
TEXTS = [
    "", " ", "a", "Ada Lovelace", "  x\t", "a,b,,c", "1.5", "-3e2", "0x1F", "{\"a\": [1, 2.0]}", "[1,", "NaN", "ß",
    "ΑΣ", "İ", "é😀e", "YWJj", "YWJ", "_-8", "c3b1", "%C3%B1", "%zz", "%ff", "a.b", "0", "__proto__", "\ufeffx",
]  # fmt: skip
KEYS = ["a", "b", "0", "2", "10", "a.b", "length", "__proto__", "toString", ""]

_bare: Any = cast("Any", quickjs).Context()


def _written_alike(number: float) -> bool:
    """QuickJS sometimes writes a digit more than ECMA-262 asks for, as for 2 ** -24."""
    return str(_bare.eval(f"String({json.dumps(number)})")) == number_text(number)


letters = st.characters(max_codepoint=0x1F64F, exclude_categories=["Cs", "Cn", "Co"])
texts = st.sampled_from(TEXTS) | st.text(st.sampled_from("aAbB ,.%=-é😀\n"), max_size=6) | st.text(letters, max_size=4)
numbers = (
    st.integers(-20, 20)
    | st.sampled_from([0.5, 1.005, -2.5, 1e21, 1e-7, 2**53, 2**53 + 1, 1.7976931348623157e308, 0.1, -0.0, 1234567.885])
    | st.floats(allow_nan=False, allow_infinity=False).filter(_written_alike)
)
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)
rows = st.lists(st.fixed_dictionaries({"a": scalars, "b": values}), max_size=5)
moments = (
    st.sampled_from(DATES)
    | st.datetimes().map(datetime.isoformat)
    | st.integers(-(2**31), 2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC).isoformat())
    | st.integers(-(2**48), 2**48)
)
BY_KIND: Mapping[Kind, st.SearchStrategy[JSON]] = {
    Kind.TEXT: texts | st.sampled_from([*PATTERNS, *WRITTEN, *DATES]),
    Kind.NUMBER: numbers,
    Kind.WHOLE: st.integers(-25, 25) | st.sampled_from([2**31, 10**12, 2**60]),
    Kind.BOOLEAN: st.booleans(),
    Kind.LIST: st.lists(values, max_size=5)
    | st.lists(numbers, max_size=5)
    | rows
    | st.lists(st.lists(values, max_size=2)),
    Kind.OBJECT: st.dictionaries(st.sampled_from(KEYS), values, max_size=5),
    Kind.ANY: values,
    Kind.DATE: moments,
    Kind.ZONE: st.sampled_from(ZONES),
    Kind.KEY: st.sampled_from(["a", "b", "b.a", "0", "", ["a"], [0], ["b", 1]]),
    Kind.PATH: st.sampled_from(["a", "a.b", "0.a", "", "a.0", ["a.b"], ["a", 0]]),
}

short = st.binary(max_size=5) | texts.map(str.encode)
BY_PARAMETER: Mapping[tuple[str, str], st.SearchStrategy[JSON]] = {
    ("json.parse", "value"): values.map(json.dumps) | texts,
    ("json.fromEntries", "pairs"): st.lists(st.tuples(scalars, values).map(list), max_size=4),
    ("hash.fromBase64", "value"): short.map(lambda data: base64.b64encode(data).decode()) | texts,
    ("hash.fromHex", "value"): short.map(bytes.hex) | texts,
    ("hash.urlDecode", "value"): short.map(quote) | texts,
    ("text.slice", "start"): st.integers(-6, 6),
}

_context: Any = cast("Any", quickjs).Context()
_context.eval(f"(function (zones) {{{''.join(sources()[name] for name in (CORE, *FAMILIES))}}})")(zone_table())
_judge: Callable[[str, str], str] = _context.eval(
    """(source, input) => {
        globalThis.input = JSON.parse(input);
        try { return JSON.stringify({value: (0, eval)("(" + source + "\\n)")}); }
        catch (error) { return JSON.stringify({error: error.name + ": " + error.message}); }
    }"""
)


def in_quickjs(source: str, given: JSON = None) -> Mapping[str, JSON]:
    answer: Mapping[str, JSON] = json.loads(_judge(source, json.dumps(given)))
    return answer or {"value": None}


def natively(function: Function, given: list[JSON]) -> Mapping[str, JSON]:
    try:
        return {"value": to_json(function.call(cast("list[Value]", given)))}
    except NeedsSandbox:
        assume(False)
        raise
    except EvaluationError as error:
        return {"error": error.message}


def doubles(value: JSON) -> JSON:
    """Every number as JavaScript has it, lists kept in order, objects too."""
    match value:
        case bool() | None | str():
            return value
        case int() | float():
            return float(value)
        case Mapping():
            return {key: doubles(member) for key, member in value.items()}
        case _:
            return [doubles(item) for item in value]


def argument(data: st.DataObject, name: str, parameter: Parameter, *, careful: bool) -> JSON:
    """Usually of the right kind; when not careful, anything."""
    if not careful and data.draw(st.booleans()):
        return data.draw(scalars)
    if not parameter.required and data.draw(st.integers(0, 3)) == 3:
        return None
    takes = parameter.takes
    fitting = st.sampled_from(takes.options) if isinstance(takes, Choice) else BY_KIND[takes]
    return data.draw(BY_PARAMETER.get((name, parameter.name), fitting))


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
@settings(max_examples=80, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_function_gives_and_refuses_natively_what_it_does_in_quickjs(name: str, data: st.DataObject) -> None:
    function = FUNCTIONS[name]
    careful = data.draw(st.integers(0, 7)) > 0
    given = [argument(data, name, parameter, careful=careful) for parameter in function.parameters]

    assert doubles(natively(function, given)) == doubles(in_quickjs(f"{name}(...input)", given))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(moment=moments, pattern=st.sampled_from([*PATTERNS, "dd/MM/yyyy HH:mm:ss.SSSXXX"]), zone=st.sampled_from(ZONES))
def test_a_date_written_by_a_pattern_is_read_back_alike(moment: JSON, pattern: str, zone: str) -> None:
    text = natively(FUNCTIONS["date.format"], [moment, pattern, zone]).get("value")
    given: list[JSON] = [text, pattern, zone]

    assert doubles(natively(FUNCTIONS["date.parse"], given)) == doubles(in_quickjs("date.parse(...input)", given))


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_the_example_of_a_function_is_true_both_ways(name: str) -> None:
    source, value = FUNCTIONS[name].example
    expression = compile_expression(source)

    assert expression.native
    assert evaluate(expression, {}) == value
    assert in_quickjs(source) == {"value": value}
    assert name in source


def test_both_sides_have_the_same_functions() -> None:
    for family in FAMILIES:
        there = in_quickjs(f"Object.keys({family})")["value"]
        assert sorted(cast("list[str]", there)) == sorted(
            function.name for function in FUNCTIONS.values() if function.family == family
        )


def test_the_page_about_functions_says_what_they_say() -> None:
    assert PAGE.read_text() == markdown(), (
        "write domain.expressions.functions.documentation.markdown() to docs/functions.md"
    )


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    name=st.sampled_from([zone for zone in ZONES if "/" in zone and zone[0].isupper() and "Mars" not in zone]),
    second=st.integers(-4_000_000_000, 8_000_000_000),
)
def test_the_table_of_zones_knows_every_offset_the_machine_knows(name: str, second: int) -> None:
    offset = datetime.fromtimestamp(second, ZoneInfo(name)).utcoffset()
    assert offset is not None

    assert zone_of(name).offset(second * 1000) == offset.total_seconds()
    written = in_quickjs("date.fromTimestamp(...input)", [second * 1000, name])["value"]
    assert datetime.fromisoformat(cast("str", written)).utcoffset() == offset


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("text.upper(input.name) + '!'", "ADA!"),
        ("list.sortBy(input.lines, 'price')[0].sku", "b"),
        ("list.map(input.lines, 'price').length", 2),
        ("number.sum(list.map(input.lines, 'price')) > 6 ? 'dear' : 'cheap'", "dear"),
        ("date.parts(now).year", 2026),
        ("json.get(input, 'lines.1.sku', 'none')", "b"),
        ("({text: json.omit(input, ['lines'])})", {"text": {"name": "Ada"}}),
        ("[text.length(`${input.name}`)]", [3]),
    ],
)
def test_functions_stand_anywhere_in_a_native_expression(source: str, value: JSON) -> None:
    lines: JSON = [{"sku": "a", "price": 5}, {"sku": "b", "price": 2}]
    scope: Mapping[str, JSON] = {"input": {"name": "Ada", "lines": lines}, "now": "2026-11-21T09:00:00+00:00"}
    expression = compile_expression(source)

    assert expression.native
    assert evaluate(expression, scope) == value


@pytest.mark.parametrize(
    ("source", "families"),
    [
        ("input.map(text.upper)", {"text"}),
        ("list.sortBy(input, x => -x.price)", {"list"}),
        ("typeof date", {"date"}),
        ("(text => text.length)(input)", {"text"}),
        ("input.map(x => x.a)", set[str]()),
        ("eval(input)", set(FAMILIES)),
    ],
)
def test_what_only_the_sandbox_can_say_names_the_families_it_needs(source: str, families: set[str]) -> None:
    assert compile_expression(source).native is False or source.startswith("typeof")
    assert families_in(source) == families


def test_in_the_sandbox_a_key_may_be_a_function() -> None:
    people: JSON = [{"n": "Ada", "y": 1815}, {"n": "Alan", "y": 1912}]

    assert in_quickjs("list.map(list.sortBy(input, p => -p.y), p => text.upper(p.n))", people) == {
        "value": ["ALAN", "ADA"]
    }
    assert in_quickjs("list.groupBy(input, (p, at) => at % 2 ? 'odd' : 'even')", people) == {
        "value": {"even": [{"n": "Ada", "y": 1815}], "odd": [{"n": "Alan", "y": 1912}]}
    }


def test_a_function_that_does_not_exist_is_refused_when_it_is_written() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression("1 + text.uper(input)")

    assert (caught.value.message, caught.value.position) == (
        "There is no function text.uper; did you mean text.upper?",
        9,
    )


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("text.upper(input.missing)", "TypeError: text.upper: value should be text, not null"),
        ("list.join('a')", "TypeError: list.join: items should be a list, not text"),
        ("number.round(1, 0.5)", "TypeError: number.round: digits should be a whole number, not 0.5"),
        ("number.sum(['1'])", "RangeError: number.sum: an element is no number"),
        ("date.add('2026-13-01', 1, 'day')", "TypeError: date.add: value should be a date, not text"),
        ("date.toZone('2026-01-01', 'Mars/X')", "TypeError: date.toZone: zone should be a time zone, not text"),
        ("date.add('9999-12-31', 1, 'year')", "RangeError: date.add: the date is outside the years 1 to 9999"),
        ("text.repeat('ab', 600000)", "RangeError: an expression makes strings of at most 1,048,576 characters"),
        ("hash.md5('a', 'utf7')", "TypeError: hash.md5: encoding should be one of hex, base64, base64url, not text"),
        ("json.parse('{')", "RangeError: json.parse: the text is no JSON"),
    ],
)
def test_what_a_function_cannot_do_it_says_in_the_same_words_both_ways(source: str, message: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        evaluate(compile_expression(source), {"input": {}})

    assert caught.value.message == message
    assert in_quickjs(source, {}) == {"error": message}


def test_large_values_and_many_calls_are_left_to_the_sandbox_where_the_clock_runs() -> None:
    large: Mapping[str, JSON] = {"input": {"text": "x" * 70_000, "list": list(range(6_000))}}
    for source in ("hash.sha256(input.text)", "list.reverse(input.list)", "json.stringify(input)"):
        with pytest.raises(NeedsSandbox):
            evaluate(compile_expression(source), large)

    assert compile_expression("+".join(["text.length('')"] * 20)).native
    assert not compile_expression("+".join(["text.length('')"] * 21)).native


def test_a_name_of_the_scope_hides_a_family() -> None:
    with pytest.raises(NeedsSandbox):
        evaluate(compile_expression("text.upper('a')"), {"text": 1})


@pytest.mark.parametrize(
    ("expression", "given"),
    [
        ("input.map(day => date.format(day, 'EEE HH:mm XXX', 'Europe/Berlin'))", ["2026-03-29T01:00:00Z"]),
        ("[hash.md5(text.repeat(input, 70000)) === hash.md5(input) ? 'same' : 'Sun 03:00 +02:00']", "x"),
    ],
)
async def test_the_real_sandbox_has_the_functions_and_the_zones(expression: str, given: JSON) -> None:
    async with node_world() as world:
        outcome = await world.run("transform", {"operation": "expression", "expression": expression}, input=given)

    assert outcome == Completed(output=["Sun 03:00 +02:00"])
