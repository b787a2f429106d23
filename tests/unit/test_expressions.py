"""Expressions and templates: what is native, what is refused, and how values take their places."""

import time
from typing import cast

import pytest

from domain.errors import ErrorCode
from domain.expressions import (
    EvaluationError,
    Expression,
    ExpressionError,
    NeedsSandbox,
    compile_condition,
    compile_expression,
    compile_value,
    evaluate,
    truthy,
)
from domain.json import JSON, JSONObject

SCOPE: JSONObject = {
    "input": {"name": "Ada", "price": 12.5, "tags": ["a", "b"], "big": 9007199254740993, "none": None, "x-y": 1},
    "vars": {"limit": 10},
    "index": 0,
}


def _value(source: str, scope: JSONObject = SCOPE) -> JSON:
    return evaluate(compile_expression(source), scope)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("input.name", "Ada"),
        ("input['x-y']", 1),
        ("input.tags[1]", "b"),
        ("input.tags.length", 2),
        ("input.missing", None),
        ("input.missing?.deeper.still", None),
        ("item", None),
        ("input.price * 2", 25),
        ("input.price > vars.limit ? 'dear' : 'cheap'", "dear"),
        ("input.nick ?? input.name", "Ada"),
        ("'name' in input && !('nick' in input)", True),
        ("`${input.name}: ${input.tags}`", "Ada: a,b"),
        ("[index, undefined, {n: input.none, u: undefined, [input.name]: 1}]", [0, None, {"n": None, "Ada": 1}]),
        ("1 / 0", None),
        ("'a' - 1", None),
        ("typeof nowhere", "undefined"),
        ("/* why */ 1 // one", 1),
        ("2 ** 3 ** 2", 512),
        ("0.1 + 0.2", 0.30000000000000004),
        ("input.big + 0", 9007199254740992),
    ],
)
def test_the_native_subset_gives_values(source: str, value: JSON) -> None:
    expression = compile_expression(source)
    assert expression.native
    assert evaluate(expression, SCOPE) == value


def test_whole_results_are_ints() -> None:
    assert [type(_value(source)) for source in ("4 / 2", "-0", "1e3", "4.5")] == [int, int, int, float]


def test_a_path_gives_the_very_value_untouched() -> None:
    tags = cast("JSONObject", SCOPE["input"])["tags"]
    assert _value("input.tags") is tags
    assert _value("input.big") == 9007199254740993
    assert _value("[input.tags]") == [tags]
    assert str(_value("input", {"input": 1.0})) == "1.0"


@pytest.mark.parametrize(
    "source",
    [
        "input.tags.map(tag => tag + 1)",
        "input.name.toUpperCase()",
        "new Date(now)",
        "let x = 1; x",
        "if (input) { 1 }",
        "/^a/.test(input.name)",
        "Math.PI",
        "a => a",
        "[...input.tags]",
        "{...input}",
        "[1, , 2]",
        "{get x() { return 1 }}",
        "{__proto__: input}",
        "input.a = 1",
        "index++",
        "1n",
        "1_000",
        "1 | 2",
        "1, 2",
        "void 0",
        "input?.name()",
        "input instanceof Object",
        "a\nb",
        "'\\07'",
        "String`x`",
        "if (1) /[(]/.test('(')",
    ],
)
def test_the_rest_of_javascript_needs_the_sandbox(source: str) -> None:
    expression = compile_expression(source)
    assert not expression.native
    with pytest.raises(NeedsSandbox):
        evaluate(expression, SCOPE)


@pytest.mark.parametrize(
    ("source", "message", "position"),
    [
        ("", "The expression is empty", 0),
        (" // nothing", "The expression is empty", 0),
        ("input.", "A property name is missing", 6),
        ("input.a +", "A value is missing", 9),
        ("input.a == == 2", "A value is missing before '=='", 11),
        ("input.a input.b", "'input' is not expected here", 8),
        ("input.a and input.b", "'and' is not expected here", 8),
        ("input.a ? 1", "':' is missing", 11),
        ("(1", "This '(' is not closed", 0),
        ("[1)", "This ')' closes nothing", 2),
        ("1 }", "This '}' closes nothing", 2),
        ("'abc", "This string is not closed", 0),
        ("`abc", "This template literal is not closed", 0),
        ("`${1`", "This template literal is not closed", 4),
        ("/* abc", "This regular expression or comment is not closed", 0),
        ("-1 ** 2", "Put brackets around what stands left of '**'", 3),
        ("1 ?? 2 || 3", "Put brackets around '??' beside '&&' or '||'", 7),
        ("1 && 2 ?? 3", "Put brackets around '??' beside '&&' or '||'", 7),
        ("(" * 101 + "1" + ")" * 101, "Brackets are nested more than 100 deep", 100),
        ("!" * 101 + "1", "This is nested more than 100 deep", 100),
        ("1" * 10_001, "An expression has at most 10,000 characters, this one 10,001", 10_000),
    ],
)
def test_what_is_no_javascript_is_refused_where_it_shows(source: str, message: str, position: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(source)
    error = caught.value
    assert (error.message, error.position, error.source) == (message, position, source)
    assert error.code is ErrorCode.VALIDATION


def test_long_chains_are_no_nesting() -> None:
    assert _value("1" + " + 1" * 2_400) == 2_401
    assert _value("input" + "?.a" * 3_000) is None
    assert _value("index || " * 1_000 + "'end'") == "end"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("input.missing.deeper", "TypeError: cannot read property 'deeper' of undefined"),
        ("input.none[0]", "TypeError: cannot read property '0' of null"),
        ("nowhere", "ReferenceError: 'nowhere' is not defined"),
        ("'a' in 'abc'", "TypeError: invalid 'in' operand"),
        ("'' + {toString: 1}", "TypeError: cannot convert object to primitive value"),
    ],
)
def test_errors_speak_as_javascript_does(source: str, message: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        _value(source)
    assert (caught.value.message, caught.value.source) == (message, source)
    assert str(caught.value) == f"{message} in {source!r}"


def test_built_ins_of_a_value_are_left_to_the_sandbox() -> None:
    for source in ("input.constructor", "input.tags.map", "input.name.trim", "index.toFixed", "input['__proto__']"):
        with pytest.raises(NeedsSandbox):
            _value(source)
    assert _value("input.map", {"input": {"map": 1}}) == 1
    assert _value("input.map", {"input": {}}) is None


def test_work_and_results_are_bounded() -> None:
    scope: JSONObject = {"input": {"text": "x" * 1_048_576, "list": list(range(2_000)), "emoji": "😀" * 70_000}}
    with pytest.raises(EvaluationError, match="RangeError: an expression makes strings of at most 1,048,576"):
        _value("input.text + 'y'", scope)
    for source in ("input.list + ''", "+input.text", "input.emoji.length"):
        with pytest.raises(NeedsSandbox):
            _value(source, scope)
    for text in ("{{ input.text }}{{ 1 }}", "a {{ [input.text] }}"):
        with pytest.raises(EvaluationError, match="RangeError: an expression makes strings of at most"):
            compile_value(text).render(scope)


def test_deeply_nested_input_fails_instead_of_overflowing() -> None:
    deep: JSON = []
    for _ in range(50_000):
        deep = [deep]
    with pytest.raises(EvaluationError, match="nested too deep"):
        compile_value("deep: {{ input }}").render({"input": deep})
    with pytest.raises(NeedsSandbox):
        _value("input + ''", {"input": deep})
    with pytest.raises(ExpressionError, match="nested too deep"):
        compile_value(deep)


def test_the_paths_an_expression_reads_are_known() -> None:
    assert compile_expression("steps.a.output[0].b + vars['x'] + input[index].c").paths == {
        ("steps", "a", "output", "0", "b"),
        ("vars", "x"),
        ("input",),
        ("index",),
    }
    assert compile_expression("typo?.x && {a: `${now}`}").paths == {("typo", "x"), ("now",)}
    assert compile_expression("steps.a.output.map(x => x.input + vars.y + `${item.z}`)").paths == {
        ("steps", "a", "output", "map"),
        ("vars", "y"),
        ("item", "z"),
    }
    assert ("trigger",) in compile_expression("f(globalThis)").paths


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ input.tags }}", ["a", "b"]),
        ("  {{input.price}}\n", 12.5),
        ("{{ input.name }} pays {{ input.price }}", "Ada pays 12.5"),
        ("<{{ input.none }}{{ input.missing }}{{ 0 / 0 }}>", "<>"),
        ("{{ true }} {{ 1e21 }} {{ 1e-7 }} {{ input.big }}", "true 1e+21 1e-7 9007199254740993"),
        ("tags: {{ input.tags }}", 'tags: ["a","b"]'),
        ("{{ {a: {b: [1.5, null, 'é\\n\"']}} }}!", '{"a":{"b":[1.5,null,"é\\n\\""]}}!'),
        ("{{ {} }}{{ [] }}", "{}[]"),
        ("{{ {a:{b:1}} }}", {"a": {"b": 1}}),
        ("{{ '}}' + `}}` }}", "}}}}"),
        ("{{ '{{' }}", "{{"),
        ("{{ 1 // one }}", 1),
        ("a }} b { c", "a }} b { c"),
        ("", ""),
    ],
)
def test_a_text_is_filled_in(text: str, value: JSON) -> None:
    assert compile_value(text).render(SCOPE) == value


def test_templates_are_found_anywhere_in_a_value() -> None:
    value: JSON = {
        "url": "/{{ input.name }}",
        "list": [1, "{{ index }}", {"deep": "{{ vars.limit }}"}],
        "{{ key }}": None,
    }
    template = compile_value(value)
    assert (template.constant, template.native, len(template.expressions)) == (False, True, 3)
    filled: JSON = {"url": "/Ada", "list": [1, 0, {"deep": 10}], "{{ key }}": None}
    assert template.render(SCOPE) == filled
    assert template.fill(["Ada", 0, 10]) == filled


def test_a_constant_is_given_back_itself() -> None:
    value: JSON = {"a": [1, {"b": "plain"}]}
    template = compile_value(value)
    assert template.constant
    assert template.render({}) is value
    mixed = compile_value({"same": value, "other": "{{ index }}"}).render(SCOPE)
    assert cast("JSONObject", mixed)["same"] is value


def test_a_template_with_a_richer_expression_is_filled_not_rendered() -> None:
    template = compile_value(["{{ input.name.trim() }}", "{{ index }}"])
    assert not template.native
    assert [expression.native for expression in template.expressions] == [False, True]
    assert template.fill(["Bob", 1]) == ["Bob", 1]
    with pytest.raises(NeedsSandbox):
        template.render(SCOPE)


def test_a_wrong_template_is_refused_with_its_place_in_the_value() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_value({"body": [{"to": "x"}, {"to": "Dear {{ input. }}"}]})
    assert (caught.value.path, caught.value.message) == (("body", "1", "to"), "A property name is missing")
    with pytest.raises(ExpressionError, match="no '}}' to close this") as caught:
        compile_value("a {{ b")
    assert caught.value.position == 2


@pytest.mark.parametrize("text", ["input.price > 10", "{{ input.price > 10 }}", " {{input.price > 10}} "])
def test_a_condition_is_written_with_or_without_braces(text: str) -> None:
    assert evaluate(compile_condition(text), SCOPE) is True


def test_a_condition_is_one_expression() -> None:
    assert evaluate(compile_condition("{{ {a: {b: 1}}.a.b }}"), {}) == 1
    for text in ("{{ input.price }} > 10", "{{ input.price"):
        with pytest.raises(ExpressionError, match="A condition is one expression"):
            compile_condition(text)


def test_truth_is_that_of_javascript() -> None:
    values: list[JSON] = [None, False, 0, 0.0, float("nan"), "", True, 1, -1.5, "0", "false", [], {}]
    assert [truthy(value) for value in values] == [False] * 6 + [True] * 7


def test_equal_sources_are_compiled_once() -> None:
    first: Expression = compile_expression("input.name + '!'")
    assert compile_expression("input.name + '!'") is first


def test_a_path_is_read_in_about_a_microsecond() -> None:
    template = compile_value("{{ input.name }}")
    started = time.perf_counter()
    for _ in range(10_000):
        template.render(SCOPE)
    assert time.perf_counter() - started < 0.2
