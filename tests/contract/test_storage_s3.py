"""The file storage against a real HTTP server that speaks S3 (moto): the same promises as a directory gives."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Generator

import httpx
import pytest
from moto.server import ThreadedMotoServer

from jobs.storage import PART, ObjectStorage, S3Access, StorageUnavailable, open_storage


@pytest.fixture(scope="module")
def s3() -> Generator[str]:
    """The address of a server with the bucket `weir`."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    httpx.put(f"{url}/weir").raise_for_status()
    yield url
    server.stop()


@pytest.fixture
def storage(s3: str) -> ObjectStorage:
    return open_storage("s3://weir/files/here", S3Access(endpoint=s3, access_key="key", secret_key="secret"))


async def pieces(content: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def read(storage: ObjectStorage, key: str, start: int, end: int) -> bytes:
    return b"".join([chunk async for chunk in await storage.read(key, start, end)])


async def lying(s3: str) -> list[str]:
    async with httpx.AsyncClient() as http:
        objects = (await http.get(f"{s3}/weir", params={"list-type": "2"})).text
        uploads = (await http.get(f"{s3}/weir?uploads")).text
    return re.findall("<Key>(.*?)</Key>", objects) + re.findall("<UploadId>(.+?)</UploadId>", uploads)


@pytest.mark.parametrize("size", [0, 1, PART, 2 * PART + 5])
async def test_bytes_are_written_under_the_prefix_read_and_deleted(storage: ObjectStorage, s3: str, size: int) -> None:
    content = os.urandom(size)

    await storage.write("tenant/ab/file", pieces(content))

    assert await lying(s3) == ["files/here/tenant/ab/file"]
    assert await read(storage, "tenant/ab/file", 0, size) == content
    assert await read(storage, "tenant/ab/file", 1, min(size, 10)) == content[1:10]
    await storage.delete(["tenant/ab/file", "tenant/ab/never"])
    await storage.delete(["tenant/ab/file"])
    assert await lying(s3) == []


async def test_a_source_that_breaks_off_and_a_cancelled_writer_leave_no_object_and_no_begun_upload(
    storage: ObjectStorage, s3: str
) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"x" * (2 * PART)
        raise ZeroDivisionError

    entered = asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * PART
        entered.set()
        await asyncio.Event().wait()

    with pytest.raises(ZeroDivisionError):
        await storage.write("a", breaking())
    writing = asyncio.create_task(storage.write("b", stalling()))
    await asyncio.wait_for(entered.wait(), 20)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing

    assert await lying(s3) == []


async def test_what_is_not_there_is_not_found(storage: ObjectStorage) -> None:
    with pytest.raises(FileNotFoundError):
        await storage.read("nothing", 0, 1)


async def test_a_storage_that_is_away_is_said_to_be_and_no_secret_with_it() -> None:
    away = open_storage("s3://weir", S3Access(endpoint="http://127.0.0.1:1", access_key="key", secret_key="geheim"))

    with pytest.raises(StorageUnavailable) as failure:
        await away.read("a", 0, 1)

    assert "geheim" not in str(failure.value) + repr(away)
