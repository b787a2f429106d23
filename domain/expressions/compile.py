"""From source to something that can be run: native closures, or the note that the sandbox is needed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeAlias, assert_never, cast

from domain.expressions.coercion import (
    UNDEFINED,
    ListLiteral,
    ObjectLiteral,
    Value,
    to_json,
    to_text,
    truthy,
)
from domain.expressions.errors import Beyond, EvaluationError, ExpressionError, NeedsSandbox
from domain.expressions.functions import FUNCTIONS
from domain.expressions.lex import MAX_SOURCE, Kind, tokenize
from domain.expressions.operators import BINARY, UNARY, concatenate
from domain.expressions.parse import parse, plain_path
from domain.expressions.paths import ROOTS, read_paths, seeming_paths
from domain.expressions.properties import OBJECT_NAMES, key_text, read
from domain.expressions.tree import ArrayLiteral as ArrayNode
from domain.expressions.tree import Call, Chain, Conditional, Fold, Link, Literal, Name, Node, TemplateText, Unary
from domain.expressions.tree import ObjectLiteral as ObjectNode
from domain.json import JSON

Scope: TypeAlias = Mapping[str, JSON]
"""The names an expression sees, each with its JSON value."""

_CACHED_SOURCE: Final = 500
_Run: TypeAlias = Callable[[Scope], Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """A compiled expression.

    `paths` are the names it reads from the scope with the static keys that follow: `steps.a.output[0].b` is
    `("steps", "a", "output", "0", "b")`. For one that is not native they are found by looks alone and hold
    only names of ROOTS.
    """

    source: str
    native: bool
    paths: frozenset[tuple[str, ...]]
    run: Callable[[Scope], JSON] = field(repr=False, compare=False)


def compile_expression(source: str) -> Expression:
    """Compiles JavaScript written without `{{ }}`.

    Raises ExpressionError when the text is empty, longer than 10,000 characters, nested more than 100 deep,
    or surely no JavaScript.
    """
    if len(source) > MAX_SOURCE:
        message = f"An expression has at most {MAX_SOURCE:,} characters, this one {len(source):,}"
        raise ExpressionError(message, position=MAX_SOURCE, source=source)
    return _cached(source) if len(source) <= _CACHED_SOURCE else _compile(source)


def evaluate(expression: Expression, scope: Scope) -> JSON:
    """The value of a native expression; undefined, NaN and the infinities come out as null.

    Raises EvaluationError with JavaScript's message, NeedsSandbox when the values lead beyond the subset.
    """
    try:
        return expression.run(scope)
    except EvaluationError as error:
        error.source = expression.source
        raise
    except RecursionError:
        raise EvaluationError("InternalError: stack overflow", source=expression.source) from None


def _compile(source: str) -> Expression:
    path = plain_path(source)
    if path:
        return Expression(source=source, native=True, paths=frozenset((path,)), run=_plain(path))
    tokens = tokenize(source)
    if tokens[0].kind is Kind.END:
        raise ExpressionError("The expression is empty", position=0, source=source)
    try:
        node = parse(tokens, source)
    except Beyond:
        return Expression(source=source, native=False, paths=frozenset(seeming_paths(tokens)), run=_beyond)
    except RecursionError:
        raise ExpressionError("This is nested too deep", position=0, source=source) from None
    return Expression(source=source, native=True, paths=frozenset(read_paths(node)), run=_later(node))


_cached = lru_cache(maxsize=2048)(_compile)


def _beyond(_scope: Scope) -> JSON:
    raise NeedsSandbox("This expression is evaluated in the sandbox only")


def _later(node: Node) -> Callable[[Scope], JSON]:
    """What `_result` makes, made when it is first run: many an expression is only looked at."""
    made: Callable[[Scope], JSON] | None = None

    def run(scope: Scope) -> JSON:
        nonlocal made
        if made is None:
            made = _result(node)
        return made(scope)

    return run


def _result(node: Node) -> Callable[[Scope], JSON]:
    """What a whole expression gives: of a path the very value found, of anything else JSON."""
    if isinstance(node, Name):
        return _path(node.name, Chain(node, ()))
    if isinstance(node, Chain) and isinstance(node.base, Name):
        return _path(node.base.name, node)
    run = _closure(node)
    return lambda scope: to_json(run(scope))


def _plain(path: Sequence[str]) -> Callable[[Scope], JSON]:
    """What `_result` makes of a name and keys, but for what is hardly ever needed, which is made when it is."""
    root, names = path[0], path[1:]
    if not OBJECT_NAMES.isdisjoint(names):
        return _result(_chain(path))
    whole: list[Callable[[Scope], JSON]] = []

    def run(scope: Scope) -> JSON:
        try:
            value = scope[root]
            for name in names:
                value = cast("Mapping[str, JSON]", value)[name]
        except (KeyError, TypeError):
            if not whole:
                whole.append(_result(_chain(path)))
            return whole[0](scope)
        return value

    return run


def _chain(path: Sequence[str]) -> Node:
    base = Name(path[0])
    return Chain(base, [Link(Literal(key), False) for key in path[1:]]) if len(path) > 1 else base


def _path(root: str, node: Chain) -> Callable[[Scope], JSON]:
    slow = _linked(node)
    names = _names(node)

    def found(scope: Scope) -> JSON:
        value = slow(scope)
        return to_json(value) if value is UNDEFINED or isinstance(value, str) else value

    def run(scope: Scope) -> JSON:
        try:
            value = scope[root]
            for name in names:
                value = cast("Mapping[str, JSON]", value)[name]
        except (KeyError, TypeError):
            pass  # not objects all the way: undefined, a length, an error
        else:
            return value
        return found(scope)

    return run if len(names) == len(node.links) else found


def _names(node: Chain) -> Sequence[str]:
    """The keys when all are plain names that no prototype knows, else nothing."""
    keys = [link.key.value for link in node.links if isinstance(link.key, Literal)]
    names = [key for key in keys if isinstance(key, str) and key not in OBJECT_NAMES]
    return names if len(names) == len(node.links) else ()


def _closure(node: Node) -> _Run:
    match node:
        case Literal(value):
            return lambda scope: value
        case Name(name):
            return _variable(name)
        case Chain():
            return _linked(node)
        case Call(name, arguments):
            return _call(name, [_closure(argument) for argument in arguments])
        case Unary(operator, operand):
            return _unary(operator, operand)
        case Fold(first, rest):
            return _fold(first, rest)
        case Conditional():
            test, then, otherwise = _closure(node.test), _closure(node.then), _closure(node.otherwise)
            return lambda scope: then(scope) if truthy(test(scope)) else otherwise(scope)
        case ArrayNode(items):
            runs = [_closure(item) for item in items]
            return lambda scope: ListLiteral([cast("JSON", run(scope)) for run in runs])
        case ObjectNode(items):
            pairs = [(_closure(key), _closure(value)) for key, value in items]
            return lambda scope: ObjectLiteral(
                {key_text(key(scope)): cast("JSON", value(scope)) for key, value in pairs}
            )
        case TemplateText(parts):
            return _template([_closure(part) for part in parts])
        case _:
            assert_never(node)


def _variable(name: str) -> _Run:
    def run(scope: Scope) -> Value:
        try:
            return scope[name]
        except KeyError:
            if name in ROOTS:
                return UNDEFINED
            raise EvaluationError(f"ReferenceError: '{name}' is not defined") from None

    return run


def _linked(node: Chain) -> _Run:
    base = _closure(node.base)
    links = [(_closure(link.key), link.optional) for link in node.links]

    def run(scope: Scope) -> Value:
        value = base(scope)
        for key, optional in links:
            if optional and (value is None or value is UNDEFINED):
                return UNDEFINED
            value = read(value, key(scope))
        return value

    return run


def _call(name: str, arguments: Sequence[_Run]) -> _Run:
    function = FUNCTIONS[name]
    family = function.family

    def run(scope: Scope) -> Value:
        if family in scope:
            raise NeedsSandbox(f"{family!r} is a name of the scope here")
        return function.call([argument(scope) for argument in arguments])

    return run


def _unary(operator: str, operand: Node) -> _Run:
    apply, run = UNARY[operator], _closure(operand)
    if operator == "typeof" and isinstance(operand, Name):
        name = operand.name
        return lambda scope: apply(scope.get(name, UNDEFINED))
    return lambda scope: apply(run(scope))


def _fold(first: Node, rest: Sequence[tuple[str, Node]]) -> _Run:
    start = _closure(first)
    if len(rest) == 1 and rest[0][0] in BINARY:
        apply, operand = BINARY[rest[0][0]], _closure(rest[0][1])
        return lambda scope: apply(start(scope), operand(scope))
    steps = [_step(operator, _closure(operand)) for operator, operand in rest]

    def run(scope: Scope) -> Value:
        value = start(scope)
        for step in steps:
            value = step(value, scope)
        return value

    return run


def _step(operator: str, operand: _Run) -> Callable[[Value, Scope], Value]:
    match operator:
        case "&&":
            return lambda value, scope: operand(scope) if truthy(value) else value
        case "||":
            return lambda value, scope: value if truthy(value) else operand(scope)
        case "??":
            return lambda value, scope: operand(scope) if value is None or value is UNDEFINED else value
        case _:
            apply = BINARY[operator]
            return lambda value, scope: apply(value, operand(scope))


def _template(parts: Sequence[_Run]) -> _Run:
    def run(scope: Scope) -> Value:
        text = ""
        for part in parts:
            text = concatenate(text, to_text(part(scope)))
        return text

    return run
