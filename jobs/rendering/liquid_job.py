"""The job that renders Liquid templates: which tags and filters there are, what is escaped, which limits hold."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any, Final, cast

from babel import Locale, UnknownLocaleError
from babel.numbers import format_currency, format_decimal
from liquid import Environment, FalsyStrictUndefined
from liquid.exceptions import (
    FilterArgumentError,
    LiquidError,
    LiquidSyntaxError,
    ResourceLimitError,
    UndefinedError,
    UnknownFilterError,
)
from liquid.extra import JSON as JsonFilter

from jobs.rendering.forking import Refused

MAX_OUTPUT: Final = 4 * 1_048_576
_LOCALES: Final = (
    *("ar", "bg", "ca", "cs", "da", "de", "de_AT", "de_CH", "el", "en", "en_AU", "en_CA", "en_GB", "en_IE", "en_IN"),
    *("en_US", "es", "es_MX", "et", "fi", "fr", "fr_BE", "fr_CA", "fr_CH", "he", "hi", "hr", "hu", "id", "it", "it_CH"),
    *("ja", "ko", "lt", "lv", "nb", "nl", "nl_BE", "pl", "pt", "pt_BR", "ro", "ru", "sk", "sl", "sv", "th", "tr", "uk"),
    *("vi", "zh"),
)
"""Read before any template is rendered: a fork opens no file."""
_LEFT_OUT: Final = ("include", "render")  # there are no other templates to load

_REMEDIES: Final[tuple[tuple[type[LiquidError], str], ...]] = (
    (UndefinedError, "Pass it in variables, or write {{ name | default: '' }}."),
    (UnknownFilterError, "Use one of Liquid's filters, or json, currency, decimal, file."),
    (ResourceLimitError, "Loop over less, or split the document."),
    (FilterArgumentError, "Look at the filter's arguments."),
    (LiquidSyntaxError, "Correct the Liquid on that line; every tag that opens a block needs its end tag."),
)


class _Templates(Environment):
    loop_iteration_limit = 100_000
    local_namespace_limit = 4 * 1_048_576
    output_stream_limit = MAX_OUTPUT

    def __init__(self, *, autoescape: bool) -> None:
        super().__init__(undefined=FalsyStrictUndefined, autoescape=autoescape)
        for tag in _LEFT_OUT:
            del self.tags[tag]
        self.add_filter("json", JsonFilter())
        self.add_filter("currency", _currency)
        self.add_filter("decimal", _decimal)
        self.add_filter("file", _file)


def _currency(value: object, code: object = "EUR", locale: object = "en") -> str:
    return format_currency(_number(value), str(code), locale=_locale(locale))


def _decimal(value: object, digits: object = 2, locale: object = "en") -> str:
    places = digits if isinstance(digits, int) and 0 <= digits <= 20 else 2
    pattern = "#,##0" + ("." + "0" * places if places else "")
    return format_decimal(_number(value), format=pattern, locale=_locale(locale))


def _file(value: object) -> str:
    if isinstance(value, dict) and isinstance(id := cast("dict[str, object]", value).get("$file"), str):
        return id
    raise FilterArgumentError("file expects a reference to a file", token=None)


def _number(value: object) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise FilterArgumentError(f"{str(value)[:60]!r} is no number", token=None) from None
    if abs(number) >= 10**30:  # written out, 1e999999 takes a megabyte
        raise FilterArgumentError("the number is too large", token=None)
    return number


def _locale(name: object) -> str:
    wanted = str(name).replace("-", "_")
    if wanted not in _LOCALES:
        raise FilterArgumentError(f"there is no locale {wanted[:20]!r}; there are {', '.join(_LOCALES)}", token=None)
    return wanted


_environments: Final[dict[bool, Environment]] = {html: _Templates(autoescape=html) for html in (True, False)}


def prepare() -> None:
    """Reads the locales, and renders once, so that nothing is left to import."""
    for name in _LOCALES:
        try:
            Locale.parse(name)
        except UnknownLocaleError:
            continue
        format_currency(Decimal("1234.5"), "EUR", locale=name)
    for environment in _environments.values():
        environment.from_string(
            "{% for x in (1..2) %}{{ x | json }}{{ '2026-01-01' | date: '%d %b' }}{{ x | currency }}{% endfor %}"
        ).render()


def work(request: bytes) -> bytes:
    """From `{source, variables, html}` to UTF-8 text; Refused carries `{message, remedy, line?}`."""
    given = cast("dict[str, Any]", json.loads(request))
    try:
        return _environments[given["html"]].from_string(given["source"]).render(given["variables"]).encode()
    except LiquidError as error:
        raise Refused(json.dumps(_described(error))) from None
    except RecursionError:
        raise Refused(json.dumps({"message": "it is nested too deep", "remedy": "Nest less."})) from None
    except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError) as error:  # a filter's own failure
        message = f"a filter failed: {type(error).__name__}: {error}"[:500]
        raise Refused(json.dumps({"message": message, "remedy": "Look at what the filter is given."})) from None


def _described(error: LiquidError) -> dict[str, object]:
    remedy = next((remedy for kind, remedy in _REMEDIES if isinstance(error, kind)), None)
    described: dict[str, object] = {"message": str(error.message)[:500], "remedy": remedy}
    try:
        place = error.context()
    except ValueError:  # the end of the template
        place = None
    if place is not None:
        described["line"] = place[0]
    return described
