"""The `document` node: text, HTML or PDF from a template."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, assert_never

from pydantic import Field

from domain.engine.outcomes import Completed, LogLevel, LogLine, Outcome
from domain.errors import Refusal
from domain.files import MAX_NAME, file_name
from domain.json import JSON, JSONObject
from domain.nodes import NodeCategory
from jobs.documents import DocumentError, pdf
from jobs.nodes.base import NodeConfig, StepContext, define
from jobs.nodes.fields import closed
from jobs.nodes.refusals import refused
from jobs.templates import TemplateError, TemplateText, render

MAX_INLINE: Final = 64 * 1024
"""Bytes of a text that is given itself and not as a file."""
_MEDIA_TYPES: Final = {
    "html": "text/html",
    "text": "text/plain",
    "pdf": "application/pdf",
}
_SUFFIXES: Final = {"html": ".html", "text": ".txt", "pdf": ".pdf"}
_CHUNK: Final = 256 * 1024


class DocumentConfig(NodeConfig):
    template: TemplateText = Field(description="The template, in Liquid; for html and pdf a page of HTML.")
    format: Literal["html", "pdf", "text"] = Field("html", description="What is made of it.")
    variables: dict[str, object] | None = Field(
        None, description="What the template sees by name; the members of the node's input when left out."
    )
    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME)] | None = Field(
        None, description="The file's name; the node's id when left out."
    )
    as_file: bool = Field(False, description="Whether a short html or text is a file too; a pdf always is.")
    page_size: Literal["a3", "a4", "a5", "a6", "letter", "legal"] = Field("a4", description="The paper of a pdf.")
    orientation: Literal["portrait", "landscape"] = Field("portrait", description="How it lies.")


async def run(step: StepContext, config: DocumentConfig) -> Outcome:
    tenant = str(step.tenant_id)
    try:
        text = await render(config.template, _variables(step), html=config.format != "text", tenant=tenant)
        match config.format:
            case "html" | "text":
                return await _text(step, config, text)
            case "pdf":
                made = await pdf(
                    text,
                    size=config.page_size,
                    orientation=config.orientation,
                    files=step.services.files,
                    tenant=tenant,
                )
                return Completed(output=await _stored(step, config, made.content), logs=_logs(made.warnings))
            case _:
                assert_never(config.format)
    except (TemplateError, DocumentError) as error:
        return error.as_failed()
    except Refusal as refusal:
        return refused(refusal)


def _variables(step: StepContext) -> dict[str, Any]:
    given = step.config.get("variables")
    named = step.input if given is None else given
    return {"input": step.input, **(named if isinstance(named, Mapping) else {})}


async def _text(step: StepContext, config: DocumentConfig, text: str) -> Completed:
    content = text.encode()
    if config.as_file or len(content) > MAX_INLINE:
        return Completed(output=await _stored(step, config, content))
    return Completed(output={"content": text.replace("\x00", "\ufffd"), "mediaType": _MEDIA_TYPES[config.format]})


async def _stored(step: StepContext, config: DocumentConfig, content: bytes) -> dict[str, JSON]:
    name, suffix = file_name(config.name or step.node.id), _SUFFIXES[config.format]
    name = name if name.lower().endswith(suffix) else name + suffix
    reference = await step.services.files.put(
        name, _MEDIA_TYPES[config.format], _chunks(content), execution_id=step.execution_id
    )
    return {"file": reference.as_json(), "mediaType": reference.media_type}


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), _CHUNK):
        yield content[start : start + _CHUNK]


def _logs(warnings: Sequence[str]) -> tuple[LogLine, ...]:
    return tuple(LogLine(level=LogLevel.WARNING, message=warning) for warning in warnings)


def output(config: JSONObject) -> JSONObject:
    media: JSONObject = {"type": "string", "description": "Such as application/pdf."}
    file: JSONObject = {"type": "object", "description": "The reference of the stored file."}
    if config.get("format") == "pdf" or config.get("asFile") is True:
        return closed({"file": file, "mediaType": media})
    content: JSONObject = {"type": "string", "description": "The text, when it is not stored."}
    return closed({"content": content, "file": file, "mediaType": media})


KIND = define(
    name="document",
    title="Document",
    description="Makes a text, a page of HTML or a PDF from a template.",
    category=NodeCategory.DATA,
    config=DocumentConfig,
    run=run,
    output=output,
    documentation="""
The output is `{content, mediaType}`, or `{file, mediaType}` with a reference to a stored file: always for `pdf`, with
`asFile`, and for texts beyond 64 KiB. Other nodes take the reference where they take files, as an attachment of a mail
for example.

**Templates** are [Liquid](https://shopify.github.io/liquid/): the braces in `template` are Liquid's and not Weir's
expressions. They see `variables` by name and the node's input as `input`. In `html` and `pdf` every value is escaped.
A name that is missing is an error, unless it is tested (`{% if vat %}`) or has a default (`{{ vat | default: "–" }}`).
Beside Liquid's filters there are `currency` (`{{ total | currency: "EUR", "de" }}`), `decimal`
(`{{ weight | decimal: 3, "fr" }}`), `json` and `file`, the id of a file reference. `include` and `render` are not
available. A template may take 3 seconds, 100,000 loop iterations and 4 MiB of text.

**PDF.** The page is laid out by [xhtml2pdf](https://xhtml2pdf.readthedocs.io/): HTML with CSS 2.1, `@page` with frames
for headers and footers, `<pdf:pagenumber>`, `<pdf:barcode>`. An `@page { … }` of your own replaces `pageSize` and
`orientation`. Nothing is fetched, neither from the network nor from this machine: pictures and fonts are `data:` URLs,
or stored files by their id (`<img src="{{ logo | file }}">`). The built-in fonts know the characters of Western Europe,
and of most of Europe where the fonts DejaVu are installed; for others embed a font with `@font-face`. What could not be
shown is said in the step's log. A page may take 30 seconds and 512 MiB.

**Errors.** `TEMPLATE_FAILED`, with the line in `error.details.line`, `DOCUMENT_FAILED`, and `QUOTA_EXCEEDED` or
`TOO_LARGE` for files.
""",
    examples={
        "A confirmation": {
            "template": "<h1>Thank you, {{ name }}</h1><p>Your order {{ order.id }} is on its way.</p>",
            "variables": {"name": "{{ input.customer }}", "order": "{{ input.order }}"},
        },
        "An invoice": {
            "format": "pdf",
            "name": "invoice {{ input.number }}.pdf",
            "template": "<h1>Invoice {{ input.number }}</h1><table>{% for line in input.lines %}"
            '<tr><td>{{ line.text }}</td><td align="right">{{ line.price | currency: "EUR", "de" }}</td></tr>'
            "{% endfor %}</table>",
        },
        "A list as text": {
            "format": "text",
            "template": "{% for order in orders %}{{ order.id }}: {{ order.total | decimal: 2 }}\n{% endfor %}",
            "variables": {"orders": "{{ input.body }}"},
            "asFile": True,
        },
    },
)
