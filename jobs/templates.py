"""Templates users write, in Liquid: rendered apart from this process, so that none can hold it up or look into it."""

from typing import Annotated, Any, Final, TypeAlias

import orjson
from pydantic import Field, WithJsonSchema

from domain.engine.outcomes import Failed
from domain.json import JSON, JSONObject
from domain.validation.expressions import MARK
from jobs.rendering import Bounds, Refusal, Renderer, RenderingFailed

MAX_SOURCE: Final = 1_000_000
MAX_VARIABLES: Final = 16 * 1_048_576
MAX_OUTPUT: Final = 4 * 1_048_576
LIQUID: Final = "liquid"

TemplateText: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=MAX_SOURCE), WithJsonSchema({"type": "string", MARK: LIQUID})
]
"""A config field that holds a Liquid template: its `{{ }}` are Liquid's, so it reaches the kind as it was written."""

_renderer: Final = Renderer("jobs.rendering.liquid_job", Bounds(seconds=3.0, memory=128 * 1_048_576, answer=MAX_OUTPUT))


class TemplateError(Exception):
    """The template gives no text; `line`, from 1, is where."""

    def __init__(self, message: str, *, remedy: str | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.line = line

    def as_failed(self) -> Failed:
        details: dict[str, JSON] = {} if self.line is None else {"line": self.line}
        return Failed(
            code="TEMPLATE_FAILED", message=self.message, retryable=False, remedy=self.remedy, details=details
        )


async def render(source: str, variables: JSONObject, *, html: bool, tenant: str = "") -> str:
    """The template's text, at most 4 MiB. With `html` every value is escaped on its way into it.

    A name that is missing from `variables` is an error unless it is tested or has a `default`. `tenant`: whoever
    else waits is served in turn. Raises TemplateError.
    """
    if len(source) > MAX_SOURCE:
        raise TemplateError(f"The template has more than {MAX_SOURCE:,} characters", remedy="Shorten it.")
    request = _request(source, variables, html)
    try:
        return (await _renderer.render(request, tenant=tenant)).decode()
    except Refusal as refusal:
        raise _error(orjson.loads(str(refusal))) from None
    except RenderingFailed as error:
        message = f"The template gave no text: {error}"
        raise TemplateError(message, remedy="Loop over less, and build smaller values.") from None


def _request(source: str, variables: JSONObject, html: bool) -> bytes:
    try:
        request = orjson.dumps({"source": source, "variables": variables, "html": html})
    except TypeError as error:
        raise TemplateError(f"The variables are no JSON: {error}") from None
    if len(request) > MAX_VARIABLES:
        message = f"The variables have more than {MAX_VARIABLES:,} bytes"
        raise TemplateError(message, remedy="Pass only what the template shows.")
    return request


def _error(described: dict[str, Any]) -> TemplateError:
    line = described.get("line")
    where = f" in line {line}" if line is not None else ""
    return TemplateError(
        f"The template failed{where}: {described['message']}", remedy=described.get("remedy"), line=line
    )
