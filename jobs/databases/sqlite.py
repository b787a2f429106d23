"""Statements on SQLite files of a tenant: the file goes through a hardened process and comes back as a new one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson

from domain.errors import Refusal as Refused
from domain.expressions.templates import text_of
from domain.files import FileRef, Files, referenced
from domain.ids import ExecutionId, FileId, TenantId, decode
from domain.json import JSON
from jobs.databases.failures import DatabaseFailed
from jobs.databases.queries import Query
from jobs.databases.results import MAX_BYTES, Result
from jobs.databases.sqlite_job import MAX_FILE, pack, unpack
from jobs.rendering import Bounds, Refusal, Renderer, RenderingFailed

MAX_SECONDS = 60.0
MEDIA_TYPE = "application/vnd.sqlite3"
_MAGIC = b"SQLite format 3\x00"
_CHUNK = 1_048_576

_PROCESS = Renderer(
    "jobs.databases.sqlite_job",
    Bounds(seconds=MAX_SECONDS + 1, memory=8 * MAX_FILE, answer=MAX_FILE + 2 * MAX_BYTES),
)


async def run(
    file: JSON, query: Query, files: Files, *, tenant_id: TenantId, execution_id: ExecutionId | None = None
) -> Result:
    """`file` is a reference to the database, or its id; a changed one is stored and is the result's `file`.

    Raises DatabaseFailed and TimeoutError.
    """
    stored, content = await _read(file, files)
    request = pack(
        {
            "sql": query.statement.text(lambda slot: f"?{slot + 1}"),
            "values": [_bindable(value) for value in query.statement.values],
            "readOnly": query.read_only,
            "maxRows": query.max_rows,
            "enough": query.enough,
            "exact": query.exact,
            "seconds": min(query.timeout, MAX_SECONDS),
        },
        content,
    )
    head, changed = await _worked(request, query.timeout, tenant_id)
    new = await _store(stored.name, changed, files, execution_id) if changed else stored
    return Result(**head, file=None if query.read_only else new)


async def _worked(request: bytes, timeout: float, tenant_id: TenantId) -> tuple[dict[str, Any], bytes]:
    try:
        async with asyncio.timeout(timeout):
            return unpack(await _PROCESS.render(request, tenant=str(tenant_id)))
    except Refusal as error:
        told = orjson.loads(str(error))
        raise DatabaseFailed(told.pop("code"), told.pop("message"), **told) from None
    except RenderingFailed as error:
        remedy = "Ask for less at a time, or keep the data in a server."
        raise DatabaseFailed("SQLITE_STOPPED", f"The statement came to no end: {error}", remedy=remedy) from None


def _bindable(value: JSON) -> JSON:
    return value if value is None or isinstance(value, str | int | float) else text_of(value)


async def _read(file: JSON, files: Files) -> tuple[FileRef, bytes]:
    try:
        id = FileId(decode("file", file)) if isinstance(file, str) else referenced(file)
        if id is None:
            raise DatabaseFailed("FILE_INVALID", "There is no reference to an SQLite file", remedy="Give one in file.")
        stored, chunks = await files.open(id)
    except Refused as error:
        raise DatabaseFailed("FILE_MISSING", error.message, remedy=error.remedy) from None
    content = bytearray()
    async for chunk in chunks:
        content += chunk
        if len(content) > MAX_FILE:
            message = f"{stored.name[:80]!r} has more than {MAX_FILE >> 20} MiB"
            raise DatabaseFailed("FILE_TOO_LARGE", message, remedy="Keep this much in a server.")
    if content and not content.startswith(_MAGIC):
        raise DatabaseFailed("FILE_INVALID", f"{stored.name[:80]!r} is no SQLite database")
    return stored, bytes(content)


async def _store(name: str, content: bytes, files: Files, execution_id: ExecutionId | None) -> FileRef:
    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(content), _CHUNK):
            yield content[at : at + _CHUNK]

    try:
        return await files.put(name, MEDIA_TYPE, chunks(), execution_id=execution_id)
    except Refused as error:
        raise DatabaseFailed("FILE_REFUSED", error.message, remedy=error.remedy) from None
