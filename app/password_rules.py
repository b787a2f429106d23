"""The password policy of this installation: changes when strength or leaked passwords are judged by something else."""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import zxcvbn

from app.settings import WrongSetting
from domain.passwords import PasswordRules

_LINE = re.compile(rb"([0-9A-Fa-f]{10,40})(?::[0-9]+)?\r?\n?")


def password_rules(breached: Path | None) -> PasswordRules:
    """With a file of leaked passwords when one is named; raises WrongSetting when it is none."""
    return PasswordRules(strength=strength, breached=BreachedFile(breached) if breached else None)


def strength(password: str, known: Sequence[str]) -> int:
    """The score of zxcvbn, 0 to 4; it has none for nothing."""
    if not password:
        return 0
    judged = cast("dict[str, Any]", cast("Any", zxcvbn).zxcvbn(password, user_inputs=list(known)))
    return int(judged["score"])


class BreachedFile:
    """`domain.passwords.BreachedPasswords` over a sorted file: one SHA-1 in hexadecimal a line, or its first 10 digits
    or more, all lines of one length; `:` and a count may follow, as in the files of Have I Been Pwned.

    A look-up reads some 40 places of the file, whatever its size; nothing of it is kept in memory.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                first = _LINE.fullmatch(file.readline(100))
        except OSError as error:
            raise _no_list(path, error.strerror or "it cannot be read") from error
        if first is None:
            raise _no_list(path, "its first line is no SHA-1 in hexadecimal")

    async def contains(self, password: str) -> bool:
        digest = hashlib.sha1(password.encode("utf-8", "surrogatepass"), usedforsecurity=False)
        return await asyncio.to_thread(self._has, digest.hexdigest().upper().encode())

    def _has(self, digest: bytes) -> bool:
        with self._path.open("rb") as file:
            low, high = 0, file.seek(0, 2)
            while low < high:
                middle = (low + high) // 2
                found = _line_after(file, middle)
                if found is not None and found < digest[: len(found)]:
                    low = middle + 1
                else:
                    high = middle
            found = _line_after(file, low)
            return found is not None and found == digest[: len(found)]


def _line_after(file: BinaryIO, place: int) -> bytes | None:
    """The hash of the first line that begins at `place` or after it; None behind the last one."""
    file.seek(max(place - 1, 0))
    if place > 0:
        file.readline()
    found = _LINE.fullmatch(file.readline())
    return found[1].upper() if found else None


def _no_list(path: Path, why: str) -> WrongSetting:
    return WrongSetting(
        f"WEIR_BREACHED_PASSWORDS={path}: {why}", remedy="Name a sorted file with one SHA-1 in hexadecimal a line."
    )
