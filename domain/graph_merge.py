"""A branch is merged into a draft: three definitions become one, or it is told where a person must decide.

Pure. What only one side changed is taken as that side has it. Both sides may change different fields of a node,
different nodes of a body, different variables; two different changes of one field are a conflict. So is what would come
out as nobody meant it: a node that one side removed and the other changed or leads a new edge to, and the config of a
node whose kind the other side changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from domain.graph_merge_order import ordered
from domain.graph_parts import Naming, Parts, Path, same, split
from domain.json import JSON, JSONObject, as_object


class Absent(Enum):
    """There is no such value: it was never there, or it was removed."""

    ABSENT = "ABSENT"


ABSENT = Absent.ABSENT
Maybe: TypeAlias = "JSON | Absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """`draft` and `branch` are what the two made of `base`; values as they are, secrets too."""

    path: Path
    base: Maybe
    draft: Maybe
    branch: Maybe


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """`value` is the merged definition; with `conflicts` it is of no use.

    `unused`: paths of resolutions where there was nothing to resolve.
    """

    value: JSONObject
    conflicts: tuple[Conflict, ...]
    unused: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Take:
    """How a conflict is resolved: by the draft's value, the branch's, or one of the caller's own."""

    value: Maybe = ABSENT
    draft: bool = False
    branch: bool = False


def merge(base: JSONObject, draft: JSONObject, branch: JSONObject, resolutions: Mapping[Path, Take]) -> Merge:
    """Of definitions as `domain.formats.stored` writes them."""
    merging = _Merging(resolutions)
    value = merging.value((), base, draft, branch)
    return Merge(
        value=as_object(None if isinstance(value, Absent) else value),
        conflicts=tuple(merging.conflicts),
        unused=tuple(path for path in resolutions if path not in merging.resolved),
    )


class _Merging:
    def __init__(self, resolutions: Mapping[Path, Take]) -> None:
        self._resolutions = resolutions
        self.resolved: set[Path] = set()
        self.conflicts: list[Conflict] = []

    def value(self, path: Path, base: Maybe, draft: Maybe, branch: Maybe, *, element: bool = False) -> Maybe:
        """`element`: it is one of a list; two such that were added under one name are not mixed."""
        if _equal(draft, branch) or _equal(branch, base):
            return draft
        if _equal(draft, base):
            return branch
        if isinstance(draft, Absent) or isinstance(branch, Absent):
            return self._decide(path, base, draft, branch)
        if isinstance(base, Absent) and not element:
            base = {}  # both began an object that was not there
        parts = None if isinstance(base, Absent) else split(base, draft, branch)
        if parts is None:
            return self._decide(path, base, draft, branch)
        if parts.naming is Naming.MEMBER:
            return self._object(path, parts)
        return self._list(path, parts)

    def _decide(self, path: Path, base: Maybe, draft: Maybe, branch: Maybe) -> Maybe:
        """As the caller resolved it, else a conflict."""
        take = self._resolutions.get(path)
        if take is None:
            self.conflicts.append(Conflict(path=path, base=base, draft=draft, branch=branch))
            return draft
        self.resolved.add(path)
        if take.draft or take.branch:
            return draft if take.draft else branch
        return take.value

    def _object(self, path: Path, parts: Parts) -> JSON:
        base, draft, branch = parts.of
        if all("nodes" in side for side in parts.of):
            return self._graph(path, base, draft, branch)
        merged: dict[str, JSON] = {}
        for name in _names(draft, branch):
            three = _at(name, base, draft, branch)
            if name == "config" and _crossed(base, draft, branch):
                value = self._decide((*path, name), *three)
            else:
                value = self.value((*path, name), *three)
            if not isinstance(value, Absent):
                merged[name] = value
        return merged

    def _list(self, path: Path, parts: Parts, kept: Sequence[set[str]] = (set(), set())) -> JSON:
        """`kept`: of what the branch, and what the draft, removed: that which the other side needs."""
        base, draft, branch = parts.of
        order, orders_differ = ordered(base, draft, branch)
        if orders_differ and parts.naming is Naming.NAME:  # of cases the first that holds is taken
            decided = self._decide(path, *(list(side.values()) for side in parts.of))
            return None if isinstance(decided, Absent) else decided
        merged: dict[str, JSON] = {}
        for name in order:
            three, at = _at(name, base, draft, branch), (*path, name)
            needed = (name not in branch and name in kept[0]) or (name not in draft and name in kept[1])
            value = self._decide(at, *three) if needed and name in base else self.value(at, *three, element=True)
            if not isinstance(value, Absent):
                merged[name] = value
        return parts.joined(merged)

    def _graph(self, path: Path, base: JSONObject, draft: JSONObject, branch: JSONObject) -> JSON:
        """Nodes with the edges between them, which must not lose what they connect."""
        sides = base, draft, branch
        edges = split(*(side.get("edges", []) for side in sides))
        nodes = split(*(side["nodes"] for side in sides))
        members = [{key: value for key, value in side.items() if key not in ("nodes", "edges")} for side in sides]
        merged = dict(as_object(_present(self._object(path, Parts(naming=Naming.MEMBER, of=members)))))
        if nodes is None or edges is None or Naming.NAME in (nodes.naming, edges.naming):
            for name in ("nodes", "edges"):
                merged[name] = _present(self.value((*path, name), *_at(name, *sides)))
            return merged
        kept = _newly_connected(edges.of[1], edges.of[0]), _newly_connected(edges.of[2], edges.of[0])
        merged["nodes"] = self._list((*path, "nodes"), nodes, kept)
        merged["edges"] = self._list((*path, "edges"), edges)
        lost = {name for side in nodes.of for name in side} - {*_parts(merged["nodes"])}
        merged["edges"] = [
            edge
            for name, edge in _parts(merged["edges"]).items()
            if (*path, "edges", name) in self.resolved or not _ends(edge) & lost
        ]
        return merged


def _crossed(base: JSONObject, draft: JSONObject, branch: JSONObject) -> bool:
    """Whether one side changed a node's kind and the other, differently, the config that was of the old kind."""
    three = _at("config", base, draft, branch)
    if _equal(three[1], three[2]):
        return False
    new_kind = [side.get("kind") != base.get("kind") for side in (draft, branch)]
    new_config = [not _equal(config, three[0]) for config in three[1:]]
    return (new_kind[0] and new_config[1]) or (new_kind[1] and new_config[0])


def _newly_connected(edges: Mapping[str, JSON], base: Mapping[str, JSON]) -> set[str]:
    """The nodes that edges lead from or to which were not in `base`."""
    return {end for name, edge in edges.items() if name not in base for end in _ends(edge)}


def _ends(edge: JSON) -> set[str]:
    members = as_object(edge)
    return {str(members.get("source")), str(members.get("target"))}


def _parts(value: JSON) -> Mapping[str, JSON]:
    parts = split(value)
    return parts.of[0] if parts is not None else {}


def _names(*sides: Mapping[str, JSON]) -> Sequence[str]:
    """Each once, in the order of the sides."""
    return list(dict.fromkeys(name for side in sides for name in side))


def _at(name: str, base: JSONObject, draft: JSONObject, branch: JSONObject) -> tuple[Maybe, Maybe, Maybe]:
    return base.get(name, ABSENT), draft.get(name, ABSENT), branch.get(name, ABSENT)


def _present(value: Maybe) -> JSON:
    return None if isinstance(value, Absent) else value


def _equal(one: Maybe, other: Maybe) -> bool:
    if isinstance(one, Absent) or isinstance(other, Absent):
        return one is other
    return same(one, other)
