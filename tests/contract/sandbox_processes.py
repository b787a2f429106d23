"""Which sandbox processes there are below this one."""

import asyncio
import os
from collections.abc import Collection, Mapping
from pathlib import Path

_MARKS = (b"inside.javascript", b"inside.python", b"inside.launch", b"monty\0subprocess")


def sandbox_processes(besides: Collection[int] = ()) -> Mapping[int, str]:
    """Their commands by pid, but for those; Monty's workers stand below the process in charge of them."""
    parents, commands = dict[int, int](), dict[int, bytes]()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
            commands[int(stat.parent.name)] = stat.with_name("cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
    return {
        pid: command.replace(b"\0", b" ").decode(errors="replace")
        for pid, command in commands.items()
        if pid not in besides and any(mark in command for mark in _MARKS) and _below(pid, parents)
    }


def workers(besides: Collection[int] = ()) -> list[int]:
    """The pids of Monty's workers."""
    return [pid for pid, command in sandbox_processes(besides).items() if command.startswith("monty subprocess")]


async def gone(pids: Collection[int], seconds: float = 5.0) -> bool:
    """Whether none of these processes lives, at the latest after so long."""
    end = asyncio.get_running_loop().time() + seconds
    while any(_lives(pid) for pid in pids):
        if asyncio.get_running_loop().time() > end:
            return False
        await asyncio.sleep(0.01)
    return True


def _below(pid: int, parents: Mapping[int, int]) -> bool:
    while pid in parents:
        pid = parents[pid]
        if pid == os.getpid():
            return True
    return False


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
