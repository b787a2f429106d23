"""Changes when the servers a process stands on are found, started, shared or left in another way.

Where settings name a server, that one is used and nothing is started. Otherwise the data directory's own is: attached
to when it runs, started when it does not. A killed process needs no cleaning up after: its locks die with it.
"""

import base64
import fcntl
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import db.embedded
import jobs.embedded
from app.data_directory import DataDirectory, shelf, starting
from app.master_keys import MasterKeys, new_master_key
from app.processes import ServerFailed, readable_copy
from app.settings import Settings, WrongSetting

Report = Callable[[str], None]


class Server(Protocol):
    """What both embedded servers can do."""

    @property
    def name(self) -> str: ...
    @property
    def url(self) -> str: ...
    def alive(self) -> bool: ...
    def start(self, report: Report) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The servers in use. `embedded` holds those of the data directory, PostgreSQL first."""

    settings: Settings
    database_url: str
    redis_url: str
    embedded: tuple[Server, ...] = ()

    @property
    def data_dir(self) -> Path:
        return self.settings.data_dir

    def revive(self, report: Report) -> tuple[str, ...]:
        """Start embedded servers that have died and name them; blocks while one recovers, else takes microseconds."""
        if all(server.alive() for server in self.embedded):
            return ()
        with starting(self.data_dir, report):
            dead = [server for server in self.embedded if not server.alive()]
            for server in dead:
                server.start(report)
        return tuple(server.name for server in dead)

    def master_keys(self) -> MasterKeys:
        """What wraps the tenants' data keys and signs tokens: as the settings say, or the embedded database's own.

        Raises WrongSetting when there is none, or two.
        """
        settings = self.settings
        if settings.master_key is not None and settings.master_key_file is not None:
            raise WrongSetting("WEIR_MASTER_KEY and WEIR_MASTER_KEY_FILE are both set", remedy="Set one of them.")
        if settings.master_key is not None:
            return MasterKeys.of(settings.master_key, *settings.master_keys_other)
        if settings.master_key_file is not None:
            return MasterKeys.in_file(settings.master_key_file, settings.master_keys_other)
        if settings.database_url is not None:
            raise WrongSetting(
                "WEIR_MASTER_KEY must be set where WEIR_DATABASE_URL is: all processes share it",
                remedy="Make one with `openssl rand -base64 32`, or name a file with it in WEIR_MASTER_KEY_FILE; "
                "keep it as safe as the database.",
            )
        directory = DataDirectory.prepare(self.data_dir)
        directory.secret("master.key", _new_master_key)
        return MasterKeys.in_file(directory.path / "master.key", settings.master_keys_other)


@contextmanager
def open_stack(settings: Settings, *, report: Report, durable: bool = True, passing: bool = False) -> Generator[Stack]:
    """Use the servers that `settings` name or those of `settings.data_dir`.

    `durable=False` forgoes fsync. The last user of a `passing` data directory removes it; others only stop its servers.
    Blocks; call it before the event loop runs, or in a thread. Raises Refusal with a remedy when a server cannot start.
    """
    if settings.database_url and settings.redis_url:
        yield Stack(settings=settings, database_url=settings.database_url, redis_url=settings.redis_url)
        return
    with starting(settings.data_dir, report) as directory:
        in_use = os.open(directory.path / "in-use", os.O_RDWR)
        fcntl.flock(in_use, fcntl.LOCK_SH)
        servers: tuple[Server, ...] = ()
        try:
            directory.secret("master.key", _new_master_key)
            servers = _servers(directory, settings, durable=durable)
            for server in servers:
                server.start(report)
        except BaseException:
            _leave(directory, servers, in_use, passing=passing)
            raise
    urls = {server.name: server.url for server in servers}
    try:
        yield Stack(
            settings=settings,
            database_url=settings.database_url or urls["PostgreSQL"],
            redis_url=settings.redis_url or urls["Redis"],
            embedded=servers,
        )
    finally:
        with starting(settings.data_dir, report):
            _leave(directory, servers, in_use, passing=passing)


def running(data_dir: Path) -> dict[str, str]:
    """The URLs of the embedded servers that live now, by name; nothing is started, made or waited for."""
    directory = DataDirectory.known(data_dir)
    home = directory.known_home() if directory else None
    sockets = directory.known_sockets(home) if directory and home else None
    if directory is None or home is None or sockets is None or not (home / "password").exists():
        return {}
    password = directory.password(home)
    urls = {
        "PostgreSQL": ("postgres", db.embedded.url(sockets, password)),
        "Redis": ("redis", jobs.embedded.url(sockets, password)),
    }
    return {name: url for name, (host, url) in urls.items() if directory.host(host).alive()}


def _leave(directory: DataDirectory, servers: tuple[Server, ...], in_use: int, *, passing: bool) -> None:
    """Stop the servers unless somebody else uses them; the caller holds `starting`."""
    try:
        fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    else:
        for server in servers:
            server.stop()
        home = directory.known_home()
        sockets = directory.known_sockets(home) if home else None
        if sockets and not any(server.alive() for server in servers):
            directory.forget_sockets(sockets)
        if passing:
            directory.remove()
    finally:
        os.close(in_use)


def _servers(directory: DataDirectory, settings: Settings, *, durable: bool) -> tuple[Server, ...]:
    home = directory.home()
    sockets = directory.sockets(home)
    password = directory.password(home)
    servers: list[Server] = []
    if settings.database_url is None:
        postgres = db.embedded.PostgresServer(
            host=directory.host("postgres"),
            binaries=_binaries(directory, db.embedded.wheel(), db.embedded.PARTS),
            home=home,
            sockets=sockets,
            password=password,
            durable=durable,
        )
        servers.append(postgres)
    if settings.redis_url is None:
        redis = jobs.embedded.RedisServer(
            host=directory.host("redis"),
            binaries=_binaries(directory, jobs.embedded.wheel(), (jobs.embedded.PROGRAM,)),
            sockets=sockets,
            password=password,
        )
        servers.append(redis)
    return tuple(servers)


def _binaries(directory: DataDirectory, wheel: Path | None, parts: tuple[str, ...]) -> Path:
    """Where the server's account finds `parts`; the first of them is the program."""
    if wheel is None or not (wheel / parts[0]).exists():
        raise ServerFailed(
            f"{parts[0]} is not installed for this platform",
            remedy="Name ordinary servers with WEIR_DATABASE_URL and WEIR_REDIS_URL.",
        )
    if directory.account is None:
        return wheel
    return readable_copy(wheel, parts, shelf, probe=parts[0], account=directory.account)


def _new_master_key() -> str:
    return base64.b64encode(new_master_key()).decode()
