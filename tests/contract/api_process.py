"""The API as a process of its own, for tests that look at it from outside: changes when it is put together otherwise.

`python -m tests.contract.api_process DATABASE_URL REDIS_URL DIRECTORY` prints its port and ends with its input.
"""

import asyncio
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from app.api import running_api
from app.master_keys import MasterKeys
from app.settings import PROJECT, Settings
from app.up import serving
from tests.api.application import MASTER_KEY

_START = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiProcess:
    """`address` is host:port."""

    pid: int
    address: str

    @property
    def memory(self) -> int:
        """Bytes that it holds in RAM."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1]) * 1024


@asynccontextmanager
async def api_process(database_url: str, redis_url: str, directory: Path) -> AsyncGenerator[ApiProcess]:
    command = (sys.executable, "-m", "tests.contract.api_process", database_url, redis_url, str(directory))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=PROJECT, stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START):
            port = (await process.stdout.readline()).decode().strip()
        assert port.isdecimal(), "it did not start"
        yield ApiProcess(pid=process.pid, address=f"127.0.0.1:{port}")
        process.stdin.close()
        async with asyncio.timeout(_START):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _serve(database_url: str, redis_url: str, directory: str) -> None:
    settings = Settings(data_dir=Path(directory))
    async with running_api(
        database_url=database_url, redis_url=redis_url, master_keys=MasterKeys.of(MASTER_KEY), settings=settings
    ) as api:
        with socket.create_server(("127.0.0.1", 0)) as bound:
            async with serving(api.app, bound):
                sys.stdout.write(f"{bound.getsockname()[1]}\n")
                sys.stdout.flush()
                await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))
