"""Changes when there is something more to look at on the servers' side: binaries, leftovers, answers."""

import fcntl
import os
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import redis.asyncio
from redis.exceptions import RedisError

import db.embedded
import jobs.embedded
from app.data_directory import SHELVES, DataDirectory, account_of, is_fit_for_sockets
from app.diagnosis import Diagnosis, problem, warning
from app.processes import Account, ServerFailed, identity, permits
from app.settings import Settings
from app.stack import running


def nearest(path: Path) -> Path:
    """`path`, or the first directory above it that is there and may be looked at."""
    return next(place for place in (path, *path.parents) if os.path.exists(place))  # Path.exists raises when barred


def embedded(settings: Settings) -> Iterator[Diagnosis]:
    """The binaries and the account they run as."""
    try:
        account = account_of(nearest(settings.data_dir))
    except ServerFailed as failed:
        yield problem("account", failed.message, failed.remedy)
        return
    if account is not None:
        yield Diagnosis(name="account", found=f"servers run as {account.name} (uid {account.uid}), since this is root")
    if settings.database_url is None:
        yield _binary("PostgreSQL binaries", db.embedded.wheel(), db.embedded.PROGRAM, account)
    if settings.redis_url is None:
        yield _binary("Redis binary", jobs.embedded.wheel(), jobs.embedded.PROGRAM, account)
    yield from _state(settings, DataDirectory(path=settings.data_dir, account=account))
    yield from _orphans()


def _binary(name: str, wheel: Path | None, program: str, account: Account | None) -> Diagnosis:
    remedy = "Name ordinary servers with WEIR_DATABASE_URL and WEIR_REDIS_URL."
    if wheel is None or not (wheel / program).exists():
        return problem(name, f"none for {platform.system()} {platform.machine()}", remedy)
    copied = account is not None and not permits(account, "-x", wheel / program)
    try:
        told = subprocess.run(
            [str(wheel / program), "--version"],
            capture_output=True,
            text=True,
            cwd="/",
            **identity(None if copied else account),
        )
    except OSError as error:
        return problem(name, f"{wheel / program} does not run: {error.strerror}", remedy)
    if told.returncode != 0:
        return problem(name, f"{wheel / program} does not run: {told.stderr.strip()}", remedy)
    place = f"{wheel / program}{', copied for the account' if copied else ''}"
    return Diagnosis(name=name, found=f"{' '.join(told.stdout.split()[:4])} at {place}")


def _state(settings: Settings, directory: DataDirectory) -> Iterator[Diagnosis]:
    """What an earlier start has left: users, processes, stale files."""
    home = directory.known_home()
    if home is None:
        yield Diagnosis(name="embedded servers", found="made at the first start")
        return
    yield Diagnosis(name="embedded servers", found=f"in {home}, {_users(directory.path)}")
    sockets = directory.known_sockets(home)
    if not is_fit_for_sockets(home / "run"):
        where = str(sockets) if sockets else "a directory below /tmp"
        yield Diagnosis(name="sockets", found=f"in {where}: the path of the data directory does not suit them")
    if not (home / "password").exists():
        remedy = f"Put back {home / 'password'} from a backup; without it the database does not open."
        yield problem("embedded servers", "the password of the database is missing", remedy)
    named = {"PostgreSQL": settings.database_url, "Redis": settings.redis_url}
    alive = running(settings.data_dir)
    for name in (name for name, url in named.items() if url is None):
        if sockets is not None and name not in alive:
            remedy = "Nothing to do: the next start cleans up and recovers."
            yield warning(name, "not running, though it was not stopped in order (killed, or a reboot)", remedy)


def _users(path: Path) -> str:
    try:
        with (path / "in-use").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "in use"
    except OSError:
        return "not in use"
    return "not in use"


def _orphans() -> Iterator[Diagnosis]:
    for shelf in SHELVES:
        if not os.access(shelf, os.R_OK) or os.geteuid() != 0:
            continue
        for home in shelf.iterdir():
            mark = home / "data-directory"
            pointer = Path(mark.read_text()) / "home-at" if mark.exists() else None
            if pointer is not None and not (pointer.exists() and pointer.read_text() == str(home)):
                remedy = f"Remove {home} when its data is not needed."
                yield warning("left over", f"{home} belongs to {pointer.parent}, which is gone", remedy)


async def answers(settings: Settings) -> tuple[Diagnosis, Diagnosis]:
    """Whether the two servers answer, and with which version."""
    alive = {} if settings.database_url and settings.redis_url else running(settings.data_dir)
    database_url = settings.database_url or alive.get("PostgreSQL")
    redis_url = settings.redis_url or alive.get("Redis")
    idle = "not running; started when needed"
    return (
        await _postgres(database_url) if database_url else Diagnosis(name="PostgreSQL", found=idle),
        await _redis(redis_url) if redis_url else Diagnosis(name="Redis", found=idle),
    )


async def _postgres(url: str) -> Diagnosis:
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        remedy = "Check WEIR_DATABASE_URL and the server; an embedded one may still recover, its log tells."
        return problem("PostgreSQL", f"does not answer: {error or 'no answer within 5 s'}", remedy)
    try:
        version = str(await connection.fetchval("SHOW server_version"))
        login = str(await connection.fetchval("SELECT current_user"))
    finally:
        await connection.close()
    return Diagnosis(name="PostgreSQL", found=f"version {version} answers, signed in as {login}")


async def _redis(url: str) -> Diagnosis:
    # redis-py's annotations are partial.
    client = redis.asyncio.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)  # pyright: ignore[reportUnknownMemberType]
    try:
        information = await client.info("server")  # pyright: ignore[reportUnknownMemberType]
    except (OSError, RedisError, ValueError) as error:
        remedy = "Check WEIR_REDIS_URL and the server; until it is back each API process limits rates by itself."
        return problem("Redis", f"does not answer: {error}", remedy)
    finally:
        await client.aclose()
    return Diagnosis(name="Redis", found=f"version {information['redis_version']} answers")
