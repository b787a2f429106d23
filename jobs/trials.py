"""Test mode where steps run: which of them stop, which are only played, and what the others may reach."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from domain.children import Children
from domain.connections import Connections
from domain.engine.draft import Draft
from domain.engine.outcomes import Cause, Completed, SignalArrived, Waiting
from domain.engine.state import StepState, StepStatus
from domain.expressions import Expression, Scope, Template
from domain.files import Files
from domain.json import JSON, JSONObject
from domain.locks import LockDesk
from domain.plain_secrets import hidden
from domain.starts import NewExecution
from domain.streams import NewMessage, StreamDesk
from domain.tasks import TaskDesk
from domain.trials import BREAKPOINT, Mark, Trial, When, as_test, breakpoint_signal, node_name
from jobs.addresses import AddressGuard
from jobs.breakers import Breaker
from jobs.nodes.base import CodeRunner, Http, Services
from jobs.outgoing import OutgoingError, OutgoingRequest, OutgoingResponse, OutgoingStream
from jobs.programs import NodeProgram


def stop_before(draft: Draft, step: StepState, cause: Cause | None) -> Waiting | None:
    """The wait of a step that is to stop before it runs; its retries and what it is resumed with do not stop again."""
    trial = draft.trial
    if trial is None or cause is not None or step.attempt > 1 or step.status is not StepStatus.ACTIVE:
        return None
    if not draft.stepping and not _at_breakpoint(trial, step):
        return None
    return Waiting(signal=breakpoint_signal(step.path))


def _at_breakpoint(trial: Trial, step: StepState) -> bool:
    if step.undoes is not None or step.path.endswith("]"):  # a breakpoint is before a whole `each`
        return False
    if trial.breaks(node_name(step.path), When.BEFORE):
        return True
    return any(trial.breaks(node_name(source), When.AFTER) for source in step.sources)


def own_cause(cause: Cause | None) -> Cause | None:
    """What the step is resumed with; a step released from a breakpoint is run."""
    return None if isinstance(cause, SignalArrived) and cause.name.startswith(BREAKPOINT) else cause


def mark_of(trial: Trial | None, program: NodeProgram, step: StepState) -> Mark | None:
    """How the step goes about it. What undoes a node acts where the node has acted, and only there."""
    if trial is None or program.node.disabled:
        return None
    name = node_name(step.path)
    if name in trial.pins and step.undoes is None:
        return Mark.PINNED
    if name in trial.effects and name not in trial.pins:
        return Mark.EFFECTS
    return Mark.SIMULATED if program.behaviour.kind.effects else None


def pinned(trial: Trial, program: NodeProgram, path: str) -> Completed:
    """The outcome that stands in for the step's run."""
    pin = trial.pins[node_name(path)]
    return Completed(output=pin.output, handles=program.onward if pin.handle is None else (pin.handle,))


def simulated(program: NodeProgram, config: JSONObject) -> Completed:
    """The step seems done; its output is what it would have done it with."""
    return Completed(output=hidden(config), handles=program.onward)


def handed_down(trial: Trial | None, path: str | None, child: NewExecution) -> NewExecution:
    """What a test begins is a test: with what the trial says of it, and without effects where it says nothing.

    `path`: the step that begins it, None for the workflow's failure handler.
    """
    if trial is None:
        return child
    return as_test(child, trial.within(node_name(path)) if path is not None else Trial())


def services_of(services: Services, trial: Trial | None, mark: Mark | None) -> Services:
    """What a step may ask of the worker: in a test, nothing that goes outside unless it is allowed to."""
    return services if trial is None or mark is Mark.EFFECTS else Harmless(services)


class _Nowhere:
    """Implements Http and StreamDesk."""

    async def send(self, request: OutgoingRequest) -> OutgoingResponse:
        raise _off()

    def open(self, request: OutgoingRequest) -> AbstractAsyncContextManager[OutgoingStream]:
        raise _off()

    async def read(self, stream: OutgoingStream) -> bytes:
        raise _off()

    async def publish(self, message: NewMessage) -> int:
        raise _off()


def _off() -> OutgoingError:
    return OutgoingError(
        "EFFECTS_OFF",
        "In a test nothing is sent",
        retryable=False,
        remedy="Name the node in the test's effects, or pin its output.",
    )


@dataclass(frozen=True, slots=True)
class Harmless:
    """Implements Services for a step that may not act outside, whatever its kind says of itself."""

    _services: Services

    @property
    def http(self) -> Http:
        return _Nowhere()

    @property
    def streams(self) -> StreamDesk:
        return _Nowhere()

    @property
    def addresses(self) -> AddressGuard:
        return self._services.addresses

    @property
    def breaker(self) -> Breaker:
        return self._services.breaker

    @property
    def children(self) -> Children:
        return self._services.children

    @property
    def connections(self) -> Connections:
        return self._services.connections

    @property
    def files(self) -> Files:
        return self._services.files

    @property
    def tasks(self) -> TaskDesk:
        return self._services.tasks

    @property
    def locks(self) -> LockDesk:
        return self._services.locks

    @property
    def code(self) -> CodeRunner:
        return self._services.code

    async def evaluate(self, expression: Expression, scope: Scope) -> JSON:
        return await self._services.evaluate(expression, scope)

    async def evaluate_each(self, expression: Expression, scope: Scope, items: Sequence[JSON]) -> Sequence[JSON]:
        return await self._services.evaluate_each(expression, scope, items)

    async def render(self, template: Template, scope: Scope) -> JSON:
        return await self._services.render(template, scope)
