"""The embedded servers: made, shared, killed, revived, left. Each test has a data directory of its own."""

import asyncio
import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, cast

import asyncpg
import pytest
import redis.asyncio
from arq.connections import RedisSettings, create_pool
from redis.exceptions import RedisError

from app.data_directory import DataDirectory
from app.processes import ServerFailed, identity
from app.settings import PROJECT, Settings, WrongSetting
from app.stack import Stack, open_stack, running
from db.embedded import PROGRAM, PostgresFailed, wheel, with_database

USER_OF_A_STACK = """
import sys
from pathlib import Path
from app.settings import Settings
from app.stack import open_stack
with open_stack(Settings(data_dir=Path(sys.argv[1])), report=print, durable=False) as stack:
    print("ready", flush=True)
    sys.stdin.readline()
"""


class _Redis(Protocol):
    """The part of redis-py that is used here; its own annotations are partial."""

    def info(self, section: str) -> Awaitable[dict[str, object]]: ...
    def aclose(self) -> Awaitable[None]: ...


@pytest.fixture
def data_dir() -> Generator[Path]:
    """A directory that does not exist yet, short and reachable by every account; its servers are stopped at the end."""
    above = Path(tempfile.mkdtemp(prefix="weir-embedded-"))
    above.chmod(0o755)
    yield above / "data"
    if running(above / "data"):
        with opened(above / "data", passing=True):
            pass
    shutil.rmtree(above)


def opened(data_dir: Path, *, passing: bool = False) -> AbstractContextManager[Stack]:
    return open_stack(Settings(data_dir=data_dir), report=print, durable=False, passing=passing)


def use(data_dir: Path) -> subprocess.Popen[str]:
    """Another process that uses the servers until a line is written to it."""
    return subprocess.Popen(
        [sys.executable, "-c", USER_OF_A_STACK, str(data_dir)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def is_ready(user: subprocess.Popen[str]) -> bool:
    """Wait until it says so, or has ended."""
    assert user.stdout is not None
    return any(line == "ready\n" for line in iter(user.stdout.readline, ""))


def end(user: subprocess.Popen[str]) -> int:
    user.communicate("\n", timeout=30)
    return user.returncode


def home(data_dir: Path) -> Path:
    directory = DataDirectory.known(data_dir)
    found = directory.known_home() if directory else None
    assert found is not None
    return found


def postgres_pid(data_dir: Path) -> int:
    return int((home(data_dir) / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def redis_pid(url: str) -> int:
    client = cast("_Redis", redis.asyncio.Redis.from_url(url))  # pyright: ignore[reportUnknownMemberType]
    try:
        return int(str((await client.info("server"))["process_id"]))
    finally:
        await client.aclose()


async def select(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def wait_until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < limit, "it did not happen within 30 s"
        time.sleep(0.01)


async def test_it_is_a_postgresql_18_that_listens_in_a_directory_only_and_asks_for_a_password(stack: Stack) -> None:
    assert str(await select(stack.database_url, "SHOW server_version")).startswith("18.")
    assert await select(stack.database_url, "SELECT current_database()") == "weir"
    assert await select(stack.database_url, "SHOW server_encoding") == "UTF8"
    assert await select(stack.database_url, "SHOW listen_addresses") == ""
    login = stack.database_url.split("@")[0]
    with pytest.raises(asyncpg.InvalidPasswordError):
        await select(stack.database_url.replace(login, "postgresql://weir:wrong"), "SELECT 1")


async def test_a_superusers_url_reaches_every_database_of_the_server(stack: Stack) -> None:
    assert await select(with_database(stack.database_url, "postgres"), "SELECT current_database()") == "postgres"


async def test_redis_is_reached_by_arq_and_refuses_who_has_no_password(stack: Stack) -> None:
    pool = await create_pool(RedisSettings.from_dsn(stack.redis_url))
    assert await pool.queued_jobs() == []
    await pool.aclose()

    login = stack.redis_url.split("@")[0]
    with pytest.raises(RedisError, match="Authentication required"):
        await redis_pid(stack.redis_url.replace(login, "unix://"))


def test_what_is_secret_is_readable_by_its_owner_alone(stack: Stack) -> None:
    inside = home(stack.data_dir)
    directories = [inside, inside / "run", inside / "postgres"]
    files = [stack.data_dir / "master.key", inside / "password", inside / "run" / "redis.conf"]

    assert [mode(path) for path in directories] == [0o700] * 3
    assert [mode(path) for path in files] == [0o600] * 3


async def test_ctrl_c_does_not_reach_the_servers(stack: Stack) -> None:
    sessions = {os.getsid(postgres_pid(stack.data_dir)), os.getsid(await redis_pid(stack.redis_url))}

    assert os.getsid(0) not in sessions


def test_attaching_takes_less_than_a_tenth_of_a_second(stack: Stack) -> None:
    def attach() -> float:
        began = time.perf_counter()
        with opened(stack.data_dir, passing=True):
            return time.perf_counter() - began

    assert min(attach() for _ in range(5)) < 0.1


async def test_data_and_key_survive_an_orderly_stop(data_dir: Path) -> None:
    with opened(data_dir) as stack:
        key = stack.master_keys().all()
        await run(stack.database_url, "CREATE TABLE kept AS SELECT 42 AS value")
    assert running(data_dir) == {}

    with opened(data_dir) as stack:
        assert await select(stack.database_url, "SELECT value FROM kept") == 42
        assert stack.master_keys().all() == key
        assert [len(each) for each in key] == [32]


async def test_a_second_user_attaches_and_the_last_one_to_leave_stops_the_servers(data_dir: Path) -> None:
    with opened(data_dir) as first:
        pid = postgres_pid(data_dir)
        with opened(data_dir) as second:
            assert (second.database_url, second.redis_url) == (first.database_url, first.redis_url)
            assert postgres_pid(data_dir) == pid
        assert running(data_dir) == {"PostgreSQL": first.database_url, "Redis": first.redis_url}
        assert await select(first.database_url, "SELECT 1") == 1
    assert running(data_dir) == {}


def test_processes_that_start_at_once_share_one_pair_of_servers(data_dir: Path) -> None:
    users = [use(data_dir) for _ in range(3)]

    assert [is_ready(user) for user in users] == [True] * 3
    assert set(running(data_dir)) == {"PostgreSQL", "Redis"}
    assert end(users[0]) == 0
    assert end(users[1]) == 0
    assert set(running(data_dir)) == {"PostgreSQL", "Redis"}
    assert end(users[2]) == 0
    assert running(data_dir) == {}


async def test_a_killed_user_leaves_servers_that_the_next_one_takes_over(data_dir: Path) -> None:
    user = use(data_dir)
    assert is_ready(user)
    pid = postgres_pid(data_dir)
    user.kill()
    user.communicate()

    with opened(data_dir) as stack:
        assert postgres_pid(data_dir) == pid
        assert await select(stack.database_url, "SELECT 1") == 1
    assert running(data_dir) == {}


async def test_killed_servers_are_revived_with_everything_committed(data_dir: Path) -> None:
    with opened(data_dir) as stack:
        await run(stack.database_url, "CREATE TABLE kept AS SELECT 42 AS value")
        os.kill(postgres_pid(data_dir), signal.SIGKILL)
        os.kill(await redis_pid(stack.redis_url), signal.SIGKILL)
        wait_until(lambda: running(data_dir) == {})

        assert stack.revive(print) == ("PostgreSQL", "Redis")
        assert await select(stack.database_url, "SELECT value FROM kept") == 42
        assert await redis_pid(stack.redis_url) > 0
        assert stack.revive(print) == ()


async def test_a_start_recovers_after_everything_was_killed_and_pids_were_given_away(data_dir: Path) -> None:
    # given: all processes gone, as after a loss of power, and the pid in every left-over file is somebody else's now
    user = use(data_dir)
    assert is_ready(user)
    urls = running(data_dir)
    await run(urls["PostgreSQL"], "CREATE TABLE kept AS SELECT 42 AS value")
    pids = (postgres_pid(data_dir), await redis_pid(urls["Redis"]))
    user.kill()
    user.communicate()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: running(data_dir) == {})
    for file in (home(data_dir) / "postgres" / "postmaster.pid", home(data_dir) / "run" / ".s.PGSQL.5432.lock"):
        lines = file.read_text().splitlines()
        file.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")

    # when it is started again
    with opened(data_dir) as stack:
        # then nothing is lost and nobody is in the way
        assert await select(stack.database_url, "SELECT value FROM kept") == 42


def test_a_start_that_was_interrupted_leaves_no_half_cluster(data_dir: Path) -> None:
    with opened(data_dir):
        pass
    half = home(data_dir) / "postgres.new"
    (home(data_dir) / "postgres").rename(half)
    (half / "PG_VERSION").unlink()

    with opened(data_dir):
        assert (home(data_dir) / "postgres" / "PG_VERSION").read_text() == "18\n"
        assert not half.exists()


def test_a_cluster_of_another_release_is_refused_and_left_alone(data_dir: Path) -> None:
    with opened(data_dir):
        pass
    version = home(data_dir) / "postgres" / "PG_VERSION"
    version.write_text("17\n")

    with (
        pytest.raises(PostgresFailed, match=r"was made by PostgreSQL 17; the binaries are PostgreSQL 18"),
        opened(data_dir),
    ):
        pass

    version.write_text("18\n")
    assert running(data_dir) == {}


def test_a_postgresql_that_was_started_by_hand_is_neither_used_nor_stopped(data_dir: Path) -> None:
    with opened(data_dir):
        pass
    directory = DataDirectory.known(data_dir)
    binaries = wheel()
    assert directory is not None
    assert binaries is not None
    command = [str(binaries / PROGRAM), "-D", str(home(data_dir) / "postgres"), "-h", "", "-k", str(home(data_dir))]
    by_hand = subprocess.Popen(command, stderr=subprocess.DEVNULL, **identity(directory.account))
    wait_until(lambda: (home(data_dir) / "postgres" / "postmaster.pid").exists())

    with pytest.raises(PostgresFailed, match=rf"Another PostgreSQL \(process {by_hand.pid}\) runs"), opened(data_dir):
        pass

    assert by_hand.poll() is None
    by_hand.send_signal(signal.SIGQUIT)
    by_hand.wait(30)


@pytest.mark.parametrize("name", ["x" * 150, "with space, ' quote and %41"])
def test_a_path_that_suits_no_socket_serves_all_the_same(data_dir: Path, name: str) -> None:
    data_dir.mkdir(mode=0o755)
    with opened(data_dir / name, passing=True) as stack:
        sockets = Path(stack.redis_url.split("@")[1].split("/redis.sock")[0])
        assert sockets.name.startswith("weir-")
        assert asyncio.run(select(stack.database_url, "SELECT 1")) == 1
        assert asyncio.run(redis_pid(stack.redis_url)) > 0
    assert not sockets.exists()


def test_a_passing_data_directory_is_removed_by_its_last_user(data_dir: Path) -> None:
    with opened(data_dir, passing=True):
        with opened(data_dir, passing=True):
            pass
        assert data_dir.exists()
    assert not data_dir.exists()


def test_a_foreign_lock_is_waited_for(data_dir: Path) -> None:
    said: list[str] = []
    with opened(data_dir):
        pass
    with (data_dir / "starting").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        def report(line: str) -> None:
            said.append(line)
            fcntl.flock(held, fcntl.LOCK_UN)

        with open_stack(Settings(data_dir=data_dir), report=report, durable=False):
            pass
    assert said == ["waiting: another process starts or stops the servers"]


def test_named_servers_are_used_and_nothing_is_started(data_dir: Path) -> None:
    settings = Settings(data_dir=data_dir, database_url="postgresql://a/b", redis_url="redis://c")

    with open_stack(settings, report=print) as stack:
        assert (stack.database_url, stack.redis_url) == ("postgresql://a/b", "redis://c")
        assert stack.revive(print) == ()
        with pytest.raises(WrongSetting, match="WEIR_MASTER_KEY must be set"):
            stack.master_keys().all()
    assert not data_dir.exists()


async def test_only_the_server_that_is_not_named_is_started(data_dir: Path) -> None:
    settings = Settings(data_dir=data_dir, database_url="postgresql://a/b")

    with open_stack(settings, report=print, durable=False) as stack:
        assert stack.database_url == "postgresql://a/b"
        assert await redis_pid(stack.redis_url) > 0
        assert set(running(data_dir)) == {"Redis"}


def test_a_data_directory_that_cannot_be_used_is_named(data_dir: Path) -> None:
    data_dir.write_text("a file")

    with pytest.raises(ServerFailed) as caught, opened(data_dir):
        pass

    assert str(data_dir) in caught.value.message
    data_dir.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the servers as somebody else")
def test_root_leaves_the_servers_to_another_account_even_behind_a_closed_directory(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o700)
    closed = data_dir / "inner"
    with opened(closed, passing=True) as stack:
        outside = home(closed)
        assert closed not in outside.parents
        assert (mode(outside), mode(data_dir)) == (0o700, 0o700)
        assert Path(f"/proc/{postgres_pid(closed)}").stat().st_uid == outside.stat().st_uid != 0
        assert asyncio.run(select(stack.database_url, "SELECT 1")) == 1
    assert not outside.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the servers as somebody else")
def test_a_data_directory_may_be_moved_and_a_copy_does_not_share_its_cluster(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o700)
    first, moved, copied = data_dir / "first", data_dir / "moved", data_dir / "copied"
    with opened(first) as stack:
        key = stack.master_keys().all()

    first.rename(moved)
    with opened(moved) as stack:
        assert stack.master_keys().all() == key
    shutil.copytree(moved, copied)
    with pytest.raises(ServerFailed, match=f"{copied} is a copy of {moved}"), opened(copied):
        pass

    with opened(moved, passing=True):
        pass
