"""Config values with `{{ }}` in them: finding the expressions, and putting their values in place."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring  # quotes a string as JSON.stringify does, in C
from math import isfinite
from typing import Final, TypeAlias, cast

from domain.expressions.coercion import MAX_TEXT, number_text, too_long
from domain.expressions.compile import Expression, Scope, compile_expression, evaluate
from domain.expressions.errors import EvaluationError, ExpressionError
from domain.expressions.lex import closing_braces
from domain.json import JSON, is_list

MAX_VALUE_DEPTH: Final = 200
_Build: TypeAlias = Callable[[Sequence[JSON]], JSON]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A config value whose `expressions` are to be replaced by their values; `constant` when there are none."""

    constant: bool
    expressions: tuple[Expression, ...]
    native: bool
    build: _Build = field(repr=False, compare=False)

    def render(self, scope: Scope) -> JSON:
        """The config value for this scope, a constant one being the object that was compiled.

        Raises EvaluationError; NeedsSandbox where an expression is not native or its values lead beyond.
        """
        return self.build([evaluate(expression, scope) for expression in self.expressions])

    def fill(self, values: Sequence[JSON]) -> JSON:
        """The config value given the values of `expressions`, in order. Raises EvaluationError for text too long."""
        return self.build(values)


def compile_value(value: JSON) -> Template:
    """Compiles any config value; every string in it may hold `{{ }}`, keys of objects are taken as they are.

    Raises ExpressionError, whose `path` leads to the string inside the value.
    """
    expressions: list[Expression] = []
    build = _builder(value, (), expressions)
    return Template(
        constant=build is None,
        expressions=tuple(expressions),
        native=all(expression.native for expression in expressions),
        build=build or (lambda values: value),
    )


def expressions_in(text: str) -> tuple[Sequence[str], Sequence[Expression]]:
    """The texts before, between and after the expressions of a text, and the expressions; raises ExpressionError."""
    expressions: list[Expression] = []
    return _split(text, expressions), expressions


def compile_condition(text: str) -> Expression:
    """Compiles a condition written with or without `{{ }}` around the whole. Raises ExpressionError."""
    bare = text.strip()
    if not bare.startswith("{{"):
        return compile_expression(text)
    end = closing_braces(bare, 2)
    if end != len(bare) - 2:
        raise ExpressionError("A condition is one expression, with {{ }} around all of it", position=0, source=text)
    return compile_expression(bare[2:end])


def _builder(value: JSON, path: tuple[str, ...], expressions: list[Expression]) -> _Build | None:
    """What makes the value from those of the expressions, which it collects; None for a constant."""
    if len(path) > MAX_VALUE_DEPTH:
        raise ExpressionError("This value is nested too deep", position=0, source="", path=path)
    if isinstance(value, str):
        return _text_builder(value, path, expressions) if "{{" in value else None
    if isinstance(value, Mapping):
        members = {key: _builder(item, (*path, key), expressions) for key, item in value.items()}
        return _object_builder(value, members) if any(members.values()) else None
    if is_list(value):
        items = cast("Sequence[JSON]", value)
        builds = [_builder(item, (*path, str(at)), expressions) for at, item in enumerate(items)]
        return _list_builder(items, builds) if any(builds) else None
    return None


def _object_builder(value: Mapping[str, JSON], members: Mapping[str, _Build | None]) -> _Build:
    parts = [(key, value[key], build) for key, build in members.items()]
    return lambda values: {key: build(values) if build else item for key, item, build in parts}


def _list_builder(value: Sequence[JSON], builds: Sequence[_Build | None]) -> _Build:
    parts = list(zip(value, builds, strict=True))
    return lambda values: [build(values) if build else item for item, build in parts]


def _text_builder(text: str, path: tuple[str, ...], expressions: list[Expression]) -> _Build:
    first = len(expressions)
    try:
        texts = _split(text, expressions)
    except ExpressionError as error:
        raise error.at(path) from None
    if len(texts) == 2 and not texts[0].strip() and not texts[1].strip():
        return lambda values: values[first]

    def build(values: Sequence[JSON]) -> JSON:
        parts, room = [texts[0]], MAX_TEXT
        for value, after in zip(values[first : first + len(texts) - 1], texts[1:], strict=True):
            written = text_of(value)
            room -= len(written)
            if room < 0:
                raise too_long()
            parts += (written, after)
        return "".join(parts)

    return build


def _split(text: str, expressions: list[Expression]) -> list[str]:
    """The texts before, between and after the expressions, which are compiled on the way."""
    texts: list[str] = []
    position = 0
    while (start := text.find("{{", position)) >= 0:
        end = closing_braces(text, start + 2)
        if end < 0:
            raise ExpressionError("There is no '}}' to close this '{{'", position=start, source=text)
        texts.append(text[position:start])
        expressions.append(compile_expression(text[start + 2 : end]))
        position = end + 2
    return [*texts, text[position:]]


def text_of(value: JSON) -> str:
    """How a value is written inside a text: null as nothing, lists and objects as JSON.

    Raises EvaluationError beyond 1,048,576 characters.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    parts: list[str] = []
    try:
        _write(value, parts, MAX_TEXT)
    except RecursionError:
        raise EvaluationError("RangeError: the value is nested too deep to become text") from None
    return "".join(parts)


def _write(value: JSON, parts: list[str], room: int) -> int:
    """Appends JSON as JSON.stringify writes it; answers how many characters are still allowed."""
    if room < 0:
        raise too_long()
    if isinstance(value, Mapping):
        for at, (key, item) in enumerate(value.items()):
            name = f"{',' if at else '{'}{encode_basestring(key)}:"
            parts.append(name)
            room = _write(item, parts, room - len(name))
        parts.append("}" if value else "{}")
        return room - 1
    if is_list(value):
        items = cast("Sequence[JSON]", value)
        for at, item in enumerate(items):
            parts.append("," if at else "[")
            room = _write(item, parts, room - 1)
        parts.append("]" if items else "[]")
        return room - 1
    parts.append(_scalar(value))
    return room - len(parts[-1])


def _scalar(value: JSON) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return number_text(value) if isinstance(value, float) and isfinite(value) else "null"
