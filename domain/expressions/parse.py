"""The grammar of the native subset: which JavaScript is evaluated without the sandbox."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final, NoReturn

from domain.expressions.coercion import UNDEFINED, Value, number_text
from domain.expressions.errors import Beyond, ExpressionError
from domain.expressions.functions import FAMILIES, FUNCTIONS
from domain.expressions.lex import MAX_DEPTH, Kind, Token, number_value, string_value
from domain.expressions.tree import (
    ArrayLiteral,
    Call,
    Chain,
    Conditional,
    Fold,
    Link,
    Literal,
    Name,
    Node,
    ObjectLiteral,
    TemplateText,
    Unary,
)

_PRECEDENCE: Final = {
    "??": 1, "||": 1, "&&": 2, "==": 3, "!=": 3, "===": 3, "!==": 3, "<": 4, "<=": 4, ">": 4, ">=": 4, "in": 4,
    "+": 5, "-": 5, "*": 6, "/": 6, "%": 6, "**": 7,
}  # fmt: skip
_PUNCTUATOR, _WORD = Kind.PUNCTUATOR, Kind.NAME
_NOT_MIXED: Final = frozenset({"**", "??", "&&", "||"})
_PREFIXES: Final = frozenset({"-", "+", "!", "typeof"})
_NEVER_FIRST: Final = frozenset(_PRECEDENCE) - {"+", "-", "/", "<", "in"} | {"?", ".", "?."}
_CONSTANTS: Final[dict[str, Value]] = {
    "true": True, "false": False, "null": None,
    "undefined": UNDEFINED, "NaN": float("nan"), "Infinity": float("inf"),
}  # fmt: skip
_RESERVED_WORDS = """
    arguments async await break case catch class const continue debugger default delete do else enum export
    extends finally for function if import in instanceof let new return static super switch this throw try typeof
    var void while with yield"""
RESERVED: Final = frozenset(_RESERVED_WORDS.split())
_GLOBAL_NAMES = """
    AggregateError Array ArrayBuffer Atomics BigInt BigInt64Array BigUint64Array Boolean DataView Date Error
    EvalError Float32Array Float64Array Function Int16Array Int32Array Int8Array InternalError JSON Map Math Number
    Object Promise Proxy RangeError ReferenceError Reflect RegExp Set SharedArrayBuffer String Symbol SyntaxError
    TypeError URIError Uint16Array Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakSet decodeURI
    decodeURIComponent encodeURI encodeURIComponent escape eval globalThis isFinite isNaN parseFloat parseInt
    unescape"""
GLOBALS: Final = frozenset(_GLOBAL_NAMES.split())

_PLAIN_PATH: Final = re.compile(r" *([A-Za-z_$][A-Za-z0-9_$]*(?:\.[A-Za-z_$][A-Za-z0-9_$]*)*) *")
MAX_CALLS: Final = 20
"""More calls of functions in one expression are left to the sandbox, where time is limited."""


def plain_path(source: str) -> tuple[str, ...]:
    """The name and the keys after dots that the source is made of, as most are; empty where it is more than that."""
    found = _PLAIN_PATH.fullmatch(source)
    if found is None:
        return ()
    path = tuple(found[1].split("."))
    root = path[0]
    return () if root in _CONSTANTS or root in RESERVED or root in GLOBALS or root in FAMILIES else path


def parse(tokens: Sequence[Token], source: str) -> Node:
    """The tree of a whole expression.

    Raises Beyond for what only the sandbox can judge, ExpressionError for what is surely no JavaScript.
    """
    parser = _Parser(tokens, source)
    node = parser.expression()
    parser.finish()
    return node


class _Parser:
    def __init__(self, tokens: Sequence[Token], source: str, depth: int = 0) -> None:
        self._tokens = tokens
        self._source = source
        self._index = 0
        self._depth = depth
        self._calls = 0

    def expression(self) -> Node:
        self._enter()
        test = self._binary(1)
        if self._accept("?"):
            then = self.expression()
            self._expect(":")
            test = Conditional(test, then, self.expression())
        self._depth -= 1
        return test

    def finish(self) -> None:
        token = self._peek()
        if token.kind is Kind.END:
            return
        if token.kind in (Kind.NAME, Kind.NUMBER, Kind.STRING) and not token.new_line and token.text not in RESERVED:
            self._fail(f"{token.text[:40]!r} is not expected here", token)
        raise Beyond

    def _binary(self, weakest: int) -> Node:
        start = self._peek()
        first = self._unary()
        rest: list[tuple[str, Node]] = []
        while (strength := _PRECEDENCE.get(self._operator(), 0)) >= weakest:
            token = self._next()
            self._refuse_mixture(token, start, rest)
            # "**" groups to the right; "??" takes no bare "&&" or "||" beside it
            above = {"**": strength, "??": 3}.get(token.text, strength + 1)
            self._enter()
            rest.append((token.text, self._binary(above)))
            self._depth -= 1
        return Fold(first, rest) if rest else first

    def _refuse_mixture(self, token: Token, start: Token, rest: Sequence[tuple[str, Node]]) -> None:
        if token.text not in _NOT_MIXED:
            return
        before = {operator for operator, _ in rest}
        if token.text == "**" and not rest and start.text in _PREFIXES and start.kind is not Kind.STRING:
            self._fail("Put brackets around what stands left of '**'", token)
        if (token.text == "??" and before & {"&&", "||"}) or (token.text in ("&&", "||") and "??" in before):
            self._fail("Put brackets around '??' beside '&&' or '||'", token)

    def _unary(self) -> Node:
        if self._tokens[self._index].text not in _PREFIXES:
            return self._chain()
        token = self._next()
        self._enter()
        operand = self._unary()
        self._depth -= 1
        return Unary(token.text, operand)

    def _chain(self) -> Node:
        base = self._primary()
        links: list[Link] = []
        tokens = self._tokens
        while True:
            if tokens[self._index].text == "." and tokens[self._index + 1].kind is _WORD:
                links.append(Link(Literal(tokens[self._index + 1].text), False))  # by far the most frequent
                self._index += 2
            elif self._accept("."):
                links.append(Link(self._property(), False))
            elif self._accept("?."):
                key = self._index_key() if self._accept("[") else self._property()
                links.append(Link(key, True))
            elif self._accept("["):
                links.append(Link(self._index_key(), False))
            elif self._operator() == "(" or self._peek().kind is Kind.TEMPLATE:
                raise Beyond
            else:
                return Chain(base, links) if links else base

    def _property(self) -> Node:
        token = self._next()
        if token.kind is Kind.NAME:
            return Literal(token.text)
        if token.kind is Kind.END:
            self._fail("A property name is missing", token)
        raise Beyond

    def _index_key(self) -> Node:
        key = self.expression()
        self._expect("]")
        return key

    def _primary(self) -> Node:
        token = self._next()
        if token.kind is _WORD:
            return self._call(token) if token.text in FAMILIES else _name(token.text)
        match token.kind:
            case Kind.NUMBER:
                return Literal(number_value(token.text))
            case Kind.STRING:
                return Literal(string_value(token.text[1:-1]))
            case Kind.TEMPLATE:
                return self._template(token)
            case _:
                return self._bracketed(token)

    def _call(self, family: Token) -> Node:
        """`family.name(…)`; the sandbox judges whatever else is done with a family."""
        if not self._accept("."):
            raise Beyond
        token = self._next()
        if token.kind is not Kind.NAME or not self._accept("("):
            raise Beyond
        name = f"{family.text}.{token.text}"
        if name not in FUNCTIONS:
            close = get_close_matches(name, FUNCTIONS, n=1)
            self._fail(f"There is no function {name[:60]}{f'; did you mean {close[0]}?' if close else ''}", token)
        self._calls += 1
        if self._calls > MAX_CALLS:
            raise Beyond
        return Call(name, self._arguments())

    def _arguments(self) -> Sequence[Node]:
        arguments: list[Node] = []
        while not self._accept(")"):
            arguments.append(self.expression())
            if self._operator() != ")":
                self._expect(",")
        return arguments

    def _bracketed(self, token: Token) -> Node:
        match token.text:
            case "(":
                node = self.expression()
                self._expect(")")
                return node
            case "[":
                return self._array()
            case "{":
                return self._object()
            case _:
                if token.kind is Kind.END:
                    self._fail("A value is missing", token)
                if token.text in _NEVER_FIRST:
                    self._fail(f"A value is missing before {token.text!r}", token)
                raise Beyond

    def _array(self) -> Node:
        items: list[Node] = []
        while not self._accept("]"):
            items.append(self.expression())
            if self._operator() != "]":
                self._expect(",")
        return ArrayLiteral(items)

    def _object(self) -> Node:
        items: list[tuple[Node, Node]] = []
        while not self._accept("}"):
            items.append(self._member())
            if self._operator() != "}":
                self._expect(",")
        return ObjectLiteral(items)

    def _member(self) -> tuple[Node, Node]:
        token = self._next()
        key: Node
        if token.kind is Kind.NAME:
            key = Literal(token.text)
            if self._operator() in (",", "}"):
                return key, _name(token.text)
        elif token.kind is Kind.STRING:
            key = Literal(string_value(token.text[1:-1]))
        elif token.kind is Kind.NUMBER:
            key = Literal(number_text(number_value(token.text)))
        elif token.text == "[":
            key = self._index_key()
            self._expect(":")
            return key, self.expression()
        else:
            raise Beyond
        self._expect(":")
        if key == Literal("__proto__"):
            raise Beyond  # sets the prototype
        return key, self.expression()

    def _template(self, token: Token) -> Node:
        parts: list[Node] = []
        for part in token.parts:
            if isinstance(part, str):
                parts.append(Literal(string_value(part.replace("\r\n", "\n").replace("\r", "\n"))))
            else:
                inner = _Parser(part, self._source, self._depth)
                parts.append(inner.expression())
                inner.finish()
        return TemplateText(parts)

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail(f"This is nested more than {MAX_DEPTH} deep", self._peek())

    def _peek(self) -> Token:
        return self._tokens[self._index]

    def _operator(self) -> str:
        """The next token as it is written: no literal is written like a punctuator or a word."""
        return self._tokens[self._index].text

    def _next(self) -> Token:
        token = self._tokens[self._index]
        if token.kind is _WORD or token.kind is _PUNCTUATOR:
            self._index += 1
        elif token.kind is Kind.UNSURE:
            raise Beyond
        elif token.kind is not Kind.END:
            self._index += 1
        return token

    def _accept(self, text: str) -> bool:
        found = self._tokens[self._index].text == text
        self._index += found
        return found

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            if self._peek().kind is Kind.END:
                self._fail(f"{text!r} is missing", self._peek())
            raise Beyond

    def _fail(self, message: str, token: Token) -> NoReturn:
        raise ExpressionError(message, position=token.position, source=self._source)


def _name(text: str) -> Node:
    if text in _CONSTANTS:
        return Literal(_CONSTANTS[text])
    if text in RESERVED or text in GLOBALS or text in FAMILIES:
        raise Beyond  # a family stands here only in `{text}`
    return Name(text)
