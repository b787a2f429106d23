"""Promotions: which version is active in an environment, and how one gets there from the environment before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.environments import DEFAULT, EnvironmentStore, missing
from domain.errors import Invalid, InvalidState, NotFound
from domain.ids import PromotionId, VersionId, WorkflowId
from domain.paging import Page, Place, Slice
from domain.sources import Ids
from domain.storable import checked_text
from domain.tenancy import Principal
from domain.versions import VersionStore
from domain.workflows import Workflow, WorkflowReader, WorkflowStatus
from domain.workflows_edit import load

MAX_NOTE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The version that is active in an environment; `since` and `by` (a TypeID) are None for the default one."""

    environment: str
    version_id: VersionId | None
    since: datetime | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """`source` None: the end of a split made the version active. `previous_id`: what was active before.

    `promoted_by` is the actor's TypeID.
    """

    id: PromotionId
    workflow_id: WorkflowId
    source: str | None
    target: str
    version_id: VersionId
    previous_id: VersionId | None = None
    note: str = ""
    promoted_at: datetime
    promoted_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionRequest:
    """`version`: one that was active in `source` before, instead of the one that is now."""

    workflow_id: WorkflowId
    source: str
    target: str
    note: str = ""
    version: int | None = None


class PromotionStore(Protocol):
    """Born with a tenant; another tenant's workflows have no history."""

    async def active(self, ids: Sequence[WorkflowId]) -> Mapping[WorkflowId, Sequence[Deployment]]:
        """What is active in the named environments, in their order; those without a version are left out."""
        ...

    async def was_active(self, workflow_id: WorkflowId, environment: str, version_id: VersionId) -> bool:
        """Whether the history of a named environment has this version."""
        ...

    async def record(self, promotion: Promotion) -> None:
        """Make the version active and write the history, in one commit; a split there ends.

        Raises NotFound when the environment has gone.
        """
        ...

    async def page(self, workflow_id: WorkflowId, page: Page) -> Slice[Promotion]:
        """The latest first; `Place.value` is None."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoting:
    """What promotions need: bound to one tenant."""

    workflows: WorkflowReader
    versions: VersionStore
    environments: EnvironmentStore
    promotions: PromotionStore
    ids: Ids


def place(promotion: Promotion) -> Place:
    return Place(id=promotion.id)


async def promote(request: PromotionRequest, *, by: Principal, given: Promoting, now: datetime) -> Workflow:
    """Make the version of one environment the active one of the next; what is active there already stays, unrecorded.

    Raises NotFound (workflow, environment, version), Invalid for environments that do not follow each other,
    InvalidState for an archived workflow or an environment without a version.
    """
    checked_text(request.note, "note", most=MAX_NOTE)
    workflow = await load(request.workflow_id, given.workflows)
    if workflow.status is WorkflowStatus.ARCHIVED:
        raise InvalidState("An archived workflow cannot be promoted", remedy="Take it out of the archive first.")
    await _refuse_way(request, given.environments)
    active = await active_in(workflow, given.promotions)
    version_id = await _version(request, workflow, active, given)
    previous = active.get(request.target)
    if previous != version_id:
        await given.promotions.record(
            Promotion(
                id=PromotionId(given.ids()),
                workflow_id=workflow.id,
                source=request.source,
                target=request.target,
                version_id=version_id,
                previous_id=previous,
                note=request.note,
                promoted_at=now,
                promoted_by=str(by.actor),
            )
        )
    return workflow


async def active_in(workflow: Workflow, promotions: PromotionStore) -> Mapping[str, VersionId]:
    """The active version by environment, the default one too."""
    named = (await promotions.active([workflow.id])).get(workflow.id, ())
    found = {each.environment: each.version_id for each in named if each.version_id is not None}
    if workflow.active_version_id is not None:
        found[DEFAULT] = workflow.active_version_id
    return found


async def may_run_in(workflow: Workflow, environment: str, version_id: VersionId, *, given: Promoting) -> bool:
    """Whether the version has passed what comes before: it is active, or was, in the environment or the one before."""
    if environment == DEFAULT:
        return True
    order = [DEFAULT, *(each.name for each in await given.environments.all())]
    if environment not in order:
        raise missing(environment)
    before = order[order.index(environment) - 1]
    if before == DEFAULT:
        return True
    for name in (before, environment):
        if await given.promotions.was_active(workflow.id, name, version_id):
            return True
    return False


async def _refuse_way(request: PromotionRequest, environments: EnvironmentStore) -> None:
    order = [DEFAULT, *(environment.name for environment in await environments.all())]
    for name, field in ((request.source, "from"), (request.target, "to")):
        if name not in order:
            raise missing(name, field)
    if order.index(request.target) != order.index(request.source) + 1:
        way = " → ".join(order)
        raise Invalid(
            f"A version is promoted from one environment to the next, not from {request.source} to {request.target}",
            path=("to",),
            remedy=f"The order is {way}; environmentReorder changes it.",
        )


async def _version(
    request: PromotionRequest, workflow: Workflow, active: Mapping[str, VersionId], given: Promoting
) -> VersionId:
    if request.version is None:
        if request.source not in active:
            raise InvalidState(
                f"No version of {workflow.name!r} is active in {request.source}",
                path=("from",),
                remedy="Publish it." if request.source == DEFAULT else "Promote one there first.",
            )
        return active[request.source]
    version = await given.versions.by_number(workflow.id, request.version)
    if version is None:
        raise NotFound("version", str(request.version), path=("version",))
    if request.source == DEFAULT or await given.promotions.was_active(workflow.id, request.source, version.id):
        return version.id
    raise InvalidState(
        f"The version {request.version} was never active in {request.source}",
        path=("version",),
        remedy=f"Promote it to {request.source} first.",
    )
