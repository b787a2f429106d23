"""Files on real rows and a real directory: whole or not at all, within limits, and gone when their time is over."""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uuid_utils.compat as uuid

from db import statements
from db.connections import EnginePool, tenant_scope
from db.files import Files, PostgresFiles, PostgresFileSweeping
from domain import files_keep
from domain.errors import InvalidState, NotFound
from domain.files import File, FileFilter, FileTooLarge, StorageFull, file_name, media_type
from domain.files_keep import LONGEST_UPLOAD, FileLimits, Keeping, NewFile, StepFiles
from domain.ids import ExecutionId, FileId, TenantId
from domain.paging import page
from jobs.storage import PART, ObjectStorage
from tests.databases import make_tenant

NOW = datetime(2020, 11, 21, 9, 0, tzinfo=UTC)
"""Long ago, so that nothing of other tests is ever due here: sweepers see all tenants."""
LIMITS = FileLimits(max_bytes=3 * PART, quota_bytes=4 * PART, retention=timedelta(days=30))


@dataclass
class Cabinet:
    """One tenant's files, their storage, and a clock to be turned."""

    pool: EnginePool
    tenant: TenantId
    storage: ObjectStorage
    now: datetime = NOW
    limits: FileLimits = field(default=LIMITS)

    @property
    def keeping(self) -> Keeping:
        return Keeping(
            tenant_id=self.tenant,
            rows=PostgresFiles(self.tenant, self.pool.fetch),
            storage=self.storage,
            limits=self.limits,
            ids=uuid.uuid7,
            clock=lambda: self.now,
        )

    async def put(self, content: bytes, name: str = "a.txt", execution: ExecutionId | None = None) -> File:
        new = NewFile(name=name, media_type="text/plain", execution_id=execution)
        return await files_keep.put(new, pieces(content), given=self.keeping)

    async def read(self, file: File, start: int = 0, end: int | None = None) -> bytes:
        found = await files_keep.read(file, given=self.keeping, start=start, end=end)
        return b"".join([chunk async for chunk in found])

    async def sweep(self) -> tuple[int, int]:
        return await files_keep.sweep(PostgresFileSweeping(self.pool), self.storage, lambda: self.now)

    async def rows(self) -> int:
        return await self.pool.fetchval("SELECT count(*) FROM file WHERE tenant_id = $1", self.tenant)

    def lying(self) -> list[Path]:
        """Everything that lies in the tenant's directory."""
        assert self.storage.directory is not None
        return [path for path in (self.storage.directory / str(self.tenant)).rglob("*") if path.is_file()]


@pytest.fixture
async def cabinet(engine_pool: EnginePool, tmp_path: Path) -> AsyncGenerator[Cabinet]:
    yield Cabinet(engine_pool, await make_tenant(engine_pool), ObjectStorage(directory=tmp_path))
    # Their storage is gone with the test.
    await engine_pool.execute("DELETE FROM file WHERE created_at < $1", NOW + timedelta(days=31))
    await engine_pool.execute("DELETE FROM file_leftover WHERE due_at < $1", NOW + timedelta(days=31))


async def pieces(content: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.mark.parametrize("size", [0, 1, 100_000, PART, PART + 1, 2 * PART + 17])
async def test_what_was_put_is_read_again(cabinet: Cabinet, size: int) -> None:
    content = os.urandom(size)

    file = await cabinet.put(content)

    assert await cabinet.read(file) == content
    assert (file.size, file.sha256) == (size, hashlib.sha256(content).hexdigest())
    assert await cabinet.keeping.rows.get(file.id) == file
    assert await cabinet.keeping.rows.used() == size


async def test_a_part_of_a_file_is_read_alone(cabinet: Cabinet) -> None:
    file = await cabinet.put(b"0123456789")

    assert [await cabinet.read(file, 2, 5), await cabinet.read(file, 9), await cabinet.read(file, 4, 4)] == [
        b"234",
        b"9",
        b"",
    ]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\windows\\system.ini", "system.ini"),
        ("/", "file"),
        ("..", "file"),
        ("", "file"),
        ("a\x00b\r\nc\u202etxt.exe", "abctxt.exe"),
        ("Grüße 🎁.pdf", "Grüße 🎁.pdf"),
        ("x" * 300 + ".pdf", "x" * 196 + ".pdf"),
        ("x" * 300, "x" * 200),
    ],
)
async def test_a_name_is_made_harmless_and_decides_nothing_of_where_the_bytes_lie(
    cabinet: Cabinet, given: str, kept: str
) -> None:
    file = await cabinet.put(b"x", name=given)

    assert (file.name, file_name(given)) == (kept, kept)
    assert cabinet.storage.directory is not None
    assert cabinet.lying() == [cabinet.storage.directory / file.storage_key]
    assert file.storage_key == f"{cabinet.tenant}/{file.id.hex[-2:]}/{file.id}"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Text/HTML; charset=utf-8", "text/html"),
        (None, "application/octet-stream"),
        ("text", "application/octet-stream"),
        ("a/b\r\nx: y", "application/octet-stream"),
    ],
)
def test_a_media_type_is_plain_or_unknown(given: str | None, kept: str) -> None:
    assert media_type(given) == kept


@pytest.mark.parametrize("size", [PART // 2, 2 * PART])
async def test_a_file_beyond_the_limit_leaves_nothing(cabinet: Cabinet, size: int) -> None:
    cabinet.limits = replace(LIMITS, max_bytes=size)

    with pytest.raises(FileTooLarge):
        await cabinet.put(b"x" * (size + 1))

    assert (cabinet.lying(), await cabinet.rows(), await cabinet.keeping.rows.used()) == ([], 0, 0)
    assert await cabinet.sweep() == (0, 0)


async def test_a_source_that_breaks_off_or_a_writer_that_is_cancelled_leaves_nothing_to_be_seen(
    cabinet: Cabinet,
) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"x" * (2 * PART)
        raise ZeroDivisionError

    entered = asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        yield b"x" * PART
        yield b"x" * PART
        entered.set()
        await asyncio.Event().wait()
        yield b""

    with pytest.raises(ZeroDivisionError):
        await files_keep.put(NewFile(name="a"), breaking(), given=cabinet.keeping)
    putting = asyncio.create_task(files_keep.put(NewFile(name="a"), stalling(), given=cabinet.keeping))
    await asyncio.wait_for(entered.wait(), 10)
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting

    assert (cabinet.lying(), await cabinet.rows()) == ([], 0)


async def test_all_files_of_a_tenant_together_stay_within_its_quota(cabinet: Cabinet) -> None:
    cabinet.limits = replace(LIMITS, max_bytes=100, quota_bytes=150)
    other = replace(cabinet, tenant=await make_tenant(cabinet.pool))
    first = await cabinet.put(b"x" * 100)

    with pytest.raises(StorageFull):
        await cabinet.put(b"x" * 51)
    await other.put(b"x" * 100)
    assert await cabinet.keeping.rows.used() == 100

    await files_keep.delete(first.id, given=cabinet.keeping)
    await cabinet.put(b"x" * 100)
    assert await cabinet.keeping.rows.used() == 100


async def test_two_puts_at_once_never_pass_the_quota_together(cabinet: Cabinet) -> None:
    cabinet.limits = replace(LIMITS, quota_bytes=150)
    both_began = asyncio.Barrier(2)

    async def slowly() -> AsyncIterator[bytes]:
        yield b"x" * 100
        await both_began.wait()

    outcomes = await asyncio.gather(
        *(files_keep.put(NewFile(name="a"), slowly(), given=cabinet.keeping) for _ in range(2)),
        return_exceptions=True,
    )

    kept = [each for each in outcomes if isinstance(each, File)]
    assert sorted(type(each).__name__ for each in outcomes) == ["File", "StorageFull"]
    assert [path.name for path in cabinet.lying()] == [str(kept[0].id)]
    assert (await cabinet.keeping.rows.used(), await cabinet.rows()) == (100, 1)


async def test_two_puts_at_once_are_two_files(cabinet: Cabinet) -> None:
    first, second = await asyncio.gather(cabinet.put(b"one", "same"), cabinet.put(b"two", "same"))

    assert (await cabinet.read(first), await cabinet.read(second)) == (b"one", b"two")


async def test_a_deleted_file_is_gone_at_once_and_its_bytes_soon(cabinet: Cabinet) -> None:
    file = await cabinet.put(b"x" * 10)

    assert await files_keep.delete(file.id, given=cabinet.keeping) == file
    with pytest.raises(NotFound):
        await files_keep.describe(file.id, given=cabinet.keeping)
    with pytest.raises(NotFound):
        await files_keep.delete(file.id, given=cabinet.keeping)
    assert await cabinet.keeping.rows.used() == 0

    assert await cabinet.sweep() == (0, 1)
    assert await cabinet.sweep() == (0, 0)
    assert cabinet.lying() == []
    with pytest.raises(NotFound):
        await cabinet.read(file)


async def test_another_tenants_file_is_a_missing_one(cabinet: Cabinet) -> None:
    file = await cabinet.put(b"x")
    other = replace(cabinet, tenant=await make_tenant(cabinet.pool))

    with pytest.raises(NotFound) as foreign:
        await StepFiles(other.keeping).open(file.id)
    with pytest.raises(NotFound):
        await files_keep.delete(file.id, given=other.keeping)
    assert foreign.value.message.startswith("There is no file file_")
    assert await cabinet.read(file) == b"x"


async def test_a_file_goes_when_its_time_is_over_but_not_while_its_execution_lives(cabinet: Cabinet) -> None:
    living, finished = (ExecutionId(uuid.uuid7()) for _ in range(2))
    for execution, end in ((living, None), (finished, NOW)):
        await cabinet.pool.execute(
            "INSERT INTO execution (id, tenant_id, workflow_id, version_id, created_at, trigger_type, finished_at,"
            " wants_owner) VALUES ($1, $2, $1, $1, $3, 'API', $4, false)",
            execution, cabinet.tenant, NOW, end,
        )  # fmt: skip
    kept = await cabinet.put(b"1", execution=living)
    for execution in (finished, ExecutionId(uuid.uuid7()), None):
        await cabinet.put(b"1", execution=execution)
    cabinet.limits = replace(LIMITS, retention=None)
    forever = await cabinet.put(b"1")

    cabinet.now = NOW + timedelta(days=30, seconds=-1)
    assert await cabinet.sweep() == (0, 0)
    cabinet.now = NOW + timedelta(days=30)
    assert await cabinet.sweep() == (3, 3)

    assert sorted(path.name for path in cabinet.lying()) == sorted([str(kept.id), str(forever.id)])
    assert (await cabinet.rows(), await cabinet.keeping.rows.used()) == (2, 2)


async def test_an_upload_slower_than_the_sweeper_waits_is_given_up_rather_than_kept_without_bytes(
    cabinet: Cabinet,
) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        yield b"x"
        cabinet.now = NOW + LONGEST_UPLOAD
        assert await cabinet.sweep() == (0, 1)

    with pytest.raises(InvalidState):
        await files_keep.put(NewFile(name="a"), slowly(), given=cabinet.keeping)

    assert (cabinet.lying(), await cabinet.rows()) == ([], 0)


async def test_leftovers_a_killed_sweeper_had_taken_are_swept_by_another(cabinet: Cabinet) -> None:
    file = await cabinet.put(b"x")
    await files_keep.delete(file.id, given=cabinet.keeping)
    taken = await PostgresFileSweeping(cabinet.pool).take(NOW, NOW + timedelta(minutes=10), 10)

    assert list(taken) == [file.storage_key]
    assert await cabinet.sweep() == (0, 0)
    cabinet.now = NOW + timedelta(minutes=10)
    assert await cabinet.sweep() == (0, 1)
    assert cabinet.lying() == []


UPLOADER = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID
import uuid_utils.compat as uuid
from db.connections import engine_pool
from db.files import PostgresFiles
from domain.files_keep import FileLimits, Keeping, NewFile, put
from jobs.storage import PART, ObjectStorage

async def endless():
    for _ in range(3):
        yield b"x" * PART
    print("writing", flush=True)
    await asyncio.Event().wait()

async def main(dsn, tenant, directory):
    pool = await engine_pool(dsn, 1)
    tenant = UUID(tenant)
    await put(NewFile(name="a"), endless(), given=Keeping(
        tenant_id=tenant, rows=PostgresFiles(tenant, pool.fetch), storage=ObjectStorage(directory=Path(directory)),
        limits=FileLimits(max_bytes=10**9, quota_bytes=10**9, retention=None), ids=uuid.uuid7,
        clock=lambda: datetime(2020, 11, 21, 9, 0, tzinfo=UTC)))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_an_upload_killed_in_the_middle_leaves_no_row_and_its_bytes_are_swept(
    cabinet: Cabinet, database: str
) -> None:
    assert cabinet.storage.directory is not None
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", UPLOADER, database, str(cabinet.tenant), str(cabinet.storage.directory),
        stdout=subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 30) == b"writing\n"
    process.send_signal(signal.SIGKILL)
    await process.wait()

    begun = cabinet.lying()
    assert (len(begun), await cabinet.rows(), await cabinet.keeping.rows.used()) == (1, 0, 0)
    cabinet.now = NOW + LONGEST_UPLOAD - timedelta(seconds=1)
    assert await cabinet.sweep() == (0, 0)
    cabinet.now = NOW + LONGEST_UPLOAD
    assert await cabinet.sweep() == (0, 1)
    assert cabinet.lying() == []


async def test_the_application_role_keeps_lists_and_deletes_files_of_its_tenant_alone(
    cabinet: Cabinet, app_db: None
) -> None:
    other = replace(cabinet, tenant=await make_tenant(cabinet.pool))
    await other.put(b"other", name="needle")
    with tenant_scope(cabinet.tenant):
        given = replace(cabinet.keeping, rows=PostgresFiles(cabinet.tenant, statements.fetch))
        first = await files_keep.put(NewFile(name="Needle.txt"), pieces(b"1"), given=given)
        cabinet.now += timedelta(seconds=1)
        execution = ExecutionId(uuid.uuid7())
        made = NewFile(name="hay", execution_id=execution, created_by="user_x")
        second = await files_keep.put(made, pieces(b"2"), given=given)
        listed, whole = Files(cabinet.tenant), FileFilter()

        assert [f.id for f in (await listed.page(whole, page(10, None, None, None))).items] == [second.id, first.id]
        assert (await listed.page(whole, page(1, None, None, None))).items == [second]
        assert (await listed.page(FileFilter(search="needle"), page(9, None, None, None))).items == [first]
        assert (await listed.page(FileFilter(execution_id=execution), page(9, None, None, None))).items == [second]
        assert await listed.count(whole) == 2
        assert await files_keep.delete(FileId(first.id), given=given) == first
        assert await listed.count(whole) == 1
