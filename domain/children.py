"""Executions that an execution begins: a sub-workflow's, a failure handler's."""

from dataclasses import dataclass, field, replace
from typing import Protocol

from domain.engine.parents import parent_to_json
from domain.engine.state import Parent
from domain.environments import DEFAULT, Placed
from domain.errors import Invalid
from domain.executions_prepare import Origin, StartRequest, prepare, refuse_status
from domain.ids import ExecutionId, encode
from domain.json import JSON, JSONObject
from domain.sources import Clock, Ids
from domain.starts import NewExecution, TriggerType
from domain.versions import Version
from domain.workflows import Workflow

MAX_DEPTH = 20
"""How many executions may be above one another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """`workflow`: a name or a `workflow_…` id. `version` None: the active one. `depth`: the caller's own.

    `path`: the step that waits for the end, None when nobody does. `environment`: the caller's own.
    """

    workflow: str
    caller: ExecutionId
    depth: int
    path: str | None = None
    version: int | None = None
    environment: str = DEFAULT
    input: JSON = None
    variables: JSONObject = field(default_factory=dict[str, JSON])
    type: TriggerType = TriggerType.PARENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Callee:
    workflow: Workflow
    version: Version
    placed: Placed = field(default_factory=Placed)


class Callees(Protocol):
    """One tenant's workflows, as a step may call them."""

    async def find(self, reference: str, version: int | None, environment: str, key: str) -> Callee:
        """By name or id, with the version that is active in the environment unless a number is given.

        `key` decides where a split leaves the choice. Raises NotFound, InvalidState.
        """
        ...


class Children(Protocol):
    """What a step may begin."""

    async def prepare(self, call: Call) -> NewExecution:
        """The child, not begun yet: it begins with the event that records it.

        Raises NotFound, InvalidState for a workflow that takes no starts, Invalid for its input or depth.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantChildren:
    """Implements Children."""

    callees: Callees
    ids: Ids
    clock: Clock

    async def prepare(self, call: Call) -> NewExecution:
        if call.depth + 1 > MAX_DEPTH:
            raise Invalid(
                f"Executions call each other more than {MAX_DEPTH} deep",
                path=("workflow",),
                remedy="End the recursion by a condition, or loop instead.",
            )
        child = ExecutionId(self.ids())
        callee = await self.callees.find(call.workflow, call.version, call.environment, str(child))
        request = StartRequest(workflow_id=callee.workflow.id, input=call.input, variables=call.variables)
        refuse_status(callee.workflow, request)
        caller = encode("execution", call.caller)
        origin = Origin(by=caller, type=call.type)
        new = prepare(request, callee.version, origin, ids=lambda: child, now=self.clock(), placed=callee.placed)
        parent = Parent(execution=caller, path=call.path, depth=call.depth + 1)
        first = new.events[0].saying(parent=parent_to_json(parent))
        return replace(new, events=(first, *new.events[1:]), parent_id=call.caller, parent_path=call.path)
