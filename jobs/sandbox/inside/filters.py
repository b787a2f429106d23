"""Which system calls a sandbox process may make: seccomp programs from short lists.

Imported by bare interpreters: standard library only. Numbers are those of x86-64 and of ARM64.
"""

import ctypes
import os
import resource
import struct
from collections.abc import Sequence
from typing import NamedTuple

_KILL, _REFUSE, _ABSENT, _ALLOW = 0x80000000, 0x00050000 | 1, 0x00050000 | 38, 0x7FFF0000  # EPERM, ENOSYS
_LOAD, _IF_EQUAL, _IF_SET, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data; arguments are 8 bytes each
_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC = 1, 1
_PROT_EXEC, _MAP_ANONYMOUS, _CLONE_THREAD = 4, 0x20, 0x10000
_O_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_ARCHITECTURES = {"x86_64": (0xC000003E, 0, 317), "aarch64": (0xC00000B7, 1, 277)}
_libc = ctypes.CDLL(None, use_errno=True)


class _Check(NamedTuple):
    """A condition on the low half of an argument: it equals `value`, or has (or lacks) one of its bits."""

    argument: int
    test: int
    value: int
    wanted: bool = True


class _Rule(NamedTuple):
    """A system call by its two numbers (None: that architecture has none); allowed when every check holds."""

    numbers: tuple[int | None, int | None]
    checks: tuple[_Check, ...] = ()
    verdict: int = _ALLOW


_COMPUTING = [  # read write munmap brk rt_sigprocmask rt_sigreturn mremap madvise exit exit_group gettimeofday
    *((0, 63), (1, 64), (11, 215), (12, 214), (14, 135), (15, 139), (25, 216), (28, 233), (60, 93), (231, 94)),
    *((96, 169), (228, 113), (202, 98), (219, 128), (318, 278)),  # clock_gettime futex restart_syscall getrandom
]
_NO_CODE = _Check(2, _IF_SET, _PROT_EXEC, wanted=False)
_MAPPING = [_Rule((9, 222), (_NO_CODE,)), _Rule((10, 226), (_NO_CODE,))]
_OWN_PROCESSOR_LIMIT = _Rule((302, 261), (_Check(0, _IF_EQUAL, 0), _Check(1, _IF_EQUAL, resource.RLIMIT_CPU)))
_THREADS = [  # sched_yield gettid set_robust_list rseq sched_getaffinity sigaltstack clock_nanosleep rt_sigaction
    *((24, 124), (186, 178), (273, 99), (334, 293), (204, 123), (131, 132), (230, 115), (13, 134)),
]
_NEW_THREAD = [_Rule((435, 435), verdict=_ABSENT), _Rule((56, 220), (_Check(0, _IF_SET, _CLONE_THREAD),))]
_LOADING = [  # access faccessat pread64 newfstatat fstat statx close lseek arch_prctl set_tid_address poll ppoll
    *((21, None), (269, 48), (17, 67), (262, 79), (5, 80), (332, 291), (3, 57), (8, 62), (158, None), (218, 96)),
    *((7, None), (271, 73), (39, 172)),  # getpid
]
_READING = _Rule((257, 56), (_Check(2, _IF_SET, _O_WRITES, wanted=False),))
_LIBRARY = _Rule((9, 222), (_Check(3, _IF_SET, _MAP_ANONYMOUS, wanted=False),))
_WAITING = [  # epoll_wait epoll_pwait epoll_ctl wait4 waitid close fcntl
    *((232, None), (281, 22), (233, 21), (61, 260), (247, 95), (3, 57), (72, 25)),
]


def allow_computing() -> None:
    """Reading, writing, memory without code, and the process's own processor limit. For QuickJS."""
    _install([*_plain(_COMPUTING), *_MAPPING, _OWN_PROCESSOR_LIMIT])


def allow_serving() -> None:
    """The same with threads and waiting for a child that runs already. For the process in charge of a Monty."""
    _install([*_plain(_COMPUTING), *_MAPPING, _OWN_PROCESSOR_LIMIT, *_plain(_THREADS), *_plain(_WAITING), *_NEW_THREAD])


def allow_becoming(descriptor: int) -> None:
    """Executing the program behind a descriptor, which then may load its libraries, compute and have threads."""
    empty = _Rule((322, 281), (_Check(0, _IF_EQUAL, descriptor),))
    limits = _Rule((302, 261), (_Check(0, _IF_EQUAL, 0), _Check(2, _IF_EQUAL, 0)))  # reading them
    loading = [*_plain(_LOADING), _READING, _LIBRARY, empty, limits]
    _install([*_plain(_COMPUTING), *_MAPPING, *_plain(_THREADS), *_NEW_THREAD, *loading])


def _plain(numbers: Sequence[tuple[int | None, int | None]]) -> list[_Rule]:
    return [_Rule(each) for each in numbers]


def _install(rules: Sequence[_Rule]) -> None:
    """For every thread: anything outside the rules is refused with EPERM; foreign system calls end the process."""
    architecture, at, seccomp = _ARCHITECTURES[os.uname().machine]
    program = [(_LOAD, 0, 0, _ARCHITECTURE), (_IF_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL)]
    program.append((_LOAD, 0, 0, _NUMBER))
    for rule in rules:
        number = rule.numbers[at]
        if number is not None:
            program += _compiled(number, rule)
    program.append((_RETURN, 0, 0, _REFUSE))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in program))
    header = ctypes.create_string_buffer(struct.pack("HP", len(program), ctypes.addressof(code)))
    words = (seccomp, _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC)
    if _libc.syscall(*map(ctypes.c_long, words), header):
        raise OSError(ctypes.get_errno(), "seccomp")


def _compiled(number: int, rule: _Rule) -> list[tuple[int, int, int, int]]:
    """Falls through to the next rule, the number loaded again, when the call is another or a check fails."""
    length = 2 * len(rule.checks) + 2
    program = [(_IF_EQUAL, 0, length, number)]
    for place, check in enumerate(rule.checks):
        over = 2 * (len(rule.checks) - place - 1) + 1
        program.append((_LOAD, 0, 0, _ARGUMENT + check.argument * 8))
        program.append((check.test, 0, over, check.value) if check.wanted else (check.test, over, 0, check.value))
    program += [(_RETURN, 0, 0, rule.verdict), (_LOAD, 0, 0, _NUMBER)]
    return program
