"""A world for the engine without any I/O: small kinds, and a runner that plays commands back as events."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from domain.engine.commands import CancelStep, Command, Ending, Finish, ResumeStep, RunStep
from domain.engine.decide import advance
from domain.engine.events import Event, EventKind
from domain.engine.plan import Plan, compile_plan
from domain.engine.state import State
from domain.errors import Finding
from domain.graphs import Definition, Edge, FailureStrategy, Graph, JoinMode, Node, WorkflowSettings
from domain.json import JSON
from domain.nodes import NodeCategory, NodeKind

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def _kind(
    name: str,
    *,
    entry: bool = False,
    result: bool = False,
    merges: bool = False,
    forks: bool = False,
    body: bool = False,
    handles: tuple[str, ...] = ("out",),
) -> NodeKind:
    return NodeKind(
        name=name,
        title=name,
        description=name,
        category=NodeCategory.FLOW,
        config_schema={},
        output_handles=handles,
        entry=entry,
        result=result,
        merges=merges,
        forks=forks,
        body=body,
    )


KINDS: Mapping[str, NodeKind] = {
    "trigger": _kind("trigger", entry=True),
    "step": _kind("step", handles=("out", "a", "b", "error")),
    "merge": _kind("merge", merges=True),
    "end": _kind("end", result=True, handles=()),
    "fork": _kind("fork", forks=True, handles=("out", "a")),
    "loop": _kind("loop", body=True, handles=("out", "error")),
    "call": _kind("call", handles=("out", "error")),
}


class Kinds:
    def kinds(self) -> Mapping[str, NodeKind]:
        return KINDS

    def handles(self, node: Node) -> Sequence[str]:
        return KINDS[node.kind].output_handles

    def check(self, node: Node) -> Sequence[Finding]:
        return ()


def node(name: str, kind: str = "step", *, join: JoinMode | None = None, **config: JSON) -> Node:
    return Node(id=name, kind=kind, join=join, config=config)


def edge(text: str, *, handle: str = "out", condition: str | None = None, max_iterations: int | None = None) -> Edge:
    """`edge("a > b")`."""
    source, _, target = text.partition(" > ")
    return Edge(
        source=source,
        target=target,
        source_handle=handle,
        condition=condition,
        max_iterations=max_iterations,
    )


def planned(nodes: Sequence[Node], edges: Sequence[Edge], *, strategy: FailureStrategy = FailureStrategy.FAIL) -> Plan:
    definition = Definition(graph=Graph(nodes=nodes, edges=edges), settings=WorkflowSettings(on_failure=strategy))
    return compile_plan(definition, Kinds())


Answer = tuple[EventKind, dict[str, JSON]]


def completed(*handles: str, output: JSON = None, **more: JSON) -> Answer:
    return EventKind.STEP_COMPLETED, {"output": output, "handles": list(handles or ("out",)), **more}


def failed(code: str = "BROKEN", *handles: str, **more: JSON) -> Answer:
    payload: dict[str, JSON] = {"error": {"code": code, "message": code}, **more}
    return EventKind.STEP_FAILED, payload | ({"handles": list(handles)} if handles else {})


@dataclass
class World:
    """Plays one execution: `ready` holds the steps the engine asked for, in order; `finish` its last word."""

    plan: Plan
    state: State = field(default_factory=State)
    log: list[Event] = field(default_factory=list[Event])
    ready: dict[str, RunStep | ResumeStep] = field(default_factory=dict[str, "RunStep | ResumeStep"])
    cancelled: list[str] = field(default_factory=list[str])
    orphans: list[str] = field(default_factory=list[str])
    """Children whose steps are no longer wanted."""
    finish: Finish | None = None
    history: list[State] = field(default_factory=list[State])

    def start(self, value: JSON = None) -> "World":
        self.append(EventKind.EXECUTION_STARTED, {"input": value, "variables": {}})
        return self

    def append(self, kind: EventKind, payload: dict[str, JSON], path: str | None = None, attempt: int = 1) -> None:
        seq = len(self.log) + 1
        name = self.state.steps[path].node if path and path in self.state.steps else None
        moment = EPOCH + timedelta(seconds=seq)
        event = Event(seq=seq, kind=kind, at=moment, node=name, path=path, attempt=attempt, payload=payload)
        self.log.append(event)
        self.state, commands = advance(self.plan, self.state, event)
        self.history.append(self.state)
        for command in commands:
            self.note(command)

    def note(self, command: Command) -> None:
        match command:
            case RunStep() | ResumeStep():
                self.ready[command.path] = command
            case CancelStep():
                self.ready.pop(command.path, None)
                self.cancelled.append(command.path)
                if command.child is not None:
                    self.orphans.append(command.child)
            case Finish():
                assert self.finish is None or self.finish == command
                self.finish = command

    def answer(self, path: str, answer: Answer) -> None:
        command = self.ready.pop(path)
        attempt = command.attempt if isinstance(command, RunStep) else 1
        self.append(answer[0], answer[1], path, attempt)

    def run(self, answers: Callable[[str], Answer] = lambda path: completed(output=path)) -> "World":
        """Answer every ready step, oldest first, until nothing is left."""
        while self.ready:
            path = next(iter(self.ready))
            self.answer(path, answers(path))
        return self

    def conclude(self) -> "World":
        assert self.finish is not None
        kinds = {
            Ending.COMPLETED: EventKind.EXECUTION_COMPLETED,
            Ending.FAILED: EventKind.EXECUTION_FAILED,
            Ending.CANCELLED: EventKind.EXECUTION_CANCELLED,
        }
        payload: dict[str, JSON] = {"output": self.finish.output, "error": self.finish.error, "path": self.finish.path}
        self.append(kinds[self.finish.ending], payload)
        return self

    def statuses(self) -> dict[str, str]:
        return {path: step.status.value for path, step in self.state.steps.items()}
