"""The reference of all findings, docs/validation.md, made from what the codes say of themselves."""

from collections.abc import Iterator

from domain.errors import ValidationLevel
from domain.validation.codes import CODES

_INTRODUCTION = """\
# Validation

This page is made from the codes themselves (`domain/validation/codes/`); a test keeps it so.

A workflow is validated when its draft is saved, published or imported, before `weir run` starts it, and at any time by
`graphValidate`, which saves nothing. All findings come at once; each has

- `severity`: with an `ERROR` the workflow is refused, since it could not run as it stands; a `WARNING` is most likely a
  mistake; an `INFO` is worth knowing,
- `level`: what it is about, see below; `graphValidate(levels: [SECURITY])` asks for some of them,
- `code`: stable, for programs,
- `nodeId` and `path`: where. The path leads from the node (`config`, `url`), without a node from the document (`edges`,
  `3`, `target`). What is found inside a body is told of the node whose body it is: `config`, `body`, `nodes`, `price`,
- `message` and `remedy`: what is wrong and what to do. No message repeats a secret.

`graphValidate`, publishing, importing and `weir run` also look which connections are named: whether they are there, of
a type the node can use, and check certificates. Nothing else is asked, and nothing outside is called. At most 1,000
findings are listed, the gravest first. `weir bench validation` measures a graph of 1,000 nodes.

`vars.x` is judged where the workflow's variables are known: `graphValidate(variables: {…})`.
"""
_LEVELS = {
    ValidationLevel.STRUCTURAL: "Whether the document holds together: shapes, types, ids, edges, cycles, expressions.",
    ValidationLevel.SEMANTIC: "Whether it can mean what was meant: names, order, types, ways that are never taken.",
    ValidationLevel.PERFORMANCE: "Whether it runs well: how wide, how often, how large.",
    ValidationLevel.SECURITY: "Whether it is safe: secrets, addresses, limits, what comes from outside.",
}


def markdown() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *(line for level in ValidationLevel for line in _section(level))])


def _section(level: ValidationLevel) -> Iterator[str]:
    yield f"## {level.value.capitalize()}\n"
    yield f"{_LEVELS[level]}\n"
    yield "| code | severity | meaning | remedy |"
    yield "|---|---|---|---|"
    for code in sorted((each for each in CODES.values() if each.level is level), key=lambda each: each.code):
        severities = ", ".join(severity.value for severity in code.severities)
        yield f"| `{code.code}` | {severities} | {code.meaning} | {code.remedy} |"
    yield ""
