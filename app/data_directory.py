"""Changes when the layout of the data directory changes: what lies where, whose it is, who locks what.

    DIR/in-use             every user of the servers holds a shared lock; who gets it alone at its end stops them
    DIR/starting           exclusive lock while servers are started or stopped
    DIR/*.lock, DIR/*.log  of the two servers; the lock is held by their processes
    DIR/master.key         encrypts the data keys of the tenants (base64, 32 bytes a line, the current one first)
    DIR/servers/           HOME: what belongs to the servers' account: postgres/, password, run/ (the sockets)
    DIR/home-at            instead of servers/, when their account cannot reach DIR: where HOME is
    DIR/sockets-at         instead of HOME/run, when that path is too long for a Unix socket: where they are

For an ordinary user everything is the user's own. Started by root, the servers run as the owner of DIR or, when
that is root too, as `nobody`; if a directory above DIR bars that account, HOME is `/var/lib/weir/<random>` (or below
/var/tmp where /var/lib is read-only). No permission above DIR is ever changed.
"""

import fcntl
import os
import pwd
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app.processes import Account, ServerFailed, ServerHost, give, permits, write_private

SOCKET_DIRECTORY_LIMIT = 85  # bytes; with the socket's name it must stay under the 104 of macOS (Linux: 108)
_PLAIN = re.compile(r"[A-Za-z0-9/._-]+")  # anything else is read differently by the parsers of URLs
SHELVES = (Path("/var/lib/weir"), Path("/var/tmp/weir"))  # noqa: S108 - only root writes there, see `shelf`


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDirectory:
    """`path` is absolute; `account` is whom the servers run as, None when that is the caller."""

    path: Path
    account: Account | None

    @classmethod
    def prepare(cls, path: Path) -> "DataDirectory":
        """Make DIR if it is missing; raises ServerFailed when it cannot be used."""
        path = path.absolute()
        try:
            if not path.exists():
                path.mkdir(parents=True, exist_ok=True)
                path.chmod(0o711 if os.geteuid() == 0 else 0o700)  # the account passes through, and reads nothing
            probe = path / "in-use"
            probe.touch(mode=0o600)
        except OSError as error:
            raise ServerFailed(
                f"The data directory {path} cannot be used: {error.strerror}",
                remedy="Choose another with --data-dir or WEIR_DATA_DIR, or give it to this user.",
            ) from error
        directory = cls(path=path, account=account_of(path))
        directory._adopt(probe)
        return directory

    @classmethod
    def known(cls, path: Path) -> "DataDirectory | None":
        """The data directory at `path` if it is there; makes nothing."""
        path = path.absolute()
        return cls(path=path, account=account_of(path)) if (path / "in-use").exists() else None

    def host(self, name: str) -> ServerHost:
        """Where the server `name` is run from."""
        lock, log = self.path / f"{name}.lock", self.path / f"{name}.log"
        for file in (lock, log):
            if not file.exists():
                file.touch(mode=0o600)
                self._adopt(file)
        return ServerHost(account=self.account, lock=lock, log=log)

    def home(self) -> Path:
        """The servers' own directory, made on first use."""
        known = self.known_home()
        if known is not None:
            self._claim(known)
            if not permits(self.account, "-x", known):
                raise ServerFailed(
                    f"The account {self.account.name if self.account else 'of this user'} cannot reach {known}",
                    remedy="Let it pass through the directories above, or move the data directory.",
                )
            return known
        inside = self.path / "servers"
        inside.mkdir(mode=0o700)
        give(self.account, inside)
        if self.account is None or permits(self.account, "-x", inside):
            return inside
        inside.rmdir()
        outside = Path(tempfile.mkdtemp(prefix="", dir=shelf()))
        (outside / "data-directory").write_text(str(self.path))
        give(self.account, outside)
        self.write("home-at", str(outside))
        return outside

    def _claim(self, home: Path) -> None:
        """Refuse to share a home outside with the data directory that this one is a copy of."""
        mark = home / "data-directory"
        if not mark.exists() or mark.read_text() == str(self.path):
            return
        first = Path(mark.read_text()) / "home-at"
        if first.exists() and first.read_text() == str(home):
            raise ServerFailed(
                f"{self.path} is a copy of {first.parent}; both name the servers' files in {home}",
                remedy=f"Remove {self.path / 'home-at'} to begin with an empty database there.",
            )
        mark.write_text(str(self.path))  # it was moved

    def known_home(self) -> Path | None:
        """The servers' own directory if it is there already."""
        pointer = self.path / "home-at"
        home = Path(pointer.read_text()) if pointer.exists() else self.path / "servers"
        return home if home.is_dir() else None

    def sockets(self, home: Path) -> Path:
        """The private directory of the sockets, made when it is not there."""
        known = self.known_sockets(home)
        if known is not None:
            return known
        inside = home / "run"
        if is_fit_for_sockets(inside):
            inside.mkdir(mode=0o700)
            give(self.account, inside)
            return inside
        outside = Path(tempfile.mkdtemp(prefix="weir-", dir="/tmp"))
        give(self.account, outside)
        self.write("sockets-at", str(outside))
        return outside

    def known_sockets(self, home: Path) -> Path | None:
        """The sockets' directory if it is there and nobody else's."""
        pointer = self.path / "sockets-at"
        sockets = Path(pointer.read_text()) if pointer.exists() else home / "run"
        with suppress(FileNotFoundError):
            state = sockets.lstat()
            owner = self.account.uid if self.account else os.geteuid()
            if state.st_uid == owner and state.st_mode & 0o170777 == 0o040700:
                return sockets
        return None

    def password(self, home: Path) -> str:
        """The servers' password; it lives as long as the cluster it belongs to."""
        file = home / "password"
        if not file.exists():
            write_private(self.account, file, secrets.token_urlsafe(24))
        return file.read_text().strip()

    def secret(self, name: str, make: Callable[[], str]) -> str:
        """The text in DIR/`name`, made on first use, mode 600."""
        file = self.path / name
        if not file.exists():
            self.write(name, make())
        return file.read_text().strip()

    def write(self, name: str, text: str) -> None:
        """Replace DIR/`name`, mode 600."""
        write_private(None, self.path / name, text)
        self._adopt(self.path / name)

    def forget_sockets(self, sockets: Path) -> None:
        """Remove the sockets' directory; a next start makes it anew."""
        shutil.rmtree(sockets, ignore_errors=True)
        (self.path / "sockets-at").unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove everything, the servers' home outside included."""
        home = self.known_home()
        if home is not None:
            shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(self.path, ignore_errors=True)

    def open_starting(self) -> int:
        """A descriptor of the file that `starting` locks."""
        file = self.path / "starting"
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        self._adopt(file)
        return descriptor

    def _adopt(self, file: Path) -> None:
        # Root leaves nothing behind in another user's directory that this user could not use afterwards.
        if os.geteuid() == 0:
            state = self.path.stat()
            os.chown(file, state.st_uid, state.st_gid, follow_symlinks=False)


@contextmanager
def starting(path: Path, report: Callable[[str], None]) -> Generator[DataDirectory]:
    """Hold the exclusive right to start and stop the servers of the data directory at `path`."""
    while True:
        directory = DataDirectory.prepare(path)
        descriptor = directory.open_starting()
        try:
            _lock(descriptor, report)
            if os.fstat(descriptor).st_nlink == 0:  # its last user has removed the passing data directory meanwhile
                continue
            yield directory
            return
        finally:
            os.close(descriptor)


def _lock(descriptor: int, report: Callable[[str], None]) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        report("waiting: another process starts or stops the servers")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def account_of(path: Path) -> Account | None:
    """Whom the servers of the data directory at `path` run as: the caller (None) unless that is root.

    Raises ServerFailed when there is no unprivileged account.
    """
    if os.geteuid() != 0:
        return None
    owner = path.stat().st_uid
    with suppress(KeyError):
        entry = pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
        return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise ServerFailed(
        "PostgreSQL does not run as root, and there is no unprivileged account for it",
        remedy=f"Give {path} to an ordinary user, or add the user `nobody`.",
    )


def is_fit_for_sockets(path: Path) -> bool:
    """Whether a Unix socket in `path` has an address that is short enough and reads the same in every URL parser."""
    return len(os.fsencode(path)) <= SOCKET_DIRECTORY_LIMIT and _PLAIN.fullmatch(str(path)) is not None


def shelf() -> Path:
    """A directory that root alone writes and everybody may pass through; only called as root."""
    for place in SHELVES:
        with suppress(OSError):
            place.mkdir(mode=0o755, exist_ok=True)
            state = place.lstat()
            if state.st_uid == 0 and state.st_mode & 0o170022 == 0o040000:
                return place
    raise ServerFailed(
        "An unprivileged account does not reach the files of root, and neither /var/lib nor /var/tmp is writable",
        remedy="Choose a data directory that other users may pass through with --data-dir.",
    )
