"""Keys are replaced while everything reads and writes, and a run that was killed is brought to its end by the next."""

import asyncio
import re
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uuid_utils.compat as uuid
from click.testing import CliRunner
from tortoise.context import TortoiseContext

from app import keys
from app.cli import cli
from app.keyring import keyring
from app.master_keys import MasterKeys
from app.settings import PROJECT, Settings
from app.stack import Stack
from db import key_rotation
from db.connections import APP_ROLE, EnginePool, engine_pool, tenant_scope, tortoise_config
from db.data_keys import Keyring
from db.key_rotation import RotationUnderWay
from db.migrate import migrate
from db.service_connections import ServiceConnections
from db.service_connections_step import StepConnections
from domain.connections import SavedConnection
from domain.ids import ConnectionId, TenantId
from tests.databases import make_tenant, new_database

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
OLD, NEW = b"o" * 32, b"n" * 32
BOTH = Keyring.local(NEW, OLD)
REFERRING = """
SELECT conrelid::regclass::text FROM pg_constraint WHERE contype = 'f' AND confrelid = 'data_key'::regclass ORDER BY 1
"""


@pytest.fixture
async def own(stack: Stack) -> AsyncGenerator[str]:
    """The DSN of a database of this test's own: rotations concern all tenants there are."""
    async with new_database(stack.database_url) as dsn:
        await migrate(dsn)
        yield dsn


@pytest.fixture
async def pool(own: str) -> AsyncGenerator[EnginePool]:
    pool = await engine_pool(own, 4)
    yield pool
    await pool.close()


@asynccontextmanager
async def application(own: str) -> AsyncGenerator[None]:
    """Repositories of this task reach the test's own database, beside the one that the process may use."""
    async with TortoiseContext() as context:
        await context.init(config=tortoise_config(own, size=2, role=APP_ROLE))
        yield


async def saved(tenant: TenantId, ring: Keyring, name: str, **secrets: str) -> SavedConnection:
    new = SavedConnection(id=ConnectionId(uuid.uuid7()), name=name, type="custom", created_at=NOW, updated_at=NOW)
    with tenant_scope(tenant):
        await ServiceConnections(tenant, ring).insert(new, secrets)
    return new


async def populated(own: str, ring: Keyring, tenants: int, each: int = 2) -> Mapping[TenantId, list[str]]:
    found: dict[TenantId, list[str]] = {}
    pool = await engine_pool(own, 1)
    async with application(own):
        for _ in range(tenants):
            tenant = await make_tenant(pool)
            found[tenant] = [f"c{number}" for number in range(each)]
            for name in found[tenant]:
                await saved(tenant, ring, name, password=f"{name} of {tenant}", token="t")
    await pool.close()
    return found


async def assert_all_open(pool: EnginePool, ring: Keyring, there: Mapping[TenantId, list[str]]) -> None:
    for tenant, names in there.items():
        for name in names:
            found = await StepConnections(tenant, pool, ring).get(name)
            assert found.secrets == {"password": f"{name} of {tenant}", "token": "t"}


def silent(_what: str, _done: int, _total: int) -> None:
    pass


def nothing(_done: int, _total: int) -> None:
    pass


async def test_every_data_key_comes_under_the_new_master_key_and_all_secrets_still_open(
    own: str, pool: EnginePool
) -> None:
    there = await populated(own, Keyring.local(OLD), 3)
    told: list[tuple[int, int]] = []

    async with key_rotation.exclusive(pool) as connection:
        done = await key_rotation.rewrap(connection, BOTH, lambda at, total: told.append((at, total)))
        again = await key_rotation.rewrap(connection, BOTH, nothing)
        counts = await key_rotation.counts(connection)

    assert (done.changed, done.lost, again.changed) == (3, (), 0)
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert counts == {BOTH.ids[0]: 3}
    await assert_all_open(pool, Keyring.local(NEW), there)


async def test_who_does_not_know_the_key_is_named_and_nothing_of_theirs_changes(own: str, pool: EnginePool) -> None:
    await populated(own, Keyring.local(OLD), 1)
    (lost,) = await populated(own, Keyring.local(b"x" * 32), 1)

    async with key_rotation.exclusive(pool) as connection:
        done = await key_rotation.rewrap(connection, BOTH, nothing)
        counts = await key_rotation.counts(connection)

    assert (done.changed, done.lost) == (1, (f"tenant {lost}: The tenant's data key 1 cannot be decrypted",))
    assert counts == {BOTH.ids[0]: 1, Keyring.local(b"x" * 32).ids[0]: 1}


async def test_every_secret_comes_under_a_new_data_key(own: str, pool: EnginePool) -> None:
    ring = Keyring.local(OLD)
    there = await populated(own, ring, 3)
    before = {row["sealed"] for row in await pool.fetch("SELECT sealed FROM connection_secret")}

    async with key_rotation.exclusive(pool) as connection:
        tenants = await key_rotation.renew(connection, ring, NOW)
        waiting = await key_rotation.stale(connection)
        done = await key_rotation.reencrypt(connection, ring, nothing)
        left = await key_rotation.stale(connection)

    assert (tenants, waiting, done.changed, done.lost, left) == (3, 12, 12, (), 0)
    rows = await pool.fetch("SELECT sealed, generation FROM connection_secret")
    assert {row["generation"] for row in rows} == {2}
    assert before.isdisjoint({row["sealed"] for row in rows})
    await assert_all_open(pool, ring, there)


async def test_a_secret_that_does_not_open_is_named_and_the_others_are_encrypted(own: str, pool: EnginePool) -> None:
    ring = Keyring.local(OLD)
    (tenant,) = await populated(own, ring, 1)
    async with application(own):
        damaged = await saved(tenant, ring, "Damaged", password="p")
    await pool.execute("UPDATE connection_secret SET sealed = sealed || 'x' WHERE connection_id = $1", damaged.id)

    async with key_rotation.exclusive(pool) as connection:
        await key_rotation.renew(connection, ring, NOW)
        done = await key_rotation.reencrypt(connection, ring, nothing)

    why = "It was changed, moved, or sealed by another key"
    assert (done.changed, done.lost) == (
        4,
        (f"tenant {tenant}, connection_secret {damaged.id}, password: {why}",),
    )


async def test_readers_and_writers_notice_nothing_while_keys_are_replaced(own: str, pool: EnginePool) -> None:
    """Two of them go on all the while: one reads with a keyring that knows both keys, one changes a secret."""
    there = await populated(own, Keyring.local(OLD), 4)
    first = next(iter(there))
    async with application(own):
        changing = await saved(first, BOTH, "Changing", password="0")
    over = asyncio.Event()

    async def read() -> int:
        rounds = 0
        while not over.is_set() or rounds == 0:
            await assert_all_open(pool, BOTH, there)
            rounds += 1
        return rounds

    async def write() -> int:
        number = 0
        async with application(own):
            while not over.is_set() or number == 0:
                number += 1
                with tenant_scope(first):
                    store = ServiceConnections(first, BOTH)
                    (current,) = await store.by_ids([changing.id])
                    await store.save(current, {"password": str(number)}, expected_revision=current.revision)
        return number

    reading, writing = asyncio.create_task(read()), asyncio.create_task(write())
    async with key_rotation.exclusive(pool) as connection:
        await key_rotation.rewrap(connection, BOTH, nothing)
        for _ in range(3):
            await key_rotation.renew(connection, BOTH, NOW)
            await key_rotation.reencrypt(connection, BOTH, nothing)
    over.set()
    rounds, written = await asyncio.gather(reading, writing)

    assert min(rounds, written) > 0
    assert (await StepConnections(first, pool, BOTH).get("Changing")).secrets == {"password": str(written)}
    await assert_all_open(pool, Keyring.local(NEW), there)


async def test_one_rotation_at_a_time(pool: EnginePool) -> None:
    async with key_rotation.exclusive(pool):
        with pytest.raises(RotationUnderWay, match="Another rotation is under way"):
            async with key_rotation.exclusive(pool):
                pass
    async with key_rotation.exclusive(pool):
        pass


async def test_every_table_that_refers_to_data_keys_is_encrypted_anew(pool: EnginePool) -> None:
    referring = [row[0] for row in await pool.fetch(REFERRING)]

    assert referring == sorted(table.name for table in key_rotation.SEALED)


# As a command, killed


KILLED = """
import asyncio, os, signal, sys
from db import key_rotation
from app.cli import cli
limit = int(sys.argv.pop(1))
real = key_rotation.{name}
async def dying(*arguments):
    global limit
    limit -= 1
    if limit < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return await real(*arguments)
key_rotation.{name} = dying
cli(sys.argv[1:])
"""


def settings_of(own: str, stack: Stack, tmp_path: Path) -> Mapping[str, str]:
    return {
        "WEIR_DATABASE_URL": own,
        "WEIR_REDIS_URL": stack.redis_url,
        "WEIR_MASTER_KEY_FILE": str(tmp_path / "keys"),
        "WEIR_DATA_DIR": str(tmp_path),
        "PYTHONPATH": str(PROJECT),
        "PATH": "/usr/bin:/bin",
    }


def mode(file: Path) -> int:
    return file.stat().st_mode & 0o777


async def run(program: str, *arguments: str, environment: Mapping[str, str]) -> tuple[int | None, str]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-c", program, *arguments, cwd=PROJECT, env=environment, stdout=pipe, stderr=pipe
    )
    async with asyncio.timeout(50):
        output, complaints = await process.communicate()
    return process.returncode, (output + complaints).decode()


COMMAND = "import sys; from app.cli import cli; cli(sys.argv[1:])"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text("b29vb29vb29vb29vb29vb29vb29vb29vb29vb29vb28=\n")  # OLD
    file.chmod(0o640)
    return file


async def test_a_killed_rotation_of_the_master_key_goes_on_with_the_key_it_had_made(
    stack: Stack, own: str, pool: EnginePool, tmp_path: Path, key_file: Path
) -> None:
    master_keys = MasterKeys.in_file(key_file)
    ring = keyring(master_keys)
    there = await populated(own, ring, 4, each=1)
    old = ring.ids[0]
    environment = settings_of(own, stack, tmp_path)

    async def unwrapping_dies() -> tuple[int | None, str]:
        program = KILLED.replace("key_rotation.{name}", "key_rotation.Keyring.unwrap")
        return await run(program, "2", "keys", "rotate", environment=environment)

    status, _ = await unwrapping_dies()
    assert status == -9
    made = ring.ids[0]
    assert (made != old, ring.ids[1]) == (True, old)  # this process has seen the new key, without a restart
    assert mode(key_file) == 0o640
    async with pool.acquire() as connection:
        assert await key_rotation.counts(connection) == {old: 2, made: 2}
    await assert_all_open(pool, ring, there)

    status, said = await run(COMMAND, "keys", "rotate", environment=environment)

    assert (status, ring.ids) == (0, (made, old))
    assert f"2 data keys are wrapped anew, by {made.hex()}" in said
    assert "data keys wrapped: 2 of 2" in said
    async with pool.acquire() as connection:
        assert await key_rotation.counts(connection) == {made: 4}
    await assert_all_open(pool, Keyring(lambda: ring._keys()[:1]), there)  # pyright: ignore[reportPrivateUsage]

    status, said = await run(COMMAND, "keys", "list", environment=environment)
    assert status == 0
    assert re.findall(r"^(\w+)  (\w+) +(\w+) +wraps (\d+)", said, re.M) == [
        (made.hex(), "current", "local", "4"),
        (old.hex(), "other", "local", "0"),
    ]


async def test_killed_while_it_encrypts_secrets_anew_it_goes_on_with_the_rest(
    stack: Stack, own: str, pool: EnginePool, tmp_path: Path, key_file: Path
) -> None:
    ring = keyring(MasterKeys.in_file(key_file))
    there = await populated(own, ring, 3)
    environment = settings_of(own, stack, tmp_path)

    status, _ = await run(
        KILLED.format(name="_resealed"), "5", "keys", "rotate", "--data-keys", environment=environment
    )
    assert status == -9
    await assert_all_open(pool, ring, there)
    status, said = await run(COMMAND, "keys", "rotate", "--data-keys", environment=environment)

    assert status == 0
    assert "7 secrets are left of an earlier run: going on with them" in said
    assert "7 secrets are encrypted anew" in said
    generations = await pool.fetch("SELECT generation, count(*) FROM connection_secret GROUP BY 1")
    assert [tuple(row) for row in generations] == [(2, 12)]
    await assert_all_open(pool, ring, there)


async def test_killed_while_it_makes_new_data_keys_none_is_there(
    stack: Stack, own: str, pool: EnginePool, tmp_path: Path, key_file: Path
) -> None:
    ring = keyring(MasterKeys.in_file(key_file))
    await populated(own, ring, 3)
    program = KILLED.replace("key_rotation.{name}", "key_rotation.Keyring.wrap")

    status, _ = await run(program, "2", "keys", "rotate", "--data-keys", environment=settings_of(own, stack, tmp_path))

    assert status == -9
    assert await pool.fetchval("SELECT max(generation) FROM data_key") == 1


async def test_keys_that_nobody_knows_end_with_status_1(
    stack: Stack, own: str, pool: EnginePool, tmp_path: Path, key_file: Path
) -> None:
    (tenant,) = await populated(own, Keyring.local(b"x" * 32), 1)
    environment = settings_of(own, stack, tmp_path)

    assert (await run(COMMAND, "keys", "list", environment=environment))[0] == 1
    status, said = await run(COMMAND, "keys", "rotate", environment=environment)

    assert status == 1
    assert f"cannot be decrypted: tenant {tenant}: The tenant's data key 1 cannot be decrypted" in said


async def test_from_the_environment_the_current_key_takes_over_and_nothing_is_made(
    stack: Stack, own: str, pool: EnginePool, tmp_path: Path
) -> None:
    there = await populated(own, keyring(MasterKeys.of(OLD)), 2)
    settings = Settings(
        data_dir=tmp_path, database_url=own, redis_url=stack.redis_url, master_key=NEW, master_keys_other=(OLD,)
    )
    servers = Stack(settings=settings, database_url=own, redis_url=stack.redis_url)
    said: list[str] = []

    report = await keys.rotate_master_key(servers, said.append, silent)
    again = await keys.rotate_master_key(servers, said.append, silent)

    current = keyring(MasterKeys.of(NEW))
    assert report.said == f"2 data keys are wrapped anew, by {current.ids[0].hex()}"
    assert again.said == f"0 data keys are wrapped anew, by {current.ids[0].hex()}"
    assert said == ["data keys are left that another master key has wrapped: going on with them"]
    await assert_all_open(pool, current, there)


def test_every_command_tells_what_it_does() -> None:
    for command in ([], ["list"], ["rotate"]):
        told = CliRunner().invoke(cli, ["keys", *command, "--help"])
        assert told.exit_code == 0
        assert "Usage:" in told.output
