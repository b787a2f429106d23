"""The http node with files: bodies that are streamed from the file storage, and answers that are streamed into it."""

import asyncio
import gzip
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import cast

import pytest
import uuid_utils.compat as uuid

from db.connections import EnginePool
from db.files import PostgresFiles
from domain.engine.outcomes import Completed, Failed
from domain.files import FileRef, Files, referenced
from domain.files_keep import FileLimits, Keeping, StepFiles
from domain.ids import FileId, TenantId
from domain.json import JSON, JSONObject, as_object
from jobs.storage import ObjectStorage
from tests.unit.http_server import Answer, Server, http_server
from tests.unit.node_world import EXECUTION, NOW, TENANT, NodeWorld, node_world

MOST = 1_000_000
PICTURE = os.urandom(300_000)


@dataclass(frozen=True)
class Place:
    world: NodeWorld
    server: Server
    files: Files
    pool: EnginePool

    async def stored(self, content: bytes, name: str = "a.png", media_type: str = "image/png") -> FileRef:
        async def chunks() -> AsyncIterator[bytes]:
            yield content

        return await self.files.put(name, media_type, chunks())

    async def content(self, reference: JSON) -> bytes:
        file_id = referenced(reference)
        assert file_id is not None
        _, chunks = await self.files.open(file_id)
        return b"".join([chunk async for chunk in chunks])

    async def body(self, **config: JSON) -> JSON:
        """The body of what came back."""
        outcome = await self.world.run("http", {"url": f"{self.server.url}/x", **config})
        assert isinstance(outcome, Completed), outcome
        return as_object(outcome.output)["body"]

    async def failed(self, **config: JSON) -> Failed:
        outcome = await self.world.run("http", {"url": f"{self.server.url}/x", **config})
        assert isinstance(outcome, Failed), outcome
        return outcome

    async def count(self) -> int:
        return await self.pool.fetchval("SELECT count(*) FROM file WHERE tenant_id = $1", TENANT)


@asynccontextmanager
async def place_in(pool: EnginePool, directory: Path) -> AsyncGenerator[Place]:
    storage = ObjectStorage(directory=directory)
    limits = FileLimits(max_bytes=MOST, quota_bytes=10 * MOST, retention=timedelta(days=1))

    def files_of(tenant: TenantId) -> StepFiles:
        rows = PostgresFiles(tenant, pool.fetch)
        return StepFiles(
            Keeping(tenant_id=tenant, rows=rows, storage=storage, limits=limits, ids=uuid.uuid7, clock=lambda: NOW)
        )

    async with http_server() as server, node_world(allow=(server.host,), max_response_bytes=1_000) as world:
        given = replace(world, supplies=replace(world.supplies, files=files_of))
        yield Place(given, server, files_of(TENANT), pool)


@pytest.fixture
async def place(engine_pool: EnginePool, tmp_path: Path) -> AsyncGenerator[Place]:
    await engine_pool.execute(
        "INSERT INTO tenant (id, slug, name, created_at) VALUES ($1, 'nodes', 'nodes', $2) ON CONFLICT DO NOTHING",
        TENANT, NOW,
    )  # fmt: skip
    async with place_in(engine_pool, tmp_path) as place:
        yield place
    for table in ("file", "file_leftover", "file_usage"):
        await engine_pool.execute(f"DELETE FROM {table} WHERE tenant_id = $1", TENANT)


@pytest.mark.parametrize(
    ("content_type", "disposition", "name"),
    [
        ("image/png", None, "x"),
        ("Image/PNG; a=b", 'attachment; filename="../p.png"', "p.png"),
        ("image/png", "attachment; filename*=UTF-8''Gr%C3%BC%C3%9Fe.png", "Grüße.png"),
    ],
)
async def test_what_is_neither_json_nor_text_becomes_a_file_and_the_output_its_reference(
    place: Place, content_type: str, disposition: str | None, name: str
) -> None:
    headers = {"content-type": content_type, **({"content-disposition": disposition} if disposition else {})}
    place.server.answers["/x"] = Answer(headers=headers, body=PICTURE)

    reference = await place.body()

    assert isinstance(reference, dict)
    assert {**reference, "$file": "", "sha256": ""} == {
        "$file": "",
        "name": name,
        "mediaType": "image/png",
        "size": len(PICTURE),
        "sha256": "",
    }
    assert await place.content(reference) == PICTURE
    assert await place.pool.fetchval("SELECT execution_id FROM file WHERE tenant_id = $1", TENANT) == EXECUTION


async def test_any_answer_is_taken_as_a_file_when_told_and_none_larger_than_files_may_be(place: Place) -> None:
    json = {"content-type": "application/json"}
    place.server.answers["/x"] = Answer(headers=json, body=b"[" + b"1," * 5_000 + b"1]")
    reference = await place.body(responseType="binary")
    assert len(await place.content(reference)) == 10_003

    bomb = gzip.compress(bytes(MOST + 1))
    place.server.answers["/x"] = Answer(headers={**json, "content-encoding": "gzip"}, body=bomb)
    outcome = await place.failed(responseType="binary")

    assert (outcome.code, outcome.retryable) == ("TOO_LARGE", False)
    assert await place.count() == 1


async def test_an_answer_that_breaks_off_leaves_no_file(place: Place) -> None:
    place.server.answers["/x"] = Answer(headers={"content-length": "400000"}, body=PICTURE)

    outcome = await place.failed(responseType="binary")

    assert (outcome.code, outcome.retryable, await place.count()) == ("CONNECTION_FAILED", True, 0)


@pytest.mark.parametrize("body_type", ["binary", "auto"])
async def test_a_file_is_sent_as_it_is_after_every_redirect_too(place: Place, body_type: str) -> None:
    place.server.answers |= {"/x": Answer(status=307, headers={"location": "/y"}), "/y": Answer()}
    ref = await place.stored(PICTURE)

    await place.body(method="PUT", bodyType=body_type, body=ref.as_json())

    for request in place.server.received:
        assert (request.headers["content-type"], request.body) == ("image/png", PICTURE)
        assert request.headers["content-length"] == str(len(PICTURE))
        assert "transfer-encoding" not in request.headers
    assert [request.target for request in place.server.received] == ["/x", "/y"]


async def test_files_and_values_are_sent_as_one_form(place: Place) -> None:
    place.server.answers["/x"] = Answer()
    first, second = await place.stored(PICTURE, 'a"b.png'), await place.stored(b"", "empty", "text/plain")
    body: JSONObject = {"title": "x", "pages": [first.as_json(), second.as_json()]}

    await place.body(method="POST", bodyType="multipart", body=body)

    [request] = place.server.received
    message = message_from_bytes(f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode() + request.body)
    parts = cast("list[Message]", message.get_payload())
    assert [(part.get_filename(), part.get_content_type(), part.get_payload(decode=True)) for part in parts] == [
        (None, "text/plain", b"x"),
        ("a%22b.png", "image/png", PICTURE),
        ("empty", "text/plain", b""),
    ]


async def test_a_file_that_is_not_there_is_not_sent(place: Place) -> None:
    missing = FileRef(id=FileId(uuid.uuid7()), name="a", media_type="a/b", size=1, sha256="")

    outcome = await place.failed(method="POST", body=missing.as_json())

    assert (outcome.code, outcome.retryable, place.server.received) == ("NOT_FOUND", False, [])


async def test_two_large_answers_at_once_are_two_files(place: Place) -> None:
    place.server.answers["/x"] = Answer(headers={"content-type": "image/png"}, body=PICTURE)

    bodies = await asyncio.gather(*(place.body() for _ in range(2)))

    assert [await place.content(each) for each in bodies] == [PICTURE, PICTURE]
    assert await place.count() == 2
