"""What is wrong with a JSON Schema that a user wrote, found before any value is checked by it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from domain.errors import Finding, Invalid
from domain.json import JSON, as_list
from domain.patterns import compile_pattern
from domain.validation import bounded
from domain.validation.inputs import worded

MAX_FINDINGS = 100
_DATA = ("const", "enum", "default", "examples")


def schema_findings(schema: JSON, path: tuple[str, ...] = (), node_id: str | None = None) -> Iterator[Finding]:
    """No schema, a reference that leads out of it, a pattern that is none, a loop; paths begin with `path`."""
    if schema is None or isinstance(schema, bool):
        return
    found = list(dict.fromkeys(_findings(schema)))
    for finding in found[:MAX_FINDINGS]:
        yield replace(finding, node_id=node_id, path=(*path, *finding.path))


def _findings(schema: JSON) -> Iterator[Finding]:
    try:
        wrong = bounded.meta_errors(schema, MAX_FINDINGS)
        for error in wrong:
            yield Finding(code="BAD_SCHEMA", message=worded(error), path=tuple(map(str, error.absolute_path)))
        parts = list(_parts(schema, schema, ()))
        yield from parts
        if not wrong and not parts:
            bounded.errors(schema, None, 1)
    except bounded.CannotCheck as error:
        yield Finding(code="BAD_SCHEMA", message=str(error), remedy="Simplify the schema.")


def _parts(root: JSON, schema: JSON, path: tuple[str, ...]) -> Iterator[Finding]:
    """References and patterns anywhere in a schema."""
    if isinstance(schema, Mapping):
        reference, pattern, patterns = (schema.get(key) for key in ("$ref", "pattern", "patternProperties"))
        if isinstance(reference, str) and not _is_inside(root, reference):
            yield Finding(
                code="BAD_SCHEMA",
                message=f"The reference {reference[:80]!r} leads to nothing in this schema",
                path=(*path, "$ref"),
                remedy="Refer to #/$defs/… in the same schema; nothing is fetched.",
            )
        if isinstance(pattern, str):
            yield from _pattern(pattern, (*path, "pattern"))
        for key in patterns if isinstance(patterns, Mapping) else ():
            yield from _pattern(key, (*path, "patternProperties", key))
        for key, member in schema.items():
            if key not in _DATA:
                yield from _parts(root, member, (*path, key))
    else:
        for at, member in enumerate(as_list(schema)):
            yield from _parts(root, member, (*path, str(at)))


def _pattern(pattern: str, path: tuple[str, ...]) -> Iterator[Finding]:
    try:
        compile_pattern(pattern)
    except Invalid as error:
        yield Finding(code="BAD_SCHEMA", message=error.message, path=path, remedy=error.remedy)


def _is_inside(root: JSON, reference: str) -> bool:
    """Whether a JSON pointer (RFC 6901) or anchor leads somewhere in the schema."""
    if not reference.startswith("#"):
        return False
    if reference == "#":
        return True
    if not reference.startswith("#/"):
        return _has_anchor(root, reference[1:])
    at = root
    for part in reference[2:].split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(at, Mapping) and key in at:
            at = at[key]
        elif key.isdecimal() and int(key) < len(as_list(at)):
            at = as_list(at)[int(key)]
        else:
            return False
    return True


def _has_anchor(schema: JSON, anchor: str) -> bool:
    if isinstance(schema, Mapping):
        return schema.get("$anchor") == anchor or any(_has_anchor(part, anchor) for part in schema.values())
    return any(_has_anchor(part, anchor) for part in as_list(schema))
