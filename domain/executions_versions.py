"""Which version each start of a call runs, and where: every workflow, environment and version is looked up once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from domain.environments import DEFAULT, Placed, missing
from domain.errors import InvalidState, NotFound
from domain.executions_prepare import StartRequest, refuse_status
from domain.ids import VersionId, WorkflowId, encode
from domain.placements import Placement, Placements, Target
from domain.sources import Ids
from domain.versions import Version, VersionStore, unnumbered
from domain.workflows import Workflow, WorkflowReader


class Lookups(Protocol):
    """What is asked, bound to one tenant."""

    @property
    def workflows(self) -> WorkflowReader: ...
    @property
    def versions(self) -> VersionStore: ...
    @property
    def placements(self) -> Placements: ...
    @property
    def ids(self) -> Ids: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`placements`: only of starts that name an environment, or whose workflow has a split."""

    workflows: Mapping[WorkflowId, Workflow]
    placements: Mapping[Target, Placement]
    versions: Mapping[VersionId, Version]
    drafts: dict[WorkflowId, Version] = field(default_factory=dict[WorkflowId, Version])
    numbered: dict[tuple[WorkflowId, int], Version] = field(default_factory=dict[tuple[WorkflowId, int], Version])


async def look_up(requests: Sequence[StartRequest], given: Lookups) -> Found:
    """What the requests of one call are about, in a query for each kind of thing."""
    wanted = list({request.workflow_id for request in requests})
    workflows = {found.id: found for found in await given.workflows.by_ids(wanted)}
    targets = {
        _target(request)
        for request in requests
        if (workflow := workflows.get(request.workflow_id)) is not None
        and (_target(request)[1] != DEFAULT or workflow.split_id is not None)
    }
    placements: Mapping[Target, Placement] = await given.placements.find(targets) if targets else {}
    ids = {workflow.active_version_id for workflow in workflows.values()}
    for placement in placements.values():
        ids |= {placement.active, placement.split.candidate_id if placement.split is not None else None}
    known = [each for each in ids if each is not None]
    versions = {version.id: version for version in await given.versions.by_ids(known)} if known else {}
    return Found(workflows=workflows, placements=placements, versions=versions)


async def choose(
    request: StartRequest, key: str, found: Found, *, given: Lookups, now: datetime
) -> tuple[Version, Placed]:
    """The version this start runs. `key` decides where a split leaves the choice.

    Raises NotFound (workflow, environment, version), InvalidState when the workflow takes no such start.
    """
    workflow = found.workflows.get(request.workflow_id)
    if workflow is None:
        raise NotFound("workflow", encode("workflow", request.workflow_id), path=("workflowId",))
    refuse_status(workflow, request)
    target = _target(request)
    placement = found.placements.get(target)
    if placement is None:
        if target[1] != DEFAULT:
            raise missing(target[1])
        placement = Placement(active=workflow.active_version_id)
    if request.draft:
        return await _draft(workflow, found, given, now), placement.placed
    if request.version is not None:
        return await _numbered(workflow, request.version, found, given), placement.placed
    return _active(workflow, key, placement, found)


def _active(workflow: Workflow, key: str, placement: Placement, found: Found) -> tuple[Version, Placed]:
    placed, split, version_id = placement.placed, placement.split, placement.active
    if split is not None:
        version_id, placed = split.choose(key), replace(placed, split_id=split.id)
    active = found.versions.get(version_id) if version_id is not None else None
    if active is None:
        where = "" if placed.environment == DEFAULT else f" in {placed.environment}"
        raise InvalidState(
            f"The workflow {workflow.name!r} has no active version{where}",
            path=("environment",) if where else ("workflowId",),
            remedy="Promote one there." if where else None,
        )
    return active, placed


async def _draft(workflow: Workflow, found: Found, given: Lookups, now: datetime) -> Version:
    if workflow.id not in found.drafts:
        found.drafts[workflow.id] = await given.versions.keep(
            unnumbered(workflow.id, workflow.draft, ids=given.ids, now=now)
        )
    return found.drafts[workflow.id]


async def _numbered(workflow: Workflow, number: int, found: Found, given: Lookups) -> Version:
    key = workflow.id, number
    if key not in found.numbered:
        version = await given.versions.by_number(workflow.id, number)
        if version is None:
            raise NotFound("version", str(number), path=("version",))
        found.numbered[key] = version
    return found.numbered[key]


def _target(request: StartRequest) -> Target:
    return request.workflow_id, request.environment or DEFAULT
