"""What processes use, as the kernel counts it in /proc; where it does not tell, nothing is claimed."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Final

from jobs.sandbox.outcomes import Usage

_PROC: Final = Path("/proc")
_RESET_PEAK: Final = "5"


class Meter:
    """Counts from its making on, for a process and those below it."""

    def __init__(self, pid: int) -> None:
        self._pids = (pid, *descendants(pid))
        for each in self._pids:
            with contextlib.suppress(OSError):
                (_PROC / str(each) / "clear_refs").write_text(_RESET_PEAK)
        self._began = perf_counter()
        self._cpu = _total(map(_processor_ms, self._pids))
        self._memory = _total(_memory(each, "VmRSS") for each in self._pids)

    def read(self) -> Usage:
        cpu, peak = (
            _total(map(_processor_ms, self._pids)),
            _total(_memory(each, "VmHWM") for each in self._pids),
        )
        return Usage(
            wall_ms=round((perf_counter() - self._began) * 1000, 3),
            cpu_ms=None if cpu is None or self._cpu is None else round(cpu - self._cpu, 3),
            memory=None if peak is None or self._memory is None else int(max(0, peak - self._memory)),
        )

    def resident(self) -> float:
        """The bytes of memory held now; 0 where the kernel does not tell."""
        return _total(_memory(each, "VmRSS") for each in self._pids) or 0.0


def descendants(pid: int) -> Sequence[int]:
    """The processes below this one, children first."""
    found: list[int] = []
    for children in (_PROC / str(pid) / "task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, children.read_text().split()):
                found += [child, *descendants(child)]
    return found


def _total(values: Iterator[float | None]) -> float | None:
    total = 0.0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def _processor_ms(pid: int) -> float | None:
    """Of all its threads, from the scheduler's own count in nanoseconds."""
    try:
        files = list((_PROC / str(pid) / "task").glob("*/schedstat"))
        return sum(int(file.read_text().split()[0]) for file in files) / 1e6 if files else None
    except (OSError, ValueError):
        return None


def _memory(pid: int, field: str) -> float | None:
    try:
        for line in (_PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith(field):
                return float(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return None
