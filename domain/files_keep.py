"""Keeping files: bytes first, then the row that claims them, so that no row ever points to nothing."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from domain.errors import NotFound, Refusal
from domain.files import (
    File,
    FileRef,
    FileRows,
    FileSweeping,
    FileTooLarge,
    Storage,
    StorageFull,
    file_name,
    media_type,
    storage_key,
)
from domain.ids import ExecutionId, FileId, TenantId, encode
from domain.sources import Clock, Ids

LONGEST_UPLOAD = timedelta(hours=6)
"""Bytes that are still without a row by then belong to an upload that died."""
_GRANTED = timedelta(minutes=10)
"""How long a sweeper has for the bytes it has taken, before another one does its work again."""
_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLimits:
    """Bytes of one file, of a tenant's files together, and how long a file is kept; None: until it is deleted."""

    max_bytes: int
    quota_bytes: int
    retention: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What keeping one tenant's files takes."""

    tenant_id: TenantId
    rows: FileRows
    storage: Storage
    limits: FileLimits
    ids: Ids
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """As it was given; name and media type are made safe."""

    name: str
    media_type: str | None = None
    created_by: str | None = None
    execution_id: ExecutionId | None = None


async def put(new: NewFile, chunks: AsyncIterator[bytes], *, given: Keeping) -> File:
    """Raises FileTooLarge, StorageFull, InvalidState after six hours, ConnectionError, and what `chunks` raises.

    Nothing is kept then; what a killed process leaves behind is swept.
    """
    now, file_id = given.clock(), FileId(given.ids())
    key, quota = storage_key(given.tenant_id, file_id), await given.rows.quota(given.limits.quota_bytes)
    intake = _Intake(chunks, most=given.limits.max_bytes, room=quota - await given.rows.used(), quota=quota)
    due_at = now + LONGEST_UPLOAD
    await given.rows.expect(key, due_at)
    try:
        await given.storage.write(key, intake.measured())
        file = File(
            id=file_id,
            name=file_name(new.name),
            media_type=media_type(new.media_type),
            size=intake.size,
            sha256=intake.digest.hexdigest(),
            storage_key=key,
            created_at=now,
            created_by=new.created_by,
            execution_id=new.execution_id,
            expires_at=now + given.limits.retention if given.limits.retention is not None else None,
        )
        await given.rows.insert(file, due_at=due_at, quota=quota)
    except Refusal:
        await given.storage.delete([key])
        await given.rows.forget(key)
        raise
    return file


async def describe(file_id: FileId, *, given: Keeping) -> File:
    """Raises NotFound."""
    file = await given.rows.get(file_id)
    if file is None:
        raise NotFound("file", encode("file", file_id))
    return file


async def read(file: File, *, given: Keeping, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
    """Its bytes from `start` to before `end`, in chunks. Raises NotFound when it was deleted meanwhile."""
    try:
        return await given.storage.read(file.storage_key, start, file.size if end is None else end)
    except FileNotFoundError:
        raise NotFound("file", encode("file", file.id)) from None


async def delete(file_id: FileId, *, given: Keeping) -> File:
    """The file as it was; its bytes are removed in the background. Raises NotFound."""
    file = await given.rows.delete(file_id, given.clock())
    if file is None:
        raise NotFound("file", encode("file", file_id))
    return file


async def sweep(sweeping: FileSweeping, storage: Storage, clock: Clock) -> tuple[int, int]:
    """How many files had expired and how many leftovers were removed. Raises ConnectionError."""
    expired = removed = 0
    while batch := await sweeping.expire(clock(), _BATCH):
        expired += batch
    while keys := await sweeping.take(now := clock(), now + _GRANTED, _BATCH):
        await storage.delete(keys)
        await sweeping.forget(keys)
        removed += len(keys)
    return expired, removed


class StepFiles:
    """Implements `domain.files.Files`."""

    def __init__(self, given: Keeping) -> None:
        self._given = given

    async def put(
        self, name: str, media_type: str, chunks: AsyncIterator[bytes], *, execution_id: ExecutionId | None = None
    ) -> FileRef:
        new = NewFile(name=name, media_type=media_type, execution_id=execution_id)
        return (await put(new, chunks, given=self._given)).ref

    async def open(self, id: FileId) -> tuple[FileRef, AsyncIterator[bytes]]:
        file = await describe(id, given=self._given)
        return file.ref, await read(file, given=self._given)


class _Intake:
    """Chunks on their way in: counted, hashed, and refused as soon as there are too many bytes."""

    def __init__(self, chunks: AsyncIterator[bytes], *, most: int, room: int, quota: int) -> None:
        self._chunks = chunks
        self._most = most
        self._room = room
        self._quota = quota
        self.size = 0
        self.digest = hashlib.sha256()

    async def measured(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            self.size += len(chunk)
            if self.size > self._most:
                raise FileTooLarge(self._most)
            if self.size > self._room:
                raise StorageFull(self._quota, self._quota - self._room)
            self.digest.update(chunk)
            yield chunk
