"""The `text` functions: characters are Unicode's, so an emoji counts as one, unlike in JavaScript's own methods."""

import re
import unicodedata
from typing import Final

from domain.expressions.coercion import MAX_TEXT, SPACE, too_long
from domain.expressions.errors import OutOfRange
from domain.expressions.functions.signatures import Anything, Text, Whole, function
from domain.expressions.functions.values import as_text
from domain.json import JSON

_LINES: Final = re.compile("\r\n|\n|\r")
_MARKS: Final = re.compile("[\u0300-\u036f]")
_NO_SLUG: Final = re.compile("[^a-z0-9]+")


@function("text.from", "A text itself, of anything else its JSON.", "text.from([1, true])", "[1,true]")
def from_value(value: Anything) -> str:
    return as_text(value)


@function("text.upper", "In capitals.", 'text.upper("straße")', "STRASSE")
def upper(value: Text) -> str:
    return value.upper()


@function("text.lower", "In small letters.", 'text.lower("ADA")', "ada")
def lower(value: Text) -> str:
    return value.lower()


@function("text.capitalize", "With a capital first letter.", 'text.capitalize("ada LOVELACE")', "Ada LOVELACE")
def capitalize(value: Text) -> str:
    return value[:1].upper() + value[1:]


@function("text.trim", "Without space at both ends.", 'text.trim("  Ada\\n")', "Ada")
def trim(value: Text) -> str:
    return value.strip(SPACE)


@function("text.isBlank", "Whether there is nothing but space.", 'text.isBlank(" \\t")', True)
def is_blank(value: Text) -> bool:
    return not value.strip(SPACE)


@function("text.length", "How many characters.", 'text.length("Zoë 😀")', 5)
def length(value: Text) -> int:
    return len(value)


@function(
    "text.slice",
    "From one position to before another; negative ones count from the end.",
    'text.slice("invoice.pdf", -3)',
    "pdf",
)
def part(value: Text, start: Whole, end: Whole | None = None) -> str:
    return value[start:end]


@function("text.before", "What stands before the first separator; all without one.", 'text.before("a@b", "@")', "a")
def before(value: Text, separator: Text) -> str:
    return value.partition(separator)[0] if separator else value


@function("text.after", "What stands after the first separator, if there is one.", 'text.after("a@b@c", "@")', "b@c")
def after(value: Text, separator: Text) -> str:
    return value.partition(separator)[2] if separator else value


@function("text.split", "The parts between separators.", 'text.split("a, b, c", ", ")', ["a", "b", "c"])
def split(value: Text, separator: Text) -> JSON:
    return value.split(separator) if separator else list(value)


@function("text.lines", "The lines, whatever ends them.", 'text.lines("a\\r\\nb")', ["a", "b"])
def lines(value: Text) -> JSON:
    return _LINES.split(value)


@function("text.replace", "With every occurrence replaced.", 'text.replace("1.234.567", ".", "")', "1234567")
def replace(value: Text, find: Text, by: Text) -> str:
    if not find:
        raise OutOfRange("there is nothing to find")
    if len(value) + value.count(find) * (len(by) - len(find)) > MAX_TEXT:
        raise too_long()
    return value.replace(find, by)


@function("text.count", "How often a text occurs.", 'text.count("banana", "an")', 2)
def count(value: Text, find: Text) -> int:
    if not find:
        raise OutOfRange("there is nothing to find")
    return value.count(find)


@function("text.contains", "Whether it occurs anywhere.", 'text.contains("invoice", "voice")', True)
def contains(value: Text, find: Text) -> bool:
    return find in value


@function("text.startsWith", "Whether it begins so.", 'text.startsWith("invoice", "in")', True)
def starts_with(value: Text, find: Text) -> bool:
    return value.startswith(find)


@function("text.endsWith", "Whether it ends so.", 'text.endsWith("a.pdf", ".pdf")', True)
def ends_with(value: Text, find: Text) -> bool:
    return value.endswith(find)


@function("text.padStart", "Filled up on the left.", 'text.padStart("42", 5, "0")', "00042")
def pad_start(value: Text, length: Whole, fill: Text = " ") -> str:
    return _filling(value, length, fill) + value


@function("text.padEnd", "Filled up on the right.", 'text.padEnd("42", 5, ".")', "42...")
def pad_end(value: Text, length: Whole, fill: Text = " ") -> str:
    return value + _filling(value, length, fill)


@function("text.repeat", "Several times in a row.", 'text.repeat("-", 5)', "-----")
def repeat(value: Text, times: Whole) -> str:
    if times < 0:
        raise OutOfRange("times is negative")
    if len(value) * times > MAX_TEXT:
        raise too_long()
    return value * times


@function(
    "text.truncate",
    "At most so long; what is longer ends with the suffix, which counts.",
    'text.truncate("Analytical Engine", 11)',
    "Analytical…",
)
def truncate(value: Text, length: Whole, suffix: Text = "…") -> str:
    if length < 0:
        raise OutOfRange("length is negative")
    return value if len(value) <= length else value[: max(length - len(suffix), 0)] + suffix[:length]


@function("text.reverse", "Backwards.", 'text.reverse("abc")', "cba")
def backwards(value: Text) -> str:
    return value[::-1]


@function("text.slug", "For addresses and file names.", 'text.slug("Crème brûlée, 2 ×!")', "creme-brulee-2")
def slug(value: Text) -> str:
    bare = _MARKS.sub("", unicodedata.normalize("NFD", value)).lower()
    return _NO_SLUG.sub("-", bare).strip("-")


def _filling(value: str, length: int, fill: str) -> str:
    missing = length - len(value)
    if missing <= 0 or not fill:
        return ""
    if length > MAX_TEXT:
        raise too_long()
    return (fill * (missing // len(fill) + 1))[:missing]
