"""Files a tenant keeps: what one is, what a reference to it looks like in JSON, and the ports that store them."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.errors import TooLarge
from domain.ids import ExecutionId, FileId, TenantId, decode, encode
from domain.json import JSON, JSONObject
from domain.paging import Page, Place, Slice
from domain.quotas import Quota, QuotaReached

REFERENCE = "$file"
"""The key that makes a JSON object a reference to a file: `{"$file": "file_…", name, mediaType, size, sha256}`."""

OCTETS = "application/octet-stream"
MAX_NAME = 200
_MEDIA_TYPE = re.compile(r"[!#$&^_.+A-Za-z0-9-]{1,100}/[!#$&^_.+A-Za-z0-9-]{1,100}")
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRef:
    """`size` in bytes; `sha256` in hexadecimal."""

    id: FileId
    name: str
    media_type: str
    size: int
    sha256: str

    def as_json(self) -> JSONObject:
        return {
            REFERENCE: encode("file", self.id),
            "name": self.name,
            "mediaType": self.media_type,
            "size": self.size,
            "sha256": self.sha256,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """`storage_key` is where its bytes lie. `created_by`: who uploaded it (an Actor as text), None for a step's file.

    `execution_id`: the execution whose step made it. `expires_at` None: it stays until it is deleted.
    """

    id: FileId
    name: str
    media_type: str
    size: int
    sha256: str
    storage_key: str
    created_at: datetime
    created_by: str | None = None
    execution_id: ExecutionId | None = None
    expires_at: datetime | None = None

    @property
    def ref(self) -> FileRef:
        return FileRef(id=self.id, name=self.name, media_type=self.media_type, size=self.size, sha256=self.sha256)


class FileTooLarge(TooLarge):
    """The file has more bytes than one may have."""

    def __init__(self, most: int) -> None:
        remedy = "Send less, or have an administrator raise WEIR_MAX_FILE_BYTES."
        super().__init__(f"A file may have {most:,} bytes", path=("file",), remedy=remedy)


class StorageFull(QuotaReached):
    """The tenant's files together have as many bytes as they may."""

    def __init__(self, most: int, used: int) -> None:
        super().__init__(Quota.FILE_BYTES, limit=most, used=used)


def referenced(value: JSON) -> FileId | None:
    """The file a JSON value refers to, None when it is no reference. Raises InvalidId for a malformed id."""
    if isinstance(value, Mapping) and isinstance(text := value.get(REFERENCE), str):
        return FileId(decode("file", text))
    return None


def file_name(text: str) -> str:
    """A name that is safe to show and to save under, whatever was given: the last part of a path, `file` for none."""
    last = text.replace("\\", "/").rstrip("/").rpartition("/")[2]
    name = _NOT_IN_NAMES.sub("", last).strip()
    if len(name) > MAX_NAME:
        stem, dot, suffix = name.rpartition(".")
        name = stem[: MAX_NAME - len(suffix) - 1] + dot + suffix if stem and len(suffix) < 20 else name[:MAX_NAME]
    return name if name not in ("", ".", "..") else "file"


def media_type(text: str | None) -> str:
    """The type in a `Content-Type`, without parameters and in small letters; `application/octet-stream` for none."""
    kind = (text or "").partition(";")[0].strip().lower()
    return kind if _MEDIA_TYPE.fullmatch(kind) else OCTETS


def storage_key(tenant_id: TenantId, file_id: FileId) -> str:
    """Where a file's bytes lie; made of ids alone. Spread over 256 folders a tenant, for file systems' sake."""
    return f"{tenant_id}/{file_id.hex[-2:]}/{file_id}"


class Files(Protocol):
    """One tenant's files, as a step sees them."""

    async def put(
        self, name: str, media_type: str, chunks: AsyncIterator[bytes], *, execution_id: ExecutionId | None = None
    ) -> FileRef:
        """Store a file. `execution_id`: whose it is; it stays at least as long as that execution lives.

        Raises FileTooLarge and StorageFull, then nothing is kept; ConnectionError when the storage does not answer;
        and whatever `chunks` raises.
        """
        ...

    async def open(self, id: FileId) -> tuple[FileRef, AsyncIterator[bytes]]:
        """What it is and its bytes in chunks. Raises NotFound, ConnectionError."""
        ...


class Storage(Protocol):
    """Bytes by key. All raise ConnectionError when the storage does not answer."""

    async def write(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """All of it or, if `chunks` raises or the writer is cancelled, nothing."""
        ...

    async def read(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` to before `end`. Raises FileNotFoundError."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """What is not there is deleted already."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFilter:
    """Every part given must hold. `search`: the name contains it, whatever its case."""

    search: str | None = None
    execution_id: ExecutionId | None = None


class FileRows(Protocol):
    """What is known of one tenant's files. Bytes that no file claims are leftovers, to be swept when they are due."""

    async def get(self, file_id: FileId) -> File | None: ...

    async def used(self) -> int:
        """Bytes of all files together."""
        ...

    async def quota(self, default: int) -> int:
        """Most bytes of all files together: what was set for the tenant, else the default."""
        ...

    async def expect(self, key: str, due_at: datetime) -> None:
        """Bytes are about to be written: from `due_at` on they are swept, unless a file has claimed them."""
        ...

    async def insert(self, file: File, *, due_at: datetime, quota: int) -> None:
        """The file claims its bytes, expected until `due_at`. Raises StorageFull; InvalidState when they were swept."""
        ...

    async def forget(self, key: str) -> None:
        """Bytes that were expected are gone."""
        ...

    async def delete(self, file_id: FileId, now: datetime) -> File | None:
        """The file as it was; its bytes become leftovers, due now. None when it is not there."""
        ...


class FileReader(Protocol):
    """Lists of one tenant's files, latest first."""

    async def page(self, chosen: FileFilter, page: Page) -> Slice[File]: ...

    async def count(self, chosen: FileFilter) -> int: ...


class FileSweeping(Protocol):
    """All tenants' files. Any number of processes may sweep at once. All raise ConnectionError."""

    async def expire(self, now: datetime, limit: int) -> int:
        """Delete files whose time is over, but of executions that live; how many there were."""
        ...

    async def take(self, now: datetime, until: datetime, limit: int) -> Sequence[str]:
        """Keys of leftovers that are due: nobody claims them any more, and nobody else is given them `until` then."""
        ...

    async def forget(self, keys: Sequence[str]) -> None:
        """The bytes of these leftovers are gone."""
        ...


def place(file: File) -> Place:
    """Where the file stands in a list."""
    return Place(id=file.id, value=file.created_at)
