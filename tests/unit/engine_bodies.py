"""Graphs with bodies, children, races and ways back drawn at random, and somebody who plays them with any outcome."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TypeVar
from zlib import crc32

from domain.engine.commands import ResumeStep, RunStep
from domain.engine.events import EventKind
from domain.engine.outcomes import BodyFailed, ChildEnded, IterationEnded, LoopEnded
from domain.engine.plan import Plan, PlannedNode
from domain.engine.state import StepState
from domain.formats.stored import graph_to_json
from domain.graphs import Edge, FailureStrategy, Graph, JoinMode, Node
from domain.json import JSON, JSONObject
from tests.unit.engine_world import EPOCH, Answer, World, completed, failed, node, planned

_HANDLES = ("out", "out", "out", "out", "a", "error")
_UNDO: JSONObject = {"kind": "step"}
_TAKEN = (("out",), ("out",), ("out", "a"), ("out", "a"), ("out", "a", "error"), ("a",), ("nothing",))
_PLAIN = ("step", "step", "merge", "call")
_KINDS = (*_PLAIN, "step", "fork", "loop", "loop")
_DEPTH = 2
_LONGEST = 500
"""Answers after which a play counts as endless."""
_DISTURBANCES = 8
_NAME = re.compile(r"[^\[#]+")
T = TypeVar("T")


def plan_with_bodies(
    random: Random, *, cyclic: bool = True, calm: bool = False, strategy: FailureStrategy | None = None
) -> Plan:
    """Loops in loops, `each`, forks and merges of every mode, calls, compensations.

    `calm`: nothing races, so that in whatever order its steps are answered, the same comes out.
    """
    drawing = _Drawing(random=random, cyclic=cyclic and random.random() < 0.5, calm=calm)
    graph = drawing.graph(_DEPTH)
    loose = {each.id for each in graph.nodes} - {edge.target for edge in graph.edges}
    edges = [*(Edge(source="start", target=name) for name in sorted(loose)), *graph.edges]
    nodes = [node("start", "trigger"), *graph.nodes]
    return planned(nodes, edges, strategy=strategy or random.choice(list(FailureStrategy)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawing:
    random: Random
    cyclic: bool
    calm: bool

    def graph(self, depth: int) -> Graph:
        random = self.random
        names = [
            f"{'nmk'[depth]}{number}" for number in range(random.randint(*((3, 7) if depth == _DEPTH else (1, 3))))
        ]
        edges: list[Edge] = []
        for position, target in enumerate(names):
            for _ in range(random.randint(0, 2) if position else 0):
                source = random.choice(names[:position])
                edges.append(Edge(source=source, target=target, source_handle=random.choice(_HANDLES)))
        if self.cyclic and random.random() < 0.5:
            first, last = sorted(random.choices(range(len(names)), k=2))
            most = random.randint(1, 2)
            edges.append(Edge(source=names[last], target=names[first], source_handle="a", max_iterations=most))
        return Graph(nodes=[self._node(name, depth) for name in names], edges=edges)

    def _node(self, name: str, depth: int) -> Node:
        random = self.random
        kind = random.choice(_KINDS if depth else _PLAIN)
        config: dict[str, JSON] = {}
        match kind:
            case "loop":
                config["body"] = graph_to_json(self.graph(depth - 1))
            case "fork" if not self.calm:
                config["errorHandling"] = random.choice(["stop", "continue", "collect"])
            case "merge" if not self.calm:
                config["mode"] = random.choice(["all", "any", "first", "n", "each"])
                config |= {"n": 2} if config["mode"] == "n" else {}
                config |= {"cancel": False} if config["mode"] in ("any", "n") and random.random() < 0.5 else {}
            case _:
                pass
        races = kind == "step" and not self.calm and random.random() < 0.2
        made = node(name, kind, join=JoinMode.ANY if races else None, **config)
        if random.random() < 0.5:
            made = replace(made, compensation=_UNDO)
        return replace(made, each="items") if kind in ("step", "call") and random.random() < 0.2 else made


@dataclass(slots=True)
class Player:
    """Answers what the engine asks for, in any order and with anything that may come of it.

    `calm`: nothing fails, nothing disturbs, and what an answer says depends on its step alone.
    """

    random: Random
    world: World
    calm: bool = False
    disturbances: int = _DISTURBANCES

    def play(self, check: Callable[[World], None] = lambda _: None, most: int = _LONGEST) -> World:
        """Until nothing is left to answer, or `most` answers are given."""
        for _ in range(most):
            asked, called = sorted(self.world.ready), sorted(self.children)
            if self.world.finish is not None or not (asked or called):
                break
            if not self.calm and self.disturbances and self._pick("", "trouble", range(10)) == 9:
                self.disturbances -= 1
                self._disturb(asked)
            else:
                path = self.random.choice([*asked, *called])
                if path in self.world.ready:
                    self.world.answer(path, self._answer(path))
                else:
                    self._end_child(path)
            check(self.world)
        return self.world

    @property
    def children(self) -> list[str]:
        """The steps whose child has not ended."""
        steps = (self.world.state.steps[path] for path in self.world.state.open)
        return [step.path for step in steps if step.wait and step.wait.child and step.child_end is None]

    def _pick(self, path: str, what: str, options: Sequence[T]) -> T:
        if self.calm:
            return options[crc32(f"{what} {path}".encode()) % len(options)]
        return self.random.choice(options)

    def _answer(self, path: str) -> Answer:
        step, command = self.world.state.steps[path], self.world.ready[path]
        if not self.calm and isinstance(command, RunStep) and step.node != "start":
            match self._pick(path, "luck", range(24)):
                case 21:
                    return failed()
                case 22:
                    return failed("ROUTED", "error")
                case 23 if command.attempt < 3:
                    return failed(retryAt=EPOCH.isoformat())
                case _:
                    pass
        if step.undoes is not None:
            return completed(output=path)
        return self._resumed(step, command) if isinstance(command, ResumeStep) else self._run(step)

    def _run(self, step: StepState) -> Answer:
        planned, path = self.world.plan.at(step.trail).nodes[step.node], step.path
        if planned.body is not None:
            return EventKind.WAITING, {"loop": self._loop(path, single=planned.single)}
        match planned.node.kind:
            case "call":
                return EventKind.CHILD_STARTED, {"execution": f"child of {path}"}
            case "fork":
                timed = not self.calm and self._pick(path, "timed", (False, True))
                deadline: JSONObject = {"deadline": EPOCH.isoformat()} if timed else {}
                return completed("out", "a", output=path, **deadline)
            case _:
                return completed(*self._handles(path), output=path)

    def _handles(self, path: str) -> Sequence[str]:
        return self._pick(
            path,
            "handles",
            (("out",), ("out",), ("out", "a"), ("out", "a"), ("out", "a", "error"), ("a",), ("nothing",)),
        )

    def _loop(self, path: str, *, single: bool) -> JSONObject:
        """Over elements, a number of times, or as long as the step says so."""
        count, concurrency = (self._pick(path, what, (1, 2, 3)) for what in ("count", "concurrency"))
        handling = self._pick(path, "handling", ("stop", "continue", "collect"))
        loop: JSONObject = {"concurrency": concurrency, "errorHandling": handling}
        match 0 if single else self._pick(path, "loop", (0, 1, 2, 3)):
            case 0:
                return {**loop, "items": [f"item {number}" for number in range(count)]}
            case 1:
                enough = None if self.calm else self._pick(path, "enough", (None, 1, count))
                return {**loop, "count": count, "enough": enough}
            case 2:
                return {**loop, "count": count, "ask": True, "keepLast": True}
            case _:
                return {**loop, "ask": True}

    def _resumed(self, step: StepState, command: ResumeStep) -> Answer:
        path = step.path
        match command.cause:
            case IterationEnded(index=index):
                stop = index >= 2 or self._pick(path, f"stop {index}", (True, False, False, False))
                return EventKind.WAITING, {"loop": {"stop": True} if stop else {}}
            case LoopEnded(results=results):
                return completed(output=list(results))
            case BodyFailed(error=error):
                return failed(str(error["code"]), *self._pick(path, "borne", ((), ("error",))))
            case ChildEnded(status="COMPLETED", output=output):
                return completed(output=output)
            case ChildEnded():
                return failed("CHILD", *self._pick(path, "borne", ((), ("error",))))
            case _:
                return completed(*self._handles(path), output=path)

    def _end_child(self, path: str) -> None:
        wait = self.world.state.steps[path].wait
        assert wait is not None
        status = "COMPLETED" if self.calm else self._pick(path, "end", ("COMPLETED", "FAILED", "CANCELLED"))
        told: dict[str, JSON] = {"execution": wait.child, "status": status, "output": f"of {path}"}
        self.world.append(EventKind.CHILD_FINISHED, told, path)

    def _disturb(self, asked: Sequence[str]) -> None:
        world, state = self.world, self.world.state
        match self.random.randrange(9):
            case 0:
                world.append(EventKind.PAUSED, {})
                world.append(EventKind.RESUMED, {})
            case 1 if asked:
                path = self.random.choice(asked)
                if isinstance(world.ready[path], RunStep) and state.steps[path].undoes is None:
                    world.append(EventKind.SIGNAL_RECEIVED, {"name": "go", "payload": path, "key": str(len(world.log))})
                    world.answer(path, (EventKind.WAITING, {"signal": "go"}))
            case 2 if state.open:
                path = self.random.choice(sorted(state.open))
                if state.steps[path].undoes is None:
                    world.append(EventKind.STEP_SKIPPED, {"output": path}, path)
            case 3 if state.alarms:
                world.append(EventKind.TIMED_OUT, {}, self.random.choice(sorted(state.alarms)))
            case 4:
                world.append(EventKind.STEP_COMPLETED, {"output": "late"}, LATE)
            case 5 if self.random.random() < 0.3:
                world.append(EventKind.CANCEL_REQUESTED, {"reason": "enough"})
            case 6 if self.random.random() < 0.3:
                world.append(EventKind.TIMED_OUT, {})
            case _:
                world.append(EventKind.ADOPTED, {})


LATE = "nowhere"
"""The path of a step that is not there any more."""


def chance(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - guards nothing


def began(plan: Plan, random: Random, *, calm: bool = False) -> Player:
    return Player(random, World(plan).start(), calm=calm)


def planned_at(plan: Plan, path: str) -> PlannedNode:
    """What a path of the log stands for, also when its iteration is long forgotten."""
    names = [_NAME.match(part) for part in path.split(".")]
    trail = [name.group() for name in names if name is not None]
    node = trail[-1]
    if path.endswith("]"):  # the one step of an `each`
        return plan.at(tuple(trail)).nodes[node]
    return plan.at(tuple(trail[:-1])).nodes[node]
