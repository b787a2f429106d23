"""From draft to what runs: publish a version, roll back to one, pause, archive."""

from dataclasses import replace
from datetime import datetime

from domain.errors import InvalidState, NotFound
from domain.ids import VersionId, WorkflowId
from domain.nodes import NodeCatalog
from domain.sources import Ids
from domain.storable import checked_text
from domain.tenancy import Principal
from domain.versions import Version, VersionStore, content_hash
from domain.workflows import StaleRevision, Workflow, WorkflowReader, WorkflowStatus, WorkflowWriter
from domain.workflows_check import refuse_errors
from domain.workflows_edit import load, save_changed

MAX_NOTE = 10_000
_ATTEMPTS = 5

TRANSITIONS = {
    WorkflowStatus.DRAFT: (WorkflowStatus.ARCHIVED,),
    WorkflowStatus.ACTIVE: (WorkflowStatus.PAUSED, WorkflowStatus.ARCHIVED),
    WorkflowStatus.PAUSED: (WorkflowStatus.ACTIVE, WorkflowStatus.ARCHIVED),
    WorkflowStatus.ARCHIVED: (WorkflowStatus.DRAFT, WorkflowStatus.PAUSED),
}
"""What `set_status` allows. A draft becomes ACTIVE by publishing; from the archive a workflow comes back PAUSED when it
was ever published and DRAFT when not."""


async def publish(
    workflow_id: WorkflowId,
    note: str,
    *,
    by: Principal,
    reader: WorkflowReader,
    writer: WorkflowWriter,
    versions: VersionStore,
    catalog: NodeCatalog,
    ids: Ids,
    now: datetime,
) -> tuple[Workflow, Version]:
    """Freeze the draft as the next version and make it the active one.

    Raises NotFound, Invalid, InvalidGraph, InvalidState for an archived workflow.
    """
    checked_text(note, "note", most=MAX_NOTE)
    for attempt in range(_ATTEMPTS):
        current = await load(workflow_id, reader)
        if current.status is WorkflowStatus.ARCHIVED:
            raise InvalidState("An archived workflow cannot be published", remedy="Take it out of the archive first.")
        refuse_errors(current.draft, catalog)
        version = Version(
            id=VersionId(ids()),
            workflow_id=workflow_id,
            number=await versions.latest_number(workflow_id) + 1,
            content_hash=content_hash(current.draft),
            definition=current.draft,
            note=note,
            created_at=now,
            created_by=by.actor.user_id,
        )
        new = replace(
            current,
            status=WorkflowStatus.ACTIVE,
            active_version_id=version.id,
            revision=current.revision + 1,
            updated_at=now,
            updated_by=by.actor.user_id,
        )
        try:
            await writer.publish(new, version, expected_revision=current.revision)
        except StaleRevision:
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return new, version
    raise AssertionError("the last attempt returns or raises")


async def roll_back(
    workflow_id: WorkflowId,
    number: int,
    *,
    by: Principal,
    reader: WorkflowReader,
    writer: WorkflowWriter,
    versions: VersionStore,
    now: datetime,
) -> Workflow:
    """Make an earlier version the active one; the draft stays as it is. Raises NotFound, InvalidState."""
    await load(workflow_id, reader)
    version = await versions.by_number(workflow_id, number)
    if version is None:
        raise NotFound("version", str(number), path=("version",))

    def changed(current: Workflow) -> Workflow:
        if current.status is WorkflowStatus.ARCHIVED:
            raise InvalidState("An archived workflow cannot be rolled back", remedy="Take it out of the archive first.")
        return replace(current, active_version_id=version.id)

    return await save_changed(workflow_id, changed, None, by=by, reader=reader, writer=writer, now=now)


async def set_status(
    workflow_id: WorkflowId,
    status: WorkflowStatus,
    *,
    by: Principal,
    reader: WorkflowReader,
    writer: WorkflowWriter,
    now: datetime,
) -> Workflow:
    """Raises NotFound, and InvalidState for a change `TRANSITIONS` does not have; the same status again is fine."""

    def changed(current: Workflow) -> Workflow:
        if current.status is not status:
            _refuse_transition(current, status)
        return replace(current, status=status)

    return await save_changed(workflow_id, changed, None, by=by, reader=reader, writer=writer, now=now)


def _refuse_transition(current: Workflow, status: WorkflowStatus) -> None:
    published = current.active_version_id is not None
    returning = current.status is WorkflowStatus.ARCHIVED
    wrong_return = returning and (status is WorkflowStatus.PAUSED) is not published
    if status in TRANSITIONS[current.status] and not wrong_return:
        return
    allowed = [
        each.value
        for each in TRANSITIONS[current.status]
        if not returning or (each is WorkflowStatus.PAUSED) is published
    ]
    remedy = f"From here it can become {' or '.join(allowed)}."
    if current.status is WorkflowStatus.DRAFT and status is WorkflowStatus.ACTIVE:
        remedy = "Publish it: that makes a version and the workflow ACTIVE."
    raise InvalidState(
        f"A workflow that is {current.status.value} cannot become {status.value}",
        path=("status",),
        remedy=remedy,
    )
