"""What a process takes of the machine, as Linux tells it in /proc; elsewhere nothing is known."""

import os
from collections.abc import Iterable
from pathlib import Path

KNOWN = Path("/proc/self/stat").exists()
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: Iterable[int]) -> float:
    """What the processes have computed since they began; 0 for one that is gone, and where nothing is known."""
    return sum(map(_cpu_seconds, pids))


def resident_bytes(pids: Iterable[int]) -> int:
    """Memory the processes hold now. Raises FileNotFoundError when one is gone."""
    return sum(map(_resident_bytes, pids))


def _cpu_seconds(pid: int) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    fields = stat.rpartition(")")[2].split()  # the name before may hold anything
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _resident_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))
