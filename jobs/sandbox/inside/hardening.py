"""What the kernel takes away from the sandbox's processes before they run anything of a user's.

Imported by bare interpreters: standard library only. Every layer is tried on its own; those that hold are reported
by name, so that an operator sees what the platform gives.
"""

import ctypes
import os
import resource
import signal
import struct
import time
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from .filters import allow_becoming, allow_computing, allow_serving

NOBODY: Final = 65534
NICE: Final = 5
"""What runs here gives way to the process that asked for it."""
PROGRAM: Final = 9
"""The descriptor through which a process executes its one program: beyond those it could ever open again."""
_SERVER_DESCRIPTORS = 64
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_FILES_READ, _FILES_ALL = 0b101, (1 << 13) - 1  # execute and read a file; everything of the first version
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
_libc = ctypes.CDLL(None, use_errno=True)

Layer = tuple[str, Callable[[], None]]


def stand_apart() -> None:
    """A process group of its own, which its parent may slow down and which Ctrl-C misses, and a lower priority."""
    os.setpgid(0, 0)
    os.nice(NICE)


def harden(parent: int, memory: int) -> list[str]:
    """Applies every layer the platform allows to a process that computes alone, and names them.

    `memory` in bytes is for the user's code. Ends the process when `parent` is no longer its parent.
    """
    return _applied(
        ("no network", _leave_network),
        ("resource limits", lambda: _limit_resources(memory, descriptors=3, processes=0)),
        *_last(parent, allow_computing),
    )


def leave_network() -> list[str]:
    """A network namespace with nothing in it, for this process and those it starts."""
    return _applied(("no network", _leave_network))


def harden_server(parent: int, memory: int) -> list[str]:
    """The same for a process that only serves a child of its own, running already."""
    limits = ("resource limits", lambda: _limit_resources(memory, descriptors=_SERVER_DESCRIPTORS))
    return _applied(limits, *_last(parent, allow_serving))


def harden_program(parent: int, memory: int) -> list[str]:
    """The same for a process that is about to execute the program at PROGRAM and may afterwards compute alone."""
    return _applied(
        ("resource limits", lambda: _limit_resources(memory, descriptors=PROGRAM)),
        ("no files", _see_libraries_only),
        *_last(parent, lambda: allow_becoming(PROGRAM)),
    )


def become_program(arguments: Sequence[str]) -> NoReturn:
    """Executes the program at PROGRAM with an empty environment. Raises OSError."""
    os.execve(PROGRAM, list(arguments), {})  # noqa: S606 - there is no shell to start


def limit_processor(seconds: float) -> None:
    """Lets the kernel end the process after about so many more seconds of processor time."""
    total = int(time.process_time() + seconds) + 2
    _, most = resource.prlimit(0, resource.RLIMIT_CPU)  # the call the filter knows; setrlimit may be another
    resource.prlimit(0, resource.RLIMIT_CPU, (total, most))


def _last(parent: int, filter_system_calls: Callable[[], None]) -> tuple[Layer, ...]:
    """The layers in the order in which they do not undo each other."""
    return (
        ("unprivileged user", _drop_privileges),
        ("dies with parent", lambda: _die_with(parent)),  # a change of user would undo it
        ("no new privileges", lambda: _prctl(_PR_SET_NO_NEW_PRIVS, 1)),
        ("system call filter", filter_system_calls),
    )


def _applied(*layers: Layer) -> list[str]:
    active: list[str] = []
    for name, apply in layers:
        try:
            apply()
        except (OSError, ValueError, KeyError):
            continue
        active.append(name)
    return active


def _leave_network() -> None:
    if _libc.unshare(_CLONE_NEWNET) and _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")


def _limit_resources(memory: int, *, descriptors: int, processes: int | None = None) -> None:
    with open("/proc/self/statm", "rb") as statm:
        used = int(statm.read().split()[0]) * resource.getpagesize()
    limits = {
        resource.RLIMIT_AS: used + memory,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: descriptors,
        **({} if processes is None else {resource.RLIMIT_NPROC: processes}),
    }
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))


def _see_libraries_only() -> None:
    """Landlock: of all files the program may open its libraries alone, and execute nothing but itself."""
    everything = ctypes.c_uint64(_FILES_ALL)
    ruleset = _syscall(_LANDLOCK_CREATE, ctypes.byref(everything), ctypes.sizeof(everything), 0)
    try:
        _permit(ruleset, PROGRAM)
        for path in filter(os.path.exists, _LIBRARIES):
            directory = os.open(path, os.O_PATH | os.O_CLOEXEC)
            _permit(ruleset, directory)
            os.close(directory)
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _syscall(_LANDLOCK_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def _permit(ruleset: int, place: int) -> None:
    rule = ctypes.create_string_buffer(struct.pack("=Qi", _FILES_READ, place))
    _syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0)


def _drop_privileges() -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)


def _die_with(parent: int) -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(0)


def _prctl(option: int, *arguments: int) -> None:
    words = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0)[:4]]
    if _libc.prctl(option, *words):
        raise OSError(ctypes.get_errno(), "prctl")


def _syscall(number: int, *arguments: object) -> int:
    result = _libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}")
    return int(result)
