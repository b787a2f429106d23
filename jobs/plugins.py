"""Node kinds from other packages: found by entry point, and never able to stop a start."""

import logging
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, cast

from jobs.nodes.base import DefinedKind

GROUP: Final = "weir.nodes"
_NAME: Final = re.compile(r"[a-z][a-z0-9_.-]{0,79}")

log = logging.getLogger("weir.plugins")


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenPlugin:
    """An entry point that gives no node kind: its name, its package and version, and why."""

    name: str
    package: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugins:
    kinds: Sequence[DefinedKind[Any]] = ()
    broken: Sequence[BrokenPlugin] = ()


class _NoKind(Exception):
    """The entry point leads to something that is no usable kind."""


def installed() -> Sequence[EntryPoint]:
    """The entry points of installed packages in the group `weir.nodes`, sorted by name."""
    return sorted(entry_points(group=GROUP), key=lambda each: (each.name, _package(each)))


def load(found: Iterable[EntryPoint], taken: Collection[str]) -> Plugins:
    """Imports them. A name that is `taken`, by a kind of Weir's own or an earlier plug-in, makes the later one broken.

    What is broken is logged and told; the others are there all the same.
    """
    kinds: dict[str, DefinedKind[Any]] = {}
    broken: list[BrokenPlugin] = []
    for entry in found:
        try:
            kind = _kind(entry)
            _refuse_clash(kind.kind.name, taken, kinds)
        except (Exception, SystemExit) as error:  # whatever a stranger's import raises: the edge of our program
            reason = str(error) if isinstance(error, _NoKind) else f"{type(error).__name__}: {error}"
            broken.append(BrokenPlugin(name=entry.name, package=_package(entry), reason=reason[:500]))
            log.error("the plug-in %s of %s is left out: %s", entry.name, _package(entry), reason)
        else:
            kinds[kind.kind.name] = kind
    return Plugins(kinds=tuple(kinds.values()), broken=tuple(broken))


def _kind(entry: EntryPoint) -> DefinedKind[Any]:
    given: object = entry.load()
    if not isinstance(given, DefinedKind):
        raise _NoKind(f"{entry.value} is {type(given).__name__}, not a node kind made by weir_kit.define")
    kind = cast("DefinedKind[Any]", given)
    if not _NAME.fullmatch(kind.kind.name):
        raise _NoKind(f"{kind.kind.name[:80]!r} is no name for a kind: small letters, digits, '.', '_' and '-'")
    return replace(kind, kind=replace(kind.kind, package=_package(entry)))


def _refuse_clash(name: str, taken: Collection[str], kinds: "dict[str, DefinedKind[Any]]") -> None:
    if name in taken:
        raise _NoKind(f"Weir has a node kind {name!r} itself; give yours another name")
    if name in kinds:
        raise _NoKind(f"{kinds[name].kind.package} has a node kind {name!r} too; remove one of the packages")


def _package(entry: EntryPoint) -> str:
    """Name and version, such as `weir-currency 1.0`."""
    return " ".join(_parts(entry))


def _parts(entry: EntryPoint) -> Iterator[str]:
    if entry.dist is None:
        yield "an unknown package"
    else:
        yield entry.dist.name
        yield entry.dist.version
