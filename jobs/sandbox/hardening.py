"""What the kernel takes away from the sandbox's process before it runs anything of a user's.

Imported by the bare interpreter of that process: standard library only. Every layer is tried on its own; those
that hold are reported by name, so that an operator sees what the platform gives.
"""

import ctypes
import os
import resource
import signal
import struct
import time
from collections.abc import Callable

NOBODY = 65534
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER = 2
_KILL, _REFUSE, _ALLOW = 0x80000000, 0x00050000 | 1, 0x7FFF0000  # refuse: EPERM
_LOAD, _IF_EQUAL, _IF_SET, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data; arguments are 8 bytes each
_PROT_EXEC = 4

# read write munmap brk rt_sigprocmask rt_sigreturn mremap madvise exit exit_group gettimeofday clock_gettime futex
# restart_syscall getrandom; then mmap, mprotect and prlimit64, which are allowed in part
_SYSCALLS = {
    "x86_64": (0xC000003E, (0, 1, 11, 12, 14, 15, 25, 28, 60, 231, 96, 228, 202, 219, 318), (9, 10), 302),
    "aarch64": (0xC00000B7, (63, 64, 215, 214, 135, 139, 216, 233, 93, 94, 169, 113, 98, 128, 278), (222, 226), 261),
}

_libc = ctypes.CDLL(None, use_errno=True)


def harden(parent: int, memory: int) -> list[str]:
    """Applies every layer the platform allows and names them; `memory` in bytes is for the user's code.

    Ends the process when `parent` is no longer its parent.
    """
    layers: list[tuple[str, Callable[[], None]]] = [
        ("no network", _leave_network),
        ("resource limits", lambda: _limit_resources(memory)),
        ("unprivileged user", _drop_privileges),
        ("dies with parent", lambda: _die_with(parent)),  # a change of user would undo it
        ("no new privileges", lambda: _prctl(_PR_SET_NO_NEW_PRIVS, 1)),
        ("system call filter", _filter_system_calls),
    ]
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


def _limit_resources(memory: int) -> None:
    with open("/proc/self/statm", "rb") as statm:
        used = int(statm.read().split()[0]) * resource.getpagesize()
    limits = {
        resource.RLIMIT_AS: used + memory,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_NOFILE: 3,  # the three there are, and never another
    }
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))


def limit_processor(seconds: float) -> None:
    """Lets the kernel end the process after about so many more seconds of processor time."""
    total = int(time.process_time() + seconds) + 2
    _, most = resource.prlimit(0, resource.RLIMIT_CPU)  # the call the filter knows; setrlimit may be another
    resource.prlimit(0, resource.RLIMIT_CPU, (total, most))


def _drop_privileges() -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)


def _die_with(parent: int) -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(0)


def _filter_system_calls() -> None:
    """Anything outside the list is refused with EPERM; another architecture's calls end the process."""
    architecture, plain, memory, prlimit = _SYSCALLS[os.uname().machine]
    program = [(_LOAD, 0, 0, _ARCHITECTURE), (_IF_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL)]
    program.append((_LOAD, 0, 0, _NUMBER))
    for number in plain:
        program += [(_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    for number in memory:  # but no executable memory
        program += [
            (_IF_EQUAL, 0, 4, number),
            (_LOAD, 0, 0, _ARGUMENT + 2 * 8),
            (_IF_SET, 0, 1, _PROT_EXEC),
            (_RETURN, 0, 0, _REFUSE),
            (_RETURN, 0, 0, _ALLOW),
        ]
    program += [  # this process's own processor limit, moved with every call
        (_IF_EQUAL, 0, 5, prlimit),
        (_LOAD, 0, 0, _ARGUMENT),
        (_IF_EQUAL, 0, 3, 0),
        (_LOAD, 0, 0, _ARGUMENT + 8),
        (_IF_EQUAL, 0, 1, resource.RLIMIT_CPU),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in program))
    header = ctypes.create_string_buffer(struct.pack("HP", len(program), ctypes.addressof(code)))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(header))


def _prctl(option: int, *arguments: int) -> None:
    words = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0)[:4]]
    if _libc.prctl(option, *words):
        raise OSError(ctypes.get_errno(), "prctl")
