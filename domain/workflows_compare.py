"""Two states of a workflow side by side: its draft, a branch of it, a version of it."""

from dataclasses import dataclass
from typing import TypeAlias, assert_never

from domain.branches import BranchReader
from domain.errors import NotFound
from domain.graph_diff import Diff, diff
from domain.graphs import Definition
from domain.ids import BranchId, WorkflowId, encode
from domain.versions import VersionStore
from domain.workflows import Workflow, WorkflowReader
from domain.workflows_edit import load


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftState:
    """The draft as it is now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchState:
    """What a branch holds now."""

    id: BranchId


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionState:
    """A published version."""

    number: int


State: TypeAlias = DraftState | BranchState | VersionState


async def compare(
    workflow_id: WorkflowId,
    before: State,
    after: State,
    *,
    workflows: WorkflowReader,
    versions: VersionStore,
    branches: BranchReader,
) -> Diff:
    """From `before` to `after`; raises NotFound for what is not there, or is another workflow's."""
    workflow = await load(workflow_id, workflows)
    return diff(
        await _definition(workflow, before, "from", versions=versions, branches=branches),
        await _definition(workflow, after, "to", versions=versions, branches=branches),
    )


async def _definition(
    workflow: Workflow, state: State, name: str, *, versions: VersionStore, branches: BranchReader
) -> Definition:
    match state:
        case DraftState():
            return workflow.draft
        case BranchState(id=branch_id):
            found = await branches.by_ids([branch_id])
            if not found or found[0].workflow_id != workflow.id:
                raise NotFound("branch", encode("branch", branch_id), path=(name, "branch"))
            return found[0].definition
        case VersionState(number=number):
            version = await versions.by_number(workflow.id, number)
            if version is None:
                raise NotFound("version", str(number), path=(name, "version"))
            return version.definition
        case _:
            assert_never(state)
