"""The life of a split: begin it, change its share, end it with one of its versions."""

from dataclasses import dataclass, replace
from datetime import datetime

from domain.environments import DEFAULT
from domain.errors import Conflict, Invalid, InvalidState, NotFound
from domain.ids import PromotionId, SplitId, WorkflowId, encode
from domain.promotions import MAX_NOTE, Promoting, active_in, may_run_in
from domain.splits import Split, SplitEnd, SplitStore
from domain.storable import checked_text
from domain.tenancy import Principal
from domain.versions import Version, VersionStore
from domain.workflows import WorkflowStatus
from domain.workflows_edit import load as load_workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRequest:
    """`version`: the candidate, which gets `percent` of the starts."""

    workflow_id: WorkflowId
    version: int
    percent: int
    environment: str = DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class Splitting:
    """What splits need: bound to one tenant."""

    splits: SplitStore
    promoting: Promoting


async def begin(request: SplitRequest, *, by: Principal, given: Splitting, now: datetime) -> Split:
    """Share the starts of an environment between what is active there and another version.

    Raises NotFound (workflow, environment, version), Invalid, InvalidState, Conflict when a split runs there.
    """
    percent = _checked(request.percent)
    promoting = given.promoting
    workflow = await load_workflow(request.workflow_id, promoting.workflows)
    if workflow.status is WorkflowStatus.ARCHIVED:
        raise InvalidState("An archived workflow takes no starts", remedy="Take it out of the archive first.")
    version = await _numbered(workflow.id, request.version, promoting.versions)
    passed = await may_run_in(workflow, request.environment, version.id, given=promoting)
    baseline = (await active_in(workflow, promoting.promotions)).get(request.environment)
    if baseline is None:
        raise InvalidState(f"No version of {workflow.name!r} is active in {request.environment}", path=("environment",))
    if baseline == version.id:
        raise Invalid(
            f"The version {request.version} is the active one already",
            path=("version",),
            remedy="Name the version to compare with it.",
        )
    if not passed:
        raise InvalidState(
            f"The version {request.version} has not been active in the environment before {request.environment}",
            path=("version",),
            remedy="Promote it there first.",
        )
    split = Split(
        id=SplitId(promoting.ids()),
        workflow_id=workflow.id,
        environment=request.environment,
        baseline_id=baseline,
        candidate_id=version.id,
        percent=percent,
        started_at=now,
        started_by=str(by.actor),
    )
    if not await given.splits.save(split):
        raise Conflict(
            f"A split of {workflow.name!r} runs in {request.environment} already",
            path=("environment",),
            remedy="Change its share with splitChange, or end it.",
        )
    return split


async def change(split_id: SplitId, percent: int, *, store: SplitStore) -> Split:
    """The candidate's new share, for starts from now on. Raises NotFound, Invalid, InvalidState when it is over."""
    split = await load(split_id, store)
    changed = replace(split, percent=_checked(percent))
    if split.ended_at is not None or not await store.save(changed):
        raise _over()
    return changed


async def end(split_id: SplitId, version: int, note: str, *, by: Principal, given: Splitting, now: datetime) -> Split:
    """All starts run `version` from now on, one of its two. Raises NotFound, Invalid, InvalidState when it is over."""
    checked_text(note, "note", most=MAX_NOTE)
    split = await load(split_id, given.splits)
    winner = await _numbered(split.workflow_id, version, given.promoting.versions)
    if winner.id not in (split.baseline_id, split.candidate_id):
        raise Invalid(f"The version {version} is not one of the split's two", path=("version",))
    ending = SplitEnd(
        winner=winner.id, at=now, by=str(by.actor), note=note, promotion_id=PromotionId(given.promoting.ids())
    )
    if split.ended_at is not None or not await given.splits.end(split, ending):
        raise _over()
    return await load(split_id, given.splits)


async def load(split_id: SplitId, store: SplitStore) -> Split:
    """Raises NotFound."""
    found = await store.by_ids([split_id])
    if not found:
        raise NotFound("split", encode("split", split_id))
    return found[0]


async def _numbered(workflow_id: WorkflowId, number: int, versions: VersionStore) -> Version:
    version = await versions.by_number(workflow_id, number)
    if version is None:
        raise NotFound("version", str(number), path=("version",))
    return version


def _checked(percent: int) -> int:
    if not 0 <= percent <= 100:
        raise Invalid(f"A percentage is 0 to 100, not {percent}", path=("percent",))
    return percent


def _over() -> InvalidState:
    return InvalidState("The split is over", remedy="Begin another one with splitStart.")
