"""A branch is merged into its workflow's draft, whole or not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from domain.branches import Branch, BranchReader, BranchWriter, StaleBranch
from domain.branches_conflicts import MergeConflict, MergeConflicts, Resolution, told
from domain.branches_edit import load
from domain.errors import Invalid
from domain.formats.documents import graph_from_json, settings_from_json, variables_from_json
from domain.formats.stored import definition_to_json
from domain.graph_merge import Merge, Take, merge
from domain.graph_parts import Path
from domain.graphs import Definition
from domain.ids import BranchId
from domain.json import JSONObject
from domain.nodes import NodeCatalog
from domain.tenancy import Principal
from domain.workflows import StaleRevision, Workflow, WorkflowReader
from domain.workflows_edit import check_draft, same_definition, with_author
from domain.workflows_edit import load as load_workflow

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeRequest:
    """`expected_revision` is the branch's, `expected_workflow_revision` that of the workflow whose draft it goes into;
    None: whatever they are."""

    branch_id: BranchId
    resolutions: Sequence[Resolution] = field(default_factory=tuple)
    expected_revision: int | None = None
    expected_workflow_revision: int | None = None


def conflicts_of(branch: Branch, workflow: Workflow) -> Sequence[MergeConflict]:
    """What a merge would ask now."""
    return [told(conflict) for conflict in _merge(branch, workflow, {}).conflicts]


async def merge_branch(
    asked: MergeRequest,
    *,
    by: Principal,
    reader: BranchReader,
    writer: BranchWriter,
    workflows: WorkflowReader,
    catalog: NodeCatalog,
    now: datetime,
) -> tuple[Branch, Workflow]:
    """The branch, whose base is now what was merged of it, and the workflow with its new draft.

    Raises NotFound, MergeConflicts, Invalid for a resolution of no conflict, InvalidGraph when what comes out makes no
    sense, StaleBranch and StaleRevision. Repeated, it changes nothing more.
    """
    for attempt in range(_ATTEMPTS):
        branch = await load(asked.branch_id, reader)
        workflow = await load_workflow(branch.workflow_id, workflows)
        _refuse_stale(asked, branch, workflow)
        draft = _resolved(branch, workflow, asked.resolutions)
        if same_definition(draft, workflow.draft):
            if same_definition(branch.base, branch.definition):
                return branch, workflow
            draft = workflow.draft
        else:
            check_draft(draft, catalog)
        merged = _with_merged(branch, workflow, draft, wrote=bool(asked.resolutions), by=by, now=now)
        try:
            await writer.merge(*merged, expected_revision=branch.revision, expected_workflow_revision=workflow.revision)
        except (StaleRevision, StaleBranch):
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return merged
    raise AssertionError("the last attempt returns or raises")


def _refuse_stale(asked: MergeRequest, branch: Branch, workflow: Workflow) -> None:
    if asked.expected_revision not in (None, branch.revision):
        raise StaleBranch(branch.revision)
    if asked.expected_workflow_revision not in (None, workflow.revision):
        refusal = StaleRevision(workflow.revision)
        refusal.path = ("expectedWorkflowRevision",)
        raise refusal


def _resolved(branch: Branch, workflow: Workflow, resolutions: Sequence[Resolution]) -> Definition:
    """What comes out, with nothing left to decide; raises MergeConflicts, Invalid."""
    outcome = _merge(branch, workflow, {resolution.path: resolution.take for resolution in resolutions})
    if outcome.conflicts:
        raise MergeConflicts([told(conflict) for conflict in outcome.conflicts])
    for at, resolution in enumerate(resolutions):
        if resolution.path in outcome.unused:
            raise Invalid(
                f"There is no conflict at {'.'.join(resolution.path)[:200]}",
                path=("resolutions", str(at), "path"),
                remedy="Send the paths of the conflicts as they came, and only those.",
            )
    return _definition(outcome.value)


def _merge(branch: Branch, workflow: Workflow, takes: Mapping[Path, Take]) -> Merge:
    base, draft, ours = (definition_to_json(each) for each in (branch.base, workflow.draft, branch.definition))
    return merge(base, draft, ours, takes)


def _definition(value: JSONObject) -> Definition:
    """The merged definition, whose parts may be a caller's: raises InvalidGraph for a wrong shape."""
    return Definition(
        graph=graph_from_json({"nodes": value["nodes"], "edges": value["edges"]}),
        variables=variables_from_json(value.get("variables") or {}),
        settings=settings_from_json(value.get("settings") or {}),
        input_schema=value.get("inputSchema"),
        output_schema=value.get("outputSchema"),
    )


def _with_merged(
    branch: Branch, workflow: Workflow, draft: Definition, *, wrote: bool, by: Principal, now: datetime
) -> tuple[Branch, Workflow]:
    """`wrote`: who merges decided something, and so is an author too."""
    person = by.actor.person
    authors = with_author(workflow.authors, *branch.authors, *((person,) if wrote else ()))
    return (
        replace(
            branch,
            base=branch.definition,
            revision=branch.revision + 1,
            updated_at=now,
            updated_by=person,
            merged_at=now,
            merged_by=person,
        ),
        replace(
            workflow,
            draft=draft,
            authors=workflow.authors if draft is workflow.draft else authors,
            revision=workflow.revision + 1,
            updated_at=now,
            updated_by=by.actor.user_id,
        ),
    )
