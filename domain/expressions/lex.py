"""Cutting JavaScript source into tokens, and telling text that cannot be JavaScript at all."""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from domain.expressions.coercion import double, joined
from domain.expressions.errors import Beyond, ExpressionError

MAX_DEPTH: Final = 100
MAX_SOURCE: Final = 10_000
_NAME = r"[^\W\d][\w$]*|\$[\w$]*"
_BLANKS = r"[\t\v\f \xa0\ufeff\u1680\u2000-\u200a\u202f\u205f\u3000\n\r\u2028\u2029]"
_BLANK = re.compile(rf"(?:{_BLANKS}|//[^\n\r]*|/\*[\s\S]*?\*/)+")
_NEW_LINE = re.compile("[\n\r\u2028\u2029]")
_REGEX = re.compile(r"/(?![*/])(?:[^\\/\[\n\r]|\\.|\[(?:[^\]\\\n\r]|\\.)*\])+/[A-Za-z]*")
_NUMBER = r"0[xXoObB][0-9A-Za-z_]+|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?n?"
_ESCAPE = r"\\(?:\r\n|[\s\S])"
_STRING = rf'"(?:[^"\\\n\r]|{_ESCAPE})*"' + rf"|'(?:[^'\\\n\r]|{_ESCAPE})*'"
_PUNCTUATOR = (
    r">>>=|\*\*=|===|!==|>>>|<<=|>>=|&&=|\|\|=|\?\?=|\.\.\.|=>|==|!=|<=|>=|&&|\|\||\?\?|\?\.(?!\d)|\+\+|--|"
    r"[-+*/%&|^]=|\*\*|<<|>>|[\s\S]"
)
_TOKEN = re.compile(f"(?P<name>{_NAME})|(?P<number>{_NUMBER})|(?P<string>{_STRING})|(?P<punctuator>{_PUNCTUATOR})")
_SIMPLE_TOKEN = re.compile(f"(?P<blank>{_BLANKS}+)|{_TOKEN.pattern}")
_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}
_BRACKETS: Final = frozenset("()[]{}")
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$.,;:?!=<>()[]{}+-*%&|'\"")
"""What no blank begins with."""
_HIDING: Final = re.compile(r"[\"'`{/]")
"""What may hold a `}}` that closes nothing: strings, template literals, objects, comments, regular expressions."""
_WORDS_BEFORE_REGEX = "return typeof instanceof in of new delete void throw case do else yield await"
_BEFORE_REGEX: Final = frozenset(_WORDS_BEFORE_REGEX.split())


class Kind(StrEnum):
    NAME = "name"
    NUMBER = "number"
    STRING = "string"
    TEMPLATE = "template"
    PUNCTUATOR = "punctuator"
    REGEX = "regex"
    UNSURE = "unsure"
    END = "end"


_KINDS: Final = {kind.value: kind for kind in Kind}


class Token(NamedTuple):
    """`text` is as written; `parts` of a template literal are its texts and, between them, its tokens."""

    kind: Kind
    text: str
    position: int
    new_line: bool = False
    parts: "Sequence[str | Sequence[Token]]" = ()


def tokenize(source: str) -> list[Token]:
    """All tokens, ending with END, or with UNSURE where only a whole JavaScript parser could tell.

    Raises ExpressionError for brackets, strings, comments or template literals that do not close.
    """
    lexer = _Lexer(source)
    return lexer.run(0, closing="")[0] if "/" in source or "`" in source else lexer.simple()


def closing_braces(text: str, start: int) -> int:
    """Where the `}}` stands that closes an expression begun at `start`, or -1; brackets and strings count.

    Where they do not add up, or nothing that short is an expression, it is the nearest `}}`.
    """
    nearest = text.find("}}", start)
    if nearest < 0 or not _HIDING.search(text, start, nearest):
        return nearest
    try:
        tokens, end = _Lexer(text[start : start + MAX_SOURCE + 2]).run(0, closing="}}")
    except ExpressionError:
        return nearest
    return start + end if tokens[-1].kind is Kind.END else nearest


class _Lexer:
    def __init__(self, source: str) -> None:
        self._source = source
        self._guessed = False  # a slash after ")" or "}" was taken for a division

    def simple(self) -> list[Token]:
        """What `run` gives of a whole source in which nothing begins with a slash or a backquote, sooner."""
        tokens: list[Token] = []
        open_brackets: list[Token] = []
        new_line = False
        for found in _SIMPLE_TOKEN.finditer(self._source):
            text, kind = found.group(), _KINDS.get(found.lastgroup or "")
            if kind is None:
                new_line = _NEW_LINE.search(text) is not None
                continue
            if text in ('"', "'"):
                raise self._error("This string is not closed", found.start())
            token = Token(kind, text, found.start(), new_line)
            if text in _BRACKETS:
                self._match(token, open_brackets, 0)
            tokens.append(token)
            new_line = False
        self._refuse_open(open_brackets, "", 0)
        return [*tokens, Token(Kind.END, "", len(self._source))]

    def run(self, start: int, *, closing: str, depth: int = 0) -> tuple[list[Token], int]:
        """The tokens from `start` to `closing` outside all brackets (or to the end), and where that stands."""
        source, length = self._source, len(self._source)
        tokens: list[Token] = []
        open_brackets: list[Token] = []
        position = start
        try:
            while True:
                new_line = False
                if position < length and source[position] not in _PLAIN:
                    blank = _BLANK.match(source, position)
                    new_line = blank is not None and _NEW_LINE.search(blank.group()) is not None
                    position = blank.end() if blank else position
                if closing and not open_brackets and source.startswith(closing, position):
                    break
                if position >= length:
                    self._refuse_open(open_brackets, closing, start)
                    break
                token, position = self._token(position, tokens, new_line, depth + len(open_brackets))
                if token.text in _BRACKETS:
                    self._match(token, open_brackets, depth)
                tokens.append(token)
        except ExpressionError:
            if not self._guessed:
                raise
            return [*tokens, Token(kind=Kind.UNSURE, text="", position=position)], position
        return [*tokens, Token(kind=Kind.END, text="", position=position)], position

    def _token(self, position: int, before: Sequence[Token], new_line: bool, depth: int) -> tuple[Token, int]:
        first = self._source[position]
        if first == "`":
            return self._template(position, new_line, depth)
        if first == "/" and self._regex_may_stand(before[-1] if before else None):
            found, kind = _REGEX.match(self._source, position), Kind.REGEX
            if not found:
                raise self._error("This regular expression or comment is not closed", position)
        else:
            found = _TOKEN.match(self._source, position)
            if not found or found.group() in ('"', "'"):
                raise self._error("This string is not closed", position)
            kind = _KINDS[found.lastgroup or ""]
        return Token(kind, found.group(), position, new_line), found.end()

    def _regex_may_stand(self, before: Token | None) -> bool:
        if before is None:
            return True
        if before.kind is Kind.PUNCTUATOR:
            if before.text in (")", "}"):
                self._guessed = True
            return before.text not in (")", "]", "}")
        return before.kind is Kind.NAME and before.text in _BEFORE_REGEX

    def _template(self, start: int, new_line: bool, depth: int) -> tuple[Token, int]:
        if depth >= MAX_DEPTH:
            raise self._error(f"Brackets are nested more than {MAX_DEPTH} deep", start)
        parts: list[str | Sequence[Token]] = []
        position = begin = start + 1
        while position < len(self._source):
            if self._source[position] == "\\":
                position += 2
            elif self._source[position] == "`":
                parts.append(self._source[begin:position])
                text = self._source[start : position + 1]
                token = Token(kind=Kind.TEMPLATE, text=text, position=start, new_line=new_line, parts=parts)
                return token, position + 1
            elif self._source.startswith("${", position):
                tokens, end = self.run(position + 2, closing="}", depth=depth + 1)
                parts += [self._source[begin:position], tokens]
                if tokens[-1].kind is Kind.UNSURE:
                    raise self._error("This template literal is not understood", position)
                position = begin = end + 1
            else:
                position += 1
        raise self._error("This template literal is not closed", start)

    def _match(self, token: Token, open_brackets: list[Token], depth: int) -> None:
        if token.text in _CLOSING:
            open_brackets.append(token)
            if len(open_brackets) + depth > MAX_DEPTH:
                raise self._error(f"Brackets are nested more than {MAX_DEPTH} deep", token.position)
        elif token.text in _CLOSING.values() and (
            not open_brackets or _CLOSING[open_brackets.pop().text] != token.text
        ):
            raise self._error(f"This {token.text!r} closes nothing", token.position)

    def _refuse_open(self, open_brackets: Sequence[Token], closing: str, start: int) -> None:
        if open_brackets:
            bracket = open_brackets[-1]
            raise self._error(f"This {bracket.text!r} is not closed", bracket.position)
        if closing:
            raise self._error(f"There is no {closing!r} to close what begins here", start)

    def _error(self, message: str, position: int) -> ExpressionError:
        return ExpressionError(message, position=position, source=self._source)


def number_value(text: str) -> int | float:
    """The value of a numeric literal, whole ones as ints. Raises Beyond for BigInt, separators and old octals."""
    if re.fullmatch(r"0[xXoObB]\w+", text) and "_" not in text:
        try:
            value = double(int(text, 0))
        except ValueError:
            raise Beyond from None
    elif text[-1] == "n" or "_" in text or re.match(r"0\d", text):
        raise Beyond
    else:
        value = float(text)
    return int(value) if abs(value) < 2**53 and value.is_integer() else value


_ESCAPED = re.compile(r"\\(?:u\{([0-9a-fA-F]+)\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(\r\n|[\s\S]))")
_SIMPLE: Final = {"n": "\n", "t": "\t", "b": "\b", "v": "\v", "f": "\f", "r": "\r", "0": "\0"} | dict.fromkeys(
    ("\n", "\r", "\r\n", "\u2028", "\u2029"), ""
)


def string_value(text: str) -> str:
    """What a string literal or a piece of a template literal says. Raises Beyond for escapes of old."""
    if "\\" not in text:
        return text
    if re.search(r"(?<!\\)(?:\\\\)*\\(?:[1-9]|0\d)", text):
        raise Beyond  # octal escapes
    return joined(_ESCAPED.sub(_unescaped, text))


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    if code is None:
        if found[4] in ("u", "x"):
            raise Beyond
        return _SIMPLE.get(found[4], found[4])
    if len(code) > 6 or int(code, 16) > 0x10FFFF:
        raise Beyond
    return chr(int(code, 16))
