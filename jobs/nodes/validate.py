"""The `validate` node: a value checked by a JSON Schema."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache

from pydantic import Field

from domain.engine.outcomes import Completed, Failed, Outcome
from domain.errors import Finding
from domain.expressions import ExpressionError, compile_value
from domain.expressions.templates import text_of
from domain.json import JSON, JSONObject
from domain.nodes import NodeCategory
from domain.validation import bounded
from domain.validation.inputs import worded
from domain.validation.json_schemas import schema_findings
from domain.validation.models import shown
from jobs.nodes.base import NodeConfig, StepContext, define

VALID, INVALID = "valid", "invalid"
MAX_ERRORS = 100


class ValidateConfig(NodeConfig):
    json_schema: object = Field(alias="schema", description="A JSON Schema (draft 2020-12).")
    value: object = Field(None, description="What is checked; the node's input when left out.")


async def run(step: StepContext, config: ValidateConfig) -> Outcome:
    schema, value = step.config["schema"], step.config.get("value", step.input)
    try:
        # in a thread: a hostile schema may take its whole budget, and others go on meanwhile
        errors = await asyncio.to_thread(_errors, schema, value)
    except BadSchema as error:
        message = f"The schema is none: {error}"
        return Failed(code="BAD_SCHEMA", message=message, retryable=False, remedy="Mend the schema.")
    except bounded.CannotCheck as error:
        return Failed(code="CANNOT_CHECK", message=str(error), retryable=False, remedy="Simplify the schema.")
    if not errors:
        return Completed(output=value, handles=(VALID,), decision={"valid": True})
    decision: JSON = {"valid": False, "errors": len(errors), "first": errors[0]}
    return Completed(output={"value": value, "errors": errors}, handles=(INVALID,), decision=decision)


class BadSchema(Exception):
    """The schema is no JSON Schema, or leads out of itself; the message says where."""


def _errors(schema: JSON, value: JSON) -> list[JSONObject]:
    problem = _problem(text_of(schema))
    if problem is not None:
        raise BadSchema(problem)
    return [
        {"path": [str(key) for key in error.absolute_path], "message": worded(error), "keyword": str(error.validator)}
        for error in bounded.errors(schema, value, MAX_ERRORS)
    ]


@lru_cache(maxsize=128)
def _problem(written: str) -> str | None:
    """What is wrong with the schema first of all."""
    schema: JSON = json.loads(written)
    if not isinstance(schema, (Mapping, bool)):
        return f"it is {shown(schema)}"
    finding = next(schema_findings(schema), None)
    return finding and finding.message


def rules(config: JSONObject) -> Iterator[Finding]:
    schema = config.get("schema")
    if "schema" not in config or _holds_templates(schema):
        return
    if isinstance(schema, (Mapping, bool)):
        yield from schema_findings(schema, ("schema",))
    else:
        remedy = "Write an object such as {type: object, required: [id]}."
        yield Finding(
            code="BAD_SCHEMA", message=f"A schema is an object, not {shown(schema)}", path=("schema",), remedy=remedy
        )


def _holds_templates(value: JSON) -> bool:
    try:
        return not compile_value(value).constant
    except ExpressionError:
        return True  # told where all expressions are checked


KIND = define(
    name="validate",
    title="Validate",
    description="Checks a value by a JSON Schema.",
    category=NodeCategory.DATA,
    config=ValidateConfig,
    run=run,
    outputs=(VALID, INVALID),
    rules=rules,
    documentation="""
On `valid` the value goes on unchanged; on `invalid` goes `{value, errors}`, where each of at most 100 errors has `path`
(a list of keys), `message` and the `keyword` of the schema that was not met.

Schemas are JSON Schema, draft 2020-12. Patterns are RE2's, which has no look-around and no back-references; the formats
`date`, `time`, `date-time`, `email`, `uuid`, `ipv4` and `ipv6` are checked; `$ref` leads to `$defs` of the same schema,
nothing is fetched. A schema that is none fails the node with `BAD_SCHEMA`, one that takes too many steps for the value
with `CANNOT_CHECK`.
""",
    examples={
        "An order": {
            "schema": {
                "type": "object",
                "required": ["id", "lines"],
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "lines": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/line"}},
                },
                "$defs": {"line": {"type": "object", "required": ["sku"], "properties": {"sku": {"type": "string"}}}},
            }
        },
        "A part of the input": {"schema": {"type": "string", "pattern": "^[A-Z]{2}$"}, "value": "{{ input.country }}"},
    },
)
