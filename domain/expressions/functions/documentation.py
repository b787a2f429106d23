"""The reference of all functions, docs/functions.md, made from what they say of themselves."""

import json

from domain.expressions.functions import FAMILIES, FUNCTIONS, MODULES, Choice, Function, Parameter

_INTRODUCTION = """\
# Functions in expressions

This page is made from the functions themselves; a test keeps it so, and evaluates every example natively and in the
sandbox. See [expressions](expressions.md) for the language around them.

Functions stand in families, so that they hide no name of a workflow: `text.upper(input.name)`. They mean the same
wherever they are evaluated:

- A call whose arguments are paths, literals, operators or other calls is evaluated natively, up to 20 calls in one
  expression, each with at most 2,000 values and 65,536 characters. Anything larger, and anything with other JavaScript
  around it (`input.names.map(text.upper)`), runs in the sandbox, where time and memory are limited. `code` nodes in
  JavaScript have the functions too.
- Nothing is changed: a function gives a new value. Nothing is converted: a wrong type is a `TypeError` that names the
  parameter. A parameter with a default may be left out or null. `undefined` and `NaN` count as null.
- Nothing is random, and nothing asks the clock: the time is the name `now`.
- A **key** says what the elements of a list are known by: a path such as `"address.city"` or `["address", "city"]`; in
  the sandbox also a function. Without one it is the element itself.
- A **date** is ISO 8601 text with or without a time, in UTC unless it names an offset, or milliseconds since 1970; what
  is given back is text. A **zone** is a name such as `"Europe/Berlin"`, `"UTC"` or an offset such as
  `"+02:00"`; without one, calendars go by the offset the date is written in. A time that clocks skip counts as if they
  had not been put forward yet; of one they show twice it is the first.
- A **unit** is millisecond, second, minute, hour, day, week, month, quarter or year, or the plural.
"""


def markdown() -> str:
    """The whole page."""
    parts = [_INTRODUCTION]
    for family in FAMILIES:
        heading = (MODULES[family].__doc__ or "").partition(": ")[2]
        rows = [_row(function) for function in FUNCTIONS.values() if function.family == family]
        about = f"{heading[:1].upper()}{heading[1:]}".strip()
        parts.append("\n".join([f"## {family}\n\n{about}\n\n| function | gives | example |\n|---|---|---|", *rows, ""]))
    return "\n".join(parts)


def _row(function: Function) -> str:
    parameters = ", ".join(map(_parameter, function.parameters))
    source, value = function.example
    example = f"{source} → {json.dumps(value, ensure_ascii=False)}".replace("|", "\\|")
    return f"| `{function.full_name}({parameters})` | {function.description} | `{example}` |"


def _parameter(parameter: Parameter) -> str:
    if parameter.required:
        return parameter.name
    plain = isinstance(parameter.default, (str, int, float, bool)) or isinstance(parameter.takes, Choice)
    return f"{parameter.name} = {json.dumps(parameter.default, ensure_ascii=False)}" if plain else f"{parameter.name}?"
