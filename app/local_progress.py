"""What a local run knows of its executions: fed by the worker beside it, shown by the live view."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from app.live_view import RunView
from app.run_result import RunResult
from domain.engine.ports import Append
from domain.graphs import Definition
from domain.ids import ExecutionId
from domain.starts import NewExecution
from jobs.announcements import Announcer
from jobs.runs import Run


class Watcher(Announcer, Protocol):
    """Hears of what becomes durable, besides what begins."""

    def committed(self, appends: Sequence[Append]) -> None: ...


@dataclass
class Progress:
    """Feeds the view with what becomes durable and what begins; knows how each execution ended."""

    view: RunView
    numbers: dict[ExecutionId, int]
    results: list[RunResult]
    over: asyncio.Event = field(default_factory=asyncio.Event)
    left: int = 0

    def committed(self, appends: Sequence[Append]) -> None:
        for append in appends:
            number = self.numbers.get(append.execution_id)
            if number is None:
                continue
            for event in append.events:
                self.view.event(number, event)
            if append.finished is not None:
                done = append.finished
                self.results[number] = RunResult(status=done.status, output=done.output, error=done.error)
                self.view.finished(number, done.status)
                self.left -= 1
        if self.left == 0:
            self.over.set()

    def step_began(self, run: Run, path: str, node: str, attempt: int, at: datetime) -> None:
        number = self.numbers.get(run.execution_id)
        if number is not None:
            self.view.activity(number, path, node, attempt, "ACTIVE", at)

    @property
    def open(self) -> Sequence[ExecutionId]:
        """Those that are not over."""
        return [each for each, number in self.numbers.items() if not self.results[number].status.terminal]


def progress_of(
    executions: Sequence[NewExecution], labels: Sequence[str], definition: Definition, *, title: str
) -> Progress:
    """Of executions that are about to begin; `labels` is what each is called on the screen."""
    graph = definition.graph
    view = RunView(
        [(node.id, node.name or node.id, node.kind) for node in graph.nodes],
        len(executions),
        labels,
        edges=[(edge.source, edge.target) for edge in graph.edges],
        title=title,
    )
    progress = Progress(
        view=view,
        numbers={execution.id: number for number, execution in enumerate(executions)},
        results=[RunResult() for _ in executions],
        left=len(executions),
    )
    if not executions:
        progress.over.set()
    for number, execution in enumerate(executions):
        for event in execution.events:
            view.event(number, event)
    return progress
