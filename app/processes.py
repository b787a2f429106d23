"""Changes when the way server processes are run changes: whose they are, their session, lock and log.

A server inherits an exclusive kernel lock on a file and all its children share it, so "does it live" is a question
to the kernel: no pid that a reboot or another container has given to somebody else is ever trusted.
"""

import fcntl
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from domain.errors import ErrorCode, Refusal

_LOG_LIMIT = 16 * 1024 * 1024  # bytes; a longer log is set aside at the next start
_ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}  # nothing of the caller's leaks into a server


class ServerFailed(Refusal):
    """A server of the data directory cannot be started; the message ends with what it said itself."""

    code = ErrorCode.INVALID_STATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An unprivileged user: PostgreSQL refuses to run as root."""

    name: str
    uid: int
    gid: int


class _Identity(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


def identity(account: Account | None) -> _Identity:
    """The arguments that make `subprocess` run a command as `account`; none for the caller's own."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def permits(account: Account | None, test: str, path: Path) -> bool:
    """Whether `account` passes `test` (`-x`, `-r`, `-w`) on `path`, all directories above included."""
    if account is None:
        return os.access(path, {"-r": os.R_OK, "-w": os.W_OK, "-x": os.X_OK}[test])
    command = ["/bin/sh", "-c", f'test {test} "$1"', "sh", str(path)]
    return subprocess.run(command, cwd="/", **identity(account)).returncode == 0


def give(account: Account | None, path: Path) -> None:
    """Make `path` the account's own; a link is not followed, since the account may write above it."""
    if account is not None:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def write_private(account: Account | None, path: Path, text: str) -> None:
    """Replace `path` at once by a file of mode 600 that is the account's own."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as file:
        file.write(text)
    give(account, draft)
    draft.replace(path)


def readable_copy(root: Path, parts: Sequence[str], shelf: Callable[[], Path], *, probe: str, account: Account) -> Path:
    """`root` itself when `account` may execute `root/probe`, else a copy of `parts` (relative paths) under `shelf`.

    The copy is named by what it was made from, so a new release makes a new one; several may be made at once.
    """
    if permits(account, "-x", root / probe):
        return root
    made_from = (root / probe).stat()
    place = shelf()
    copy = place / f"{Path(probe).name}-{made_from.st_size:x}-{made_from.st_mtime_ns:x}"
    if not copy.exists():
        draft = Path(tempfile.mkdtemp(prefix="draft-", dir=place))
        for part in parts:
            _copy_readable(root / part, draft / part)
        for directory in (draft, *(path for path in draft.rglob("*") if path.is_dir())):
            directory.chmod(0o755)
        try:
            draft.rename(copy)
        except OSError:  # somebody else was faster
            shutil.rmtree(draft)
    return copy


def _copy_readable(source: Path, target: Path) -> None:
    for file in source.rglob("*") if source.is_dir() else [source]:
        if not file.is_file():
            continue
        copied = target / file.relative_to(source) if source.is_dir() else target
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copied)
        copied.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHost:
    """Runs one server: `lock` is held by its processes as long as one of them lives, `log` takes what they say."""

    account: Account | None
    lock: Path
    log: Path

    def run(self, command: Sequence[str], *, stdin: str = "") -> None:
        """Run `command` to its end as the server's account; raises ServerFailed with its last words."""
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            cwd="/",
            umask=0o077,
            env=_ENVIRONMENT,
            **identity(self.account),
        )
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip()[-2000:]
            raise ServerFailed(f"{Path(command[0]).name} ended with status {done.returncode}: {said}")

    def spawn(self, command: Sequence[str]) -> None:
        """Start `command` in its own session and return; raises ServerFailed when the lock is still held."""
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.lock.open("ab") as lock, self.log.open("ab") as log:
            os.fchmod(log.fileno(), 0o600)
            self._take(lock.fileno())
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(lock.fileno(),),
                    start_new_session=True,  # Ctrl-C misses it
                    cwd="/",
                    umask=0o077,
                    env=_ENVIRONMENT,
                    **identity(self.account),
                )
            except OSError as error:
                raise ServerFailed(f"{command[0]} cannot be executed: {error.strerror}") from error
        # Somebody has to collect its exit status, whenever it ends; it may well outlive this process.
        threading.Thread(target=process.wait, name=f"reap {process.pid}", daemon=True).start()

    def alive(self) -> bool:
        """Whether a process of this server lives; costs microseconds."""
        try:
            probe = os.open(self.lock, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(probe)

    def said(self) -> tuple[int, str]:
        """The log's length in bytes, which grows while the server makes progress, and its last five lines."""
        if not self.log.exists():
            return 0, ""
        with self.log.open("rb") as log:
            length = log.seek(0, os.SEEK_END)
            log.seek(max(0, length - 2000))
            return length, "\n".join(log.read().decode(errors="replace").splitlines()[-5:])

    def give(self, path: Path) -> None:
        """Make `path` the account's own."""
        give(self.account, path)

    def write_private(self, path: Path, text: str) -> None:
        """Replace `path` by a file that only the account (and root) reads."""
        write_private(self.account, path, text)

    def _take(self, lock: int) -> None:
        for _ in range(100):  # somebody who asks `alive` holds it for microseconds
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.01)
            else:
                return
        raise ServerFailed(
            f"A process of an earlier server still holds {self.lock}",
            remedy="Look with `weir doctor`; end the process that holds the file.",
        )
