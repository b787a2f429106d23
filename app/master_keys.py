"""Where master keys come from: changes when there is another place for them, or their file is written otherwise.

Several are known at once. The first is the current one: it wraps and signs. The others open and believe what they once
wrapped and signed, so that a key is replaced while everything runs. A file holds one a line, in base64.
"""

import base64
import binascii
import os
import secrets
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from app import secrets as purposes
from app.settings import WrongSetting

_BYTES = 32
_derived = lru_cache(maxsize=256)(purposes.derived)


class MasterKeys:
    """Those known now, the current one first. `read` is asked every time, so that a process sees a new key at once."""

    def __init__(self, read: Callable[[], Sequence[bytes]], file: "MasterKeyFile | None" = None) -> None:
        self._read = read
        self.file = file

    @classmethod
    def of(cls, *keys: bytes) -> "MasterKeys":
        """These, for as long as the process lives."""
        return cls(lambda: keys)

    @classmethod
    def in_file(cls, path: Path, others: Sequence[bytes] = ()) -> "MasterKeys":
        """Those of the file, and after them `others`."""
        file = MasterKeyFile(path)
        return cls(lambda: (*file.keys(), *others), file)

    def all(self) -> Sequence[bytes]:
        """Raises WrongSetting when their file cannot be read."""
        return self._read()

    def derived(self, purpose: str) -> Sequence[bytes]:
        """For each of them 32 bytes that serve this purpose alone."""
        return [_derived(key, purpose) for key in self._read()]


class MasterKeyFile:
    """Keys in a file, read again whenever it has changed; to look whether it has takes microseconds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int] | None = None
        self._keys: tuple[bytes, ...] = ()

    def keys(self) -> Sequence[bytes]:
        """At least one. Raises WrongSetting."""
        try:
            state = self.path.stat()
            seen = (state.st_ino, state.st_mtime_ns)
            if seen != self._seen:
                self._keys = tuple(_key(line) for line in self.path.read_text().split())
                self._seen = seen
        except (OSError, ValueError) as error:
            raise self._unreadable(str(error)) from error
        if not self._keys:
            raise self._unreadable("it is empty")
        return self._keys

    def put_first(self, key: bytes) -> None:
        """`key` becomes the current one; on disk before this returns, for nothing may be wrapped by a key that is lost.

        The file keeps its owner and mode. Raises WrongSetting when it cannot be replaced.
        """
        lines = [base64.b64encode(each).decode() for each in (key, *self.keys())]
        draft = self.path.with_name(f"{self.path.name}.{secrets.token_hex(8)}")
        try:
            state = self.path.stat()
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as file:
                file.write("\n".join(lines) + "\n")
                file.flush()
                os.fchown(file.fileno(), state.st_uid, state.st_gid)
                os.fchmod(file.fileno(), state.st_mode & 0o777)
                os.fsync(file.fileno())
            draft.replace(self.path)
            _sync(self.path.parent)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise WrongSetting(
                f"{self.path} cannot be written: {error.strerror}",
                remedy="Put a new key (`openssl rand -base64 32`) into it as its first line, then run this again.",
            ) from error

    def _unreadable(self, why: str) -> WrongSetting:
        return WrongSetting(
            f"{self.path} holds no master keys: {why}",
            remedy="It needs one a line, the current one first, as `openssl rand -base64 32` makes them.",
        )


def new_master_key() -> bytes:
    return secrets.token_bytes(_BYTES)


def _key(line: str) -> bytes:
    """The line is never quoted: it may be nearly right."""
    try:
        key = base64.b64decode(line, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _BYTES:
        raise ValueError(f"a line is not the base64 of {_BYTES} bytes")
    return key


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
