"""What a node's config gives as attachments: references to stored files, or contents written there."""

import base64
import binascii
from collections.abc import AsyncIterator, Sequence
from typing import Final

from domain.files import file_name, media_type, referenced
from domain.json import JSONObject, as_list, as_object
from jobs.emails import Attachment, WrongMail
from jobs.nodes.base import StepContext

MAX_BYTES: Final = 25 * 1024 * 1024
"""Of all attachments of a mail together."""


async def attachments(step: StepContext) -> Sequence[Attachment]:
    """Those of the step's config, their bytes read. Raises WrongMail, which names it, and Refusal."""
    found: list[Attachment] = []
    room = MAX_BYTES
    for number, given in enumerate(as_list(step.config.get("attachments"))):
        attachment = await _attachment(step, as_object(given), number, room)
        room -= len(attachment.content)
        found.append(attachment)
    return found


async def _attachment(step: StepContext, given: JSONObject, number: int, room: int) -> Attachment:
    field = f"attachments.{number}"
    id = referenced(given)
    if id is None:
        content = _inline(given, field)
        if len(content) > room:
            raise _too_large(field)
        name, kind = given.get("name"), given.get("mediaType")
    else:
        reference, chunks = await step.services.files.open(id)
        name, kind, content = reference.name, reference.media_type, await _read(chunks, field, room)
    type = media_type(kind if isinstance(kind, str) else None)
    written_here = "content" in given and type.startswith("text/")
    return Attachment(
        name=file_name(name if isinstance(name, str) else "attachment"),
        media_type=type,
        content=content,
        charset="utf-8" if written_here else None,
    )


async def _read(chunks: AsyncIterator[bytes], field: str, room: int) -> bytes:
    content = bytearray()
    async for chunk in chunks:
        content += chunk
        if len(content) > room:
            raise _too_large(field)
    return bytes(content)


def _inline(given: JSONObject, field: str) -> bytes:
    text, encoded = given.get("content"), given.get("base64")
    if isinstance(text, str) and encoded is None:
        return text.encode("utf-8", "replace")
    if isinstance(encoded, str) and text is None:
        try:
            return base64.b64decode(encoded, validate=True)
        except binascii.Error as error:
            raise WrongMail(field, f"{field}.base64 is no base64: {error}", "Encode the bytes as base64.") from None
    remedy = "Give a file reference, or name, mediaType and either content or base64."
    raise WrongMail(field, f"{field} is no attachment", remedy)


def _too_large(field: str) -> WrongMail:
    message = f"With {field} the attachments have more than {MAX_BYTES >> 20} MiB"
    return WrongMail(field, message, "Send a link to the file instead.")
