"""Where the bytes of files lie: a directory, or a bucket that speaks S3; changes when another kind of place is offered.

Both are reached by obstore. A directory's files appear under their name only when they are whole; a bucket's too.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from obstore import delete_async, get_async, put_async
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

if TYPE_CHECKING:
    from obstore import PutResult
    from obstore.store import ClientConfig, RetryConfig, S3Config

PART = 5 * 1024 * 1024
"""Bytes held back before they are written: what fits in one part is one request, the rest is sent in parts."""
_CHUNK = 256 * 1024
_PATIENCE = timedelta(seconds=30)
_CLOSING_SECONDS = 10.0


class StorageUnavailable(ConnectionError):
    """The storage does not answer, or refuses; the same call may succeed later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """`endpoint` None: Amazon's. Without keys those of the surroundings are used (`AWS_…`, instance profile)."""

    endpoint: str | None = None
    region: str = "us-east-1"
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)


def open_storage(url: str, access: S3Access | None = None) -> "ObjectStorage":
    """From `file:///directory` or `s3://bucket/prefix`; nothing is opened before it is used."""
    parts = urlsplit(url)
    if parts.scheme == "s3":
        return ObjectStorage(bucket=parts.netloc, prefix=parts.path.strip("/"), access=access or S3Access())
    return ObjectStorage(directory=Path(unquote(parts.path)))


@dataclass(frozen=True, kw_only=True)
class ObjectStorage:
    """Implements `domain.files.Storage`: in `directory` if there is one, else in the bucket."""

    directory: Path | None = None
    bucket: str = ""
    prefix: str = ""
    access: S3Access = field(default_factory=S3Access)

    async def write(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        parts = _in_parts(chunks)
        first = await anext(parts, b"")
        second = await anext(parts, None)
        with _told_as_unavailable():
            if second is None:
                await put_async(self._store, key, first)
            else:
                await self._write_long(key, [first, second], parts)
            if self.directory is not None:
                await asyncio.to_thread(_make_durable, self.directory / key)

    async def read(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        if start >= end:
            return _nothing()
        with _told_as_unavailable():
            found = await get_async(self._store, key, options={"range": (start, end)})
        return _streamed(aiter(found.stream(min_chunk_size=_CHUNK)))

    async def delete(self, keys: Sequence[str]) -> None:
        with _told_as_unavailable():
            if self.directory is not None:
                await asyncio.to_thread(_remove, [self.directory / key for key in keys])
            elif keys:
                await delete_async(self._store, list(keys))

    async def _write_long(self, key: str, begun: Sequence[bytes], parts: AsyncIterator[bytes]) -> None:
        """The parts are pulled here and only handed to obstore: if they break off, or the caller is cancelled, obstore
        sees an error among them and takes back what it has sent; cancelling obstore itself would leave that lying."""
        handed: asyncio.Queue[bytes | _End] = asyncio.Queue(maxsize=1)
        storing = asyncio.ensure_future(
            put_async(self._store, key, _taken(handed), chunk_size=PART, max_concurrency=2)  # memory: four parts
        )
        try:
            for part in begun:
                await _hand(part, handed, storing)
            async for part in parts:
                await _hand(part, handed, storing)
            await _hand(_End(), handed, storing)
            await asyncio.shield(storing)
        except BaseException:
            while not handed.empty():
                handed.get_nowait()
            handed.put_nowait(_End(broken=True))
            await asyncio.wait([storing], timeout=_CLOSING_SECONDS)
            with suppress(Exception):  # what broke it is told, not what came of it
                storing.result()
            raise

    @cached_property
    def _store(self) -> "LocalStore | S3Store":
        if self.directory is not None:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            return LocalStore(self.directory)
        client: ClientConfig = {"allow_http": True, "timeout": _PATIENCE, "connect_timeout": timedelta(seconds=5)}
        retry: RetryConfig = {"max_retries": 3, "retry_timeout": _PATIENCE}
        config: S3Config = {"region": self.access.region, "virtual_hosted_style_request": self.access.endpoint is None}
        if self.access.endpoint is not None:
            config["endpoint"] = self.access.endpoint
        if self.access.access_key is not None and self.access.secret_key is not None:
            config["access_key_id"] = self.access.access_key
            config["secret_access_key"] = self.access.secret_key
        return S3Store(
            self.bucket, prefix=self.prefix or None, config=config, client_options=client, retry_config=retry
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    broken: bool = False


async def _in_parts(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    held = bytearray()
    async for chunk in chunks:
        held += chunk
        if len(held) >= PART:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


async def _taken(handed: "asyncio.Queue[bytes | _End]") -> AsyncIterator[bytes]:
    while not isinstance(part := await handed.get(), _End):
        yield part
    if part.broken:
        raise EOFError("the parts broke off")


async def _hand(
    part: bytes | _End, handed: "asyncio.Queue[bytes | _End]", storing: "asyncio.Future[PutResult]"
) -> None:
    """Waits until obstore takes the part, or raises why it takes no more."""
    handing = asyncio.ensure_future(handed.put(part))
    try:
        await asyncio.wait([handing, storing], return_when=asyncio.FIRST_COMPLETED)
        if storing.done():
            storing.result()
    finally:
        handing.cancel()


async def _streamed(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    with _told_as_unavailable():
        async for chunk in stream:
            yield bytes(chunk)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


def _make_durable(path: Path) -> None:
    """A row is about to say that these bytes are there: they survive a loss of power from here on."""
    for place, flags in ((path, os.O_RDONLY), (path.parent, os.O_RDONLY | os.O_DIRECTORY)):
        descriptor = os.open(place, flags)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove(paths: Sequence[Path]) -> None:
    """The files, and beside them what a killed writer had begun (obstore writes to `NAME#1` first)."""
    for path in paths:
        path.unlink(missing_ok=True)
        for begun in path.parent.glob(f"{path.name}#*"):
            begun.unlink(missing_ok=True)


@contextmanager
def _told_as_unavailable() -> Generator[None]:
    try:
        yield
    except (FileNotFoundError, ConnectionError):
        raise
    except (BaseError, OSError) as error:
        reason = str(error).partition("\n")[0][:300]
        raise StorageUnavailable(f"The file storage does not take or give it: {reason}") from error
