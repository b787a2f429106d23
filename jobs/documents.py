"""PDF documents from HTML: made apart from this process, of nothing but the page and the tenant's own files."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from domain.engine.outcomes import Failed
from domain.errors import TooLarge
from domain.files import FileRef, Files
from domain.ids import FileId, decode
from jobs.rendering import Bounds, Refusal, Renderer, RenderingFailed

MAX_EMBEDDED: Final = 16 * 1_048_576
MAX_FILES: Final = 100
MAX_PDF: Final = 64 * 1_048_576
SECONDS: Final = 30.0

_REFERENCE: Final = re.compile(r"""(?<=["'(])\s*(file_[0-9a-hjkmnp-tv-z]{26})\s*(?=["')])""")
_renderer: Final = Renderer("jobs.rendering.pdf_job", Bounds(seconds=SECONDS, memory=512 * 1_048_576, answer=MAX_PDF))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pdf:
    """`warnings`: what of the page is not in it as it was meant, one sentence each."""

    content: bytes
    warnings: Sequence[str]


class DocumentError(Exception):
    """There is no PDF of this page; the message says why."""

    def as_failed(self) -> Failed:
        remedy = "Simplify the HTML: fewer elements, plain tables, styles that xhtml2pdf knows."
        return Failed(code="DOCUMENT_FAILED", message=str(self), retryable=False, remedy=remedy)


async def pdf(html: str, *, size: str, orientation: str, files: Files, tenant: str) -> Pdf:
    """The page on paper of this size. Raises DocumentError, and a domain Refusal for a file it names."""
    page = await _with_files(html, files)
    request = orjson.dumps({"html": page, "size": size, "orientation": orientation})
    try:
        answer = await _renderer.render(request, tenant=tenant)
    except Refusal as refusal:
        raise DocumentError(f"The page gave no PDF: {refusal}") from None
    except RenderingFailed as error:
        raise DocumentError(f"The page gave no PDF: {error}") from None
    head, _, content = answer.partition(b"\n")
    return Pdf(content=content, warnings=orjson.loads(head)["warnings"])


async def _with_files(html: str, files: Files) -> str:
    """The page with the files it names (`src="file_…"`, `url(file_…)`) written into it."""
    names = list(dict.fromkeys(_REFERENCE.findall(html)))
    if len(names) > MAX_FILES:
        raise TooLarge(f"The page shows {len(names)} files; at most {MAX_FILES} are taken", path=("template",))
    written: dict[str, str] = {}
    left = MAX_EMBEDDED
    for name in names:
        reference, content = await _content(FileId(decode("file", name)), files, left)
        left -= len(content)
        written[name] = f"data:{reference.media_type};base64,{base64.b64encode(content).decode()}"
    return _REFERENCE.sub(lambda found: written[found[1]], html) if written else html


async def _content(id: FileId, files: Files, most: int) -> tuple[FileRef, bytes]:
    reference, chunks = await files.open(id)
    if reference.size > most:
        raise TooLarge(
            f"The files in the page have more than {MAX_EMBEDDED:,} bytes together",
            path=("template",),
            remedy="Use smaller pictures.",
        )
    return reference, b"".join([chunk async for chunk in chunks])
