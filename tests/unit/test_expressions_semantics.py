"""Native evaluation and QuickJS agree, on any expression of the native subset and any scope."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import pytest
import quickjs
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from domain.expressions import ROOTS, EvaluationError, NeedsSandbox, compile_expression, evaluate
from domain.expressions.coercion import number_text
from domain.json import JSON

BINARY = ["+", "-", "*", "/", "%", "**", "==", "!=", "===", "!==", "<", "<=", ">", ">=", "&&", "||", "??", "in"]
KEYS = ["a", "b", "0", "1", "length", "toString", "valueOf", "name"]
TEXTS = [
    "",
    "a",
    "b",
    "0",
    "1",
    "01",
    " 12 ",
    "1e3",
    "0x1F",
    "-0",
    "Infinity",
    "NaN",
    "null",
    "😀",
    "\uffee",
    "é",
    "a😀b",
]
NUMBERS = [0, 1, -1, 2, 3, 0.1, 1.5, -2.5, 1e21, 1e-7, 123456789012, 2**53, 2**53 + 1, 10**19, 1.7976931348623157e308]

numbers = st.sampled_from(NUMBERS) | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | st.sampled_from(TEXTS) | st.text(max_size=3)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)
scopes = st.dictionaries(st.sampled_from(["input", "item", "vars", "index"]), values)


def _literal(value: JSON) -> str:
    return json.dumps(value)


def _longer(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    binary = st.sampled_from(BINARY)
    plain = st.sampled_from("+-*/%<")
    key = st.sampled_from(KEYS)
    return st.one_of(
        st.builds("({}) {} ({})".format, inner, binary, inner),
        st.builds("({}) {} ({}) {} ({})".format, inner, plain, inner, plain, inner),
        st.builds("{} {}".format, st.sampled_from(["-", "+", "!", "typeof"]), inner.map("({})".format)),
        st.builds("({}) ? {} : {}".format, inner, inner, inner),
        st.builds("({})[{}]".format, inner, inner),
        st.builds("({})?.[{}].a".format, inner, inner),
        st.builds("({}){}{}".format, inner, st.sampled_from([".", "?."]), key.filter(str.isalpha)),
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.builds("({{{}: {}, [{}]: 1}})".format, key, inner, inner),
        st.builds("`<${{{}}}|${{{}}}>`".format, inner, inner),
    )


def _path(root: str, keys: Sequence[str]) -> str:
    return root + "".join(keys)


paths = st.builds(
    _path,
    st.sampled_from(["input", "item", "vars", "index"]),
    st.lists(st.sampled_from([".a", ".b", "?.a", "[0]", "['1']", ".length", "?.[1]"]), max_size=3),
)
atoms = (
    paths
    | scalars.map(_literal)
    | st.sampled_from(
        ["undefined", "NaN", "Infinity", "nowhere", "[]", "({})", "0x1f", "1.e2", ".5", "'\\u{1f600}\\x41'"]
    )
)
sources = st.recursive(atoms, _longer, max_leaves=6)

_context: Any = cast("Any", quickjs).Context()
_judge: Callable[[str, str, str], str] = _context.eval(
    """(source, scope, roots) => {
        for (const root of roots.split(" ")) globalThis[root] = undefined;
        Object.assign(globalThis, JSON.parse(scope));
        try { return JSON.stringify({value: (0, eval)("(" + source + "\\n)")}); }
        catch (error) { return JSON.stringify({error: error.name}); }
    }"""
)


def _by_quickjs(source: str, scope: Mapping[str, JSON]) -> Mapping[str, JSON]:
    answer: Mapping[str, JSON] = json.loads(_judge(source, json.dumps(scope), " ".join(ROOTS)))
    return answer or {"value": None}


def _doubles(value: JSON) -> JSON:
    """The value as JavaScript holds it: every number a double, every lone surrogate replaced as ours are."""
    match value:
        case bool() | None:
            return value
        case int() | float():
            return float(value)
        case str():
            return re.sub("[\ud800-\udfff]", "\ufffd", value)
        case Mapping():
            return {cast("str", _doubles(key)): _doubles(item) for key, item in value.items()}
        case Sequence():
            return [_doubles(item) for item in value]


def _natively(source: str, scope: Mapping[str, JSON]) -> Mapping[str, JSON]:
    expression = compile_expression(source)
    assert expression.native, source
    try:
        return {"value": evaluate(expression, scope)}
    except NeedsSandbox:
        assume(False)
        raise
    except EvaluationError as error:
        return {"error": error.message.partition(":")[0]}


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(source=sources, scope=scopes)
@example(source="input === 9007199254740992", scope={"input": 2**53 + 1})
@example(source="'\\ud83d' + '\\ude00' === '😀'", scope={})
@example(source="'\\ud83d' < '\\uffee' === '😀' < '\\uffee'", scope={})
@example(source="(-8) ** (1/3)", scope={})
@example(source="[[], [1, [null, undefined]], {}] + ''", scope={})
def test_a_native_expression_gives_what_quickjs_gives(source: str, scope: Mapping[str, JSON]) -> None:
    assert _doubles(_natively(source, scope)) == _doubles(_by_quickjs(source, scope))


@settings(max_examples=500, deadline=None, derandomize=True)
@given(number=st.floats(allow_nan=False))
def test_numbers_become_text_as_in_javascript(number: float) -> None:
    ours, theirs = number_text(number), str(_context.eval(f"({json.dumps(number)}) + ''"))
    # QuickJS sometimes writes a digit more than ECMA-262 asks for, as for 2 ** -24
    assert ours == theirs or (float(ours) == float(theirs) == number and len(ours) < len(theirs))


@settings(max_examples=500, deadline=None, derandomize=True)
@given(text=st.text("0123456789.eE+-xXbB \n_Infity", max_size=8))
def test_text_becomes_a_number_as_in_javascript(text: str) -> None:
    assert _doubles(_natively("+input", {"input": text})) == _doubles(_by_quickjs("+input", {"input": text}))


NOTABLE = [
    "undefined",
    "null",
    "true",
    "false",
    "NaN",
    "Infinity",
    "-Infinity",
    "0",
    "-0",
    "1",
    "-1",
    "2",
    "3",
    "0.5",
    "-0.5",
    "1e308",
    "9007199254740993",
    "''",
    "'0'",
    "'1'",
    "'a'",
    "'b'",
    "'\\t2'",
    "'0x3'",
    "'null'",
    "'😀'",
    "'\\uffee'",
    "[]",
    "[0]",
    "[1,2]",
    "['a']",
    "({})",
    "({a:1})",
    "({1:'a'})",
]


@pytest.mark.parametrize("operator", BINARY)
def test_operators_agree_on_every_pair_of_notable_values(operator: str) -> None:
    for left in NOTABLE:
        for right in NOTABLE:
            source = f"({left}) {operator} ({right})"
            for shown in (source, f"1 / ({source})"):  # the second tells -0 from 0
                assert _doubles(_natively(shown, {})) == _doubles(_by_quickjs(shown, {})), shown


@pytest.mark.parametrize("operator", ["-", "+", "!", "typeof"])
def test_prefixes_agree_on_every_notable_value(operator: str) -> None:
    for operand in NOTABLE:
        source = f"{operator} ({operand})"
        assert _doubles(_natively(source, {})) == _doubles(_by_quickjs(source, {})), source
