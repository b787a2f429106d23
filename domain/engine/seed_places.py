"""Where doing it again begins: which steps of each pass run again, and which of a log's outcomes still stand.

A step inside a body begins there: its containers go on from what their other iterations had come to. Where that
cannot be (in a cycle's later pass; when the container itself has to run again), it begins with the container.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.engine.bodies import node_of
from domain.engine.compensation import SUFFIX
from domain.engine.events import EventKind
from domain.engine.outcomes import ErrorHandling
from domain.engine.plan import Plan
from domain.engine.scopes import ROOT, Trail
from domain.json import JSONObject, as_object

_ITERATION = re.compile(r"\[\d+\]")
_UNDONE = (EventKind.STEP_COMPLETED, EventKind.STEP_SKIPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What a log says of a step: an outcome, or (`loop`) that its body began or went on. `record` is what to seed.

    `retried`: the attempt failed and another followed.
    """

    kind: EventKind
    path: str
    node: str
    record: JSONObject
    loop: JSONObject | None = None
    retried: bool = False

    @property
    def broken(self) -> bool:
        """Whether it is a failure, or that of a condition behind it, that goes on over no handle."""
        if any(isinstance(decision, Mapping) for decision in as_object(self.record.get("edges")).values()):
            return True
        return self.kind is EventKind.STEP_FAILED and not self.retried and not self.record.get("handles")


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One pass on the way to where it begins: the step on that way, and the nodes of the pass that run again.

    `since` and `until`: between them stands in the log what a container's body goes on from.
    """

    path: str
    prefix: str
    redone: frozenset[str]
    since: int = 0
    until: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """`levels`, outermost first: containers that go on, and last the step that runs again.

    `siblings`: what runs again in other iterations of those containers, by prefix.
    """

    levels: Sequence[Level]
    siblings: Mapping[str, frozenset[str]]

    @property
    def path(self) -> str:
        """The step's path when it runs again."""
        return first_generation(self.levels[-1].path)

    def outer(self) -> str | None:
        """The container of the step it begins with, None for one of the execution's own graph."""
        return self.levels[-2].path if len(self.levels) > 1 else None

    def redone_in(self, prefix: str) -> frozenset[str]:
        """The nodes that run again in the pass with this prefix."""
        own = (level.redone for level in self.levels if level.prefix == prefix)
        return next(own, self.siblings.get(prefix, frozenset()))

    def standing(self, index: int, path: str) -> str | None:
        """The path of the step by which a finished one still stands: its own, or a container's; None: it is redone."""
        for depth, (at, prefix) in enumerate(lineage(path)):
            level = self.levels[depth]
            if depth and index < self.levels[depth - 1].since:
                return None
            goes_on = prefix == level.prefix and at == level.path and depth < len(self.levels) - 1
            if not goes_on:
                return None if node_of(at) in self.redone_in(prefix) else at
        return None

    def goes_on(self, index: int, path: str) -> bool:
        """Whether the body of the container at `path` is seeded with what the log says at `index`."""
        return any(level.path == path and level.since <= index < level.until for level in self.levels[:-1])


def lineage(path: str) -> Sequence[tuple[str, str]]:
    """The paths of the containers around a step, outermost first, and its own, each with its pass's prefix."""
    found: list[tuple[str, str]] = []
    prefix = ROOT
    for match in _ITERATION.finditer(path):
        found.append((path[: match.start()], prefix))
        prefix = f"{path[: match.end()]}."
    return (*found, (path, prefix))


def first_generation(path: str) -> str:
    """`loop[3].price` of `loop[3].price#2`: what is done again begins there."""
    prefix = lineage(path)[-1][1]
    return prefix + path[len(prefix) :].partition("#")[0] if path.startswith(prefix) else path


def beginning(plan: Plan, log: Sequence[Finished], path: str, *, also: frozenset[str]) -> Beginning:
    """What runs again when it begins at `path`; `also` are further nodes of the execution's own graph."""
    passes = _passes(log)
    undone = {node_of(lineage(each.path)[0][0].removesuffix(SUFFIX)) for each in log if _is_undone(each)}
    levels: list[Level] = []
    siblings: dict[str, frozenset[str]] = {}
    trail: Trail = ()
    for at, prefix in lineage(path):
        body, name = plan.at(trail), node_of(at)
        if levels:
            siblings |= _siblings(body, passes, levels[-1], prefix)
        others = _broken(body, passes.get(prefix, ())) | (undone | also if prefix == ROOT else frozenset[str]())
        around = _downstream(body, others - {name})
        last = at == path or _stuck(body, at, prefix) or name in around or name in (undone if not trail else ())
        redone = around | body.downstream(name)
        since = _since(log, at)
        until = next((index for index, each in enumerate(log) if index >= since and each.path == path), len(log))
        levels.append(
            Level(path=at, prefix=prefix, redone=redone if last else redone - {name}, since=since, until=until)
        )
        if last:
            break
        trail = (*trail, name)
    return Beginning(levels=levels, siblings=siblings)


def _passes(log: Sequence[Finished]) -> Mapping[str, Sequence[Finished]]:
    passes: dict[str, list[Finished]] = defaultdict(list)
    for each in log:
        passes[lineage(each.path)[-1][1]].append(each)
    return passes


def _is_undone(each: Finished) -> bool:
    """Whether it says that a step was undone: what that had done is there no more."""
    return each.path.endswith(SUFFIX) and each.kind in _UNDONE


def _stuck(body: Plan, at: str, prefix: str) -> bool:
    """Whether a container lies in a cycle, where one pass of several cannot be gone on with."""
    name = node_of(at)
    return "#" in at[len(prefix) :] or any(name in cycle.nodes for cycle in body.cycles)


def _broken(body: Plan, log: Sequence[Finished]) -> frozenset[str]:
    """The nodes of a pass whose failure nothing in the graph took up."""
    return frozenset(
        each.node
        for each in log
        if each.broken
        and not each.path.endswith(SUFFIX)
        and each.node in body.nodes  # an earlier version may have had others
        and body.nodes[each.node].tolerated_by is None
    )


def _siblings(
    body: Plan, passes: Mapping[str, Sequence[Finished]], container: Level, own: str
) -> Mapping[str, frozenset[str]]:
    """What runs again in the container's other iterations: what had failed, if a failure stops the loop."""
    loops = [each.loop for each in passes.get(container.prefix, ()) if each.path == container.path and each.loop]
    if loops and loops[-1].get("errorHandling", ErrorHandling.STOP) != ErrorHandling.STOP:
        return {}
    return {
        prefix: _downstream(body, _broken(body, log))
        for prefix, log in passes.items()
        if prefix != own and prefix.startswith(f"{container.path}[") and prefix.count("[") == own.count("[")
    }


def _downstream(body: Plan, nodes: frozenset[str]) -> frozenset[str]:
    return frozenset[str]().union(*map(body.downstream, nodes))


def _since(log: Sequence[Finished], container: str) -> int:
    """Where the container's last attempt begins."""
    return max((index + 1 for index, each in enumerate(log) if each.path == container and each.retried), default=0)
