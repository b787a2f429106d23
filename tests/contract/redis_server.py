"""A Redis of a test's own, which it may take away: changes when it is started in another way."""

import asyncio
import signal
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from jobs.embedded import PROGRAM, wheel


@dataclass(slots=True, kw_only=True)
class OwnRedis:
    socket: Path
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}?db=0"

    async def start(self) -> None:
        """Returns once it answers."""
        program = (wheel() or Path()) / PROGRAM
        self.process = await asyncio.create_subprocess_exec(
            *(program, "--port", "0", "--unixsocket", self.socket, "--save", ""),
            stdout=asyncio.subprocess.PIPE,
            cwd=self.socket.parent,
        )
        assert self.process.stdout is not None
        async with asyncio.timeout(10):
            while b"ready to accept connections" not in await self.process.stdout.readline():
                pass

    def stop(self) -> None:
        """It accepts connections from now on and says nothing."""
        if self.process is not None:
            self.process.send_signal(signal.SIGSTOP)

    async def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            await self.process.wait()
            self.process = None


@asynccontextmanager
async def own_redis() -> AsyncGenerator[OwnRedis]:
    with tempfile.TemporaryDirectory() as directory:
        server = OwnRedis(socket=Path(directory) / "redis.sock")
        await server.start()
        try:
            yield server
        finally:
            await server.kill()
