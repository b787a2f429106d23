"""Reading a statement just far enough: where it ends, where its parameters are, what it begins with.

Strings, quoted names, comments and casts are passed over as the database itself reads them, so that a colon inside
them is no parameter. Values never become part of the text here.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.json import JSON
from jobs.databases.failures import DatabaseFailed

MAX_LENGTH = 200_000
MAX_PARAMETERS = 10_000
READING = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN", "DESCRIBE", "DESC"})
"""What a statement begins with that only reads; the database makes sure of it."""


class Dialect(StrEnum):
    POSTGRESQL = "postgresql"
    MYSQL = "mysql"
    SQLITE = "sqlite"


Parameters = Mapping[str, JSON] | Sequence[JSON]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement. `pieces` is its text around the parameters, `slots` says which of `values` stands in each gap."""

    pieces: tuple[str, ...]
    slots: tuple[int, ...]
    names: tuple[str, ...]
    values: tuple[JSON, ...]
    keyword: str

    def text(self, placeholder: Callable[[int], str]) -> str:
        """The text with `placeholder(slot)` in each gap."""
        gaps = [placeholder(slot) for slot in self.slots]
        return "".join(part for pair in zip(self.pieces, [*gaps, ""], strict=True) for part in pair)


_DOUBLE = r'"(?:[^"]|"")*+"'
_SINGLE = r"'(?:[^']|'')*+'"
_ESCAPED = r"'(?:[^'\\]|''|\\.)*+'"
_GRAVE = r"`(?:[^`]|``)*+`"
_WORD = r"[^\W\d][\w$]*+"
_PASSED_OVER = {
    Dialect.POSTGRESQL: (
        rf"[eE]{_ESCAPED}(?:[^\S\n]*+\n\s*+{_ESCAPED})*+",  # a string may go on in the next line
        _SINGLE,
        _DOUBLE,
        r"--[^\r\n]*+",
    ),
    Dialect.MYSQL: (_ESCAPED, r'"(?:[^"\\]|""|\\.)*+"', _GRAVE, r"(?:#|--(?=[\x00-\x20]|\Z))[^\n]*+", r"/\*.*?\*/"),
    Dialect.SQLITE: (_SINGLE, _DOUBLE, _GRAVE, r"\[[^\]]*+\]", r"--[^\n]*+", r"/\*.*?(?:\*/|\Z)"),
}
"""No pattern may look further than to the end of what it matches: the whole is read in time linear to its length."""
_MARK = {Dialect.POSTGRESQL: r"\$", Dialect.MYSQL: r"[$?]", Dialect.SQLITE: r"[$?]"}
_TOKENS = {
    dialect: re.compile(
        rf"(?P<quoted>{'|'.join(patterns)})|(?P<word>{_WORD})|(?P<number>\d[\w.]*+)|(?P<space>\s++)"
        rf"|(?P<cast>::|:=)|\ue000(?P<inline>\d++)\ue001|:(?P<name>[^\W\d]\w*+)|{_MARK[dialect]}(?P<position>\d++)|(?P<end>;)|(?P<other>.)",
        re.DOTALL,
    )
    for dialect, patterns in _PASSED_OVER.items()
}
_COMMENT = re.compile(r"/\*|\*/")
_TAG = re.compile(r"\$(?:[^\W\d]\w*+)?\$")
_OPENERS = {
    Dialect.POSTGRESQL: ("'", '"', "/*"),
    Dialect.MYSQL: ("'", '"', "`", "/*"),
    Dialect.SQLITE: ("'", '"', "`", "["),
}


def stand_in(at: int) -> str:
    """What stands in a text for the value number `at` of those that `read` gets as `inline`."""
    return f"\ue000{at}\ue001"


def read(text: str, dialect: Dialect, parameters: Parameters, inline: Sequence[JSON] = ()) -> Statement:
    """The statement in `text` with its parameters: an object binds `:name`, a list `$1`, and `?` but in PostgreSQL.

    Raises DatabaseFailed: STATEMENT_INVALID, PARAMETER_MISSING, PARAMETER_UNUSED.
    """
    if len(text) > MAX_LENGTH or "\x00" in text:
        raise invalid(f"A statement has at most {MAX_LENGTH:,} characters and no NUL among them")
    reader = _Reader(parameters, inline, marks=dialect is not Dialect.POSTGRESQL)
    for kind, part in _tokens(text, dialect):
        reader.take(kind, part)
    return reader.statement()


def _tokens(text: str, dialect: Dialect) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        if dialect is Dialect.POSTGRESQL and (end := _end_of_long(text, at)):
            yield "quoted", text[at:end]
            at = end
            continue
        if dialect is Dialect.MYSQL and text.startswith(("/*!", "/*M!"), at):
            raise invalid("A comment that the server executes (/*! … */) is not allowed", "Write it without comment.")
        match = _TOKENS[dialect].match(text, at)
        if match is None or match.lastgroup is None:
            raise invalid("The statement cannot be read")
        if match["other"] and text.startswith(_OPENERS[dialect], at):
            raise invalid(f"What begins with {text[at : at + 20]!r} is never closed")
        kind = "quoted" if match["quoted"] is not None else match.lastgroup
        yield kind, match[kind] if kind in ("name", "position", "inline") else match[0]
        at = match.end()


def _end_of_long(text: str, at: int) -> int | None:
    """Where a comment (they nest) or a dollar-quoted string that begins here ends; None when none begins."""
    if text.startswith("/*", at):
        depth = 0
        for mark in _COMMENT.finditer(text, at):
            depth += 1 if mark[0] == "/*" else -1
            if depth == 0:
                return mark.end()
        raise invalid("A comment is never closed")
    if text[at] == "$" and (tag := _TAG.match(text, at)):
        end = text.find(tag[0], tag.end())
        if end < 0:
            raise invalid(f"What begins with {tag[0][:20]} is never closed")
        return end + len(tag[0])
    return None


class _Reader:
    """Takes tokens one by one; parameters that occur twice are one value."""

    def __init__(self, parameters: Parameters, inline: Sequence[JSON], *, marks: bool) -> None:
        self._named = parameters if isinstance(parameters, Mapping) else None
        self._listed: Sequence[JSON] = () if isinstance(parameters, Mapping) else parameters
        self._inline = inline
        self._marks = marks
        self._marked = 0
        self._text: list[str] = []
        self._pieces: list[str] = []
        self._slots: list[int] = []
        self._slot_of: dict[str, int] = {}
        self._values: list[JSON] = []
        self._keyword = ""
        self._ended = False

    def take(self, kind: str, text: str) -> None:
        blank = kind == "space" or (kind == "quoted" and text.startswith(("--", "/*", "#")))
        if self._ended and not blank and kind != "end":
            raise invalid("There is more than one statement", "Use one node for each statement.")
        match kind:
            case "end":
                self._ended = True
            case "quoted" if "\ue000" in text:
                remedy = "Leave out the quotes: the value of an expression is bound, not written into the text."
                raise invalid("An expression stands inside quotes or a comment", remedy)
            case "inline" if int(text[:9]) < len(self._inline):
                self._slot(f"expression {int(text) + 1}", self._inline[int(text)])
            case "name" if self._named is not None:
                self._parameter(text, f":{text}")
            case "name":
                self._text.append(f":{text}")
            case "position" if self._named is None:
                self._parameter(text, f"${text}")
            case "position":
                self._text.append(f"${text}")
            case "other" if text == "?" and self._marks and self._named is None:
                self._marked += 1
                self._parameter(str(self._marked), "?")
            case _:
                if kind == "word" and not self._keyword:
                    self._keyword = text.upper()
                self._text.append(text)

    def _parameter(self, name: str, shown: str) -> None:
        if self._named is not None:
            if name not in self._named:
                message = f"The statement has {shown[:80]}, for which there is no value"
                remedy = f"Give parameters.{name[:80]}; a colon that is none stands apart, as in [1 : n]."
                raise DatabaseFailed("PARAMETER_MISSING", message, remedy=remedy)
            value = self._named[name]
        else:
            if not 1 <= (at := int(name[:9])) <= len(self._listed):
                message = f"The statement has the parameter {shown[:20]} (number {at}), and {len(self._listed)} values"
                raise DatabaseFailed("PARAMETER_MISSING", message, remedy="Add the value to parameters.")
            name, value = str(at), self._listed[at - 1]
        self._slot(name, value)

    def _slot(self, name: str, value: JSON) -> None:
        if name not in self._slot_of:
            self._slot_of[name] = len(self._values)
            self._values.append(value)
        if len(self._slots) == MAX_PARAMETERS:
            raise invalid(f"A statement has at most {MAX_PARAMETERS:,} parameters")
        self._slots.append(self._slot_of[name])
        self._pieces.append("".join(self._text))
        self._text.clear()

    def statement(self) -> Statement:
        if not self._keyword:
            raise invalid("There is no statement", "Write one statement in query.")
        used = len(self._slot_of.keys() - {f"expression {at + 1}" for at in range(len(self._inline))})
        if len(self._listed) > used:
            message = f"There are {len(self._listed)} values, of which the statement uses {used}"
            remedy = "Remove the others, or use each one: $1, $2, …"
            raise DatabaseFailed("PARAMETER_UNUSED", message, remedy=remedy)
        return Statement(
            pieces=(*self._pieces, "".join(self._text).rstrip()),
            slots=tuple(self._slots),
            names=tuple(self._slot_of),
            values=tuple(self._values),
            keyword=self._keyword,
        )


def invalid(message: str, remedy: str | None = None) -> DatabaseFailed:
    return DatabaseFailed("STATEMENT_INVALID", message, remedy=remedy)
