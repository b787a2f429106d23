"""From draft to what runs: publish a version, roll back to one, pause, archive."""

from dataclasses import dataclass, replace
from datetime import datetime

from domain.accounts import AccountStore
from domain.errors import InvalidState, NotFound
from domain.ids import PublishRequestId, VersionId, WorkflowId
from domain.nodes import NodeCatalog
from domain.proofs import Proving
from domain.publish_requests import AnotherRequestOpen, PublishRequest, PublishRequestReader, PublishRequestWriter
from domain.publish_rules import PublishRules
from domain.sources import Ids
from domain.storable import checked_text
from domain.tenancy import Principal
from domain.versions import Version, VersionStore, content_hash, unnumbered
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishing:
    """What publishing needs, bound to one tenant."""

    workflows: WorkflowReader
    writer: WorkflowWriter
    versions: VersionStore
    rules: PublishRules
    requests: PublishRequestReader
    request_writer: PublishRequestWriter
    catalog: NodeCatalog
    accounts: AccountStore
    proving: Proving
    ids: Ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A version was made, or (`version` None) a second person is asked for their approval by `request`."""

    workflow: Workflow
    version: Version | None = None
    request: PublishRequest | None = None


async def publish(
    workflow_id: WorkflowId, note: str, *, by: Principal, given: Publishing, now: datetime
) -> Publication:
    """Freeze the draft as the next version and make it the active one, or ask for the approval that needs.

    While the same content waits for approval, that request is the answer. Raises NotFound, Invalid, InvalidGraph,
    InvalidState for an archived workflow.
    """
    checked_text(note, "note", most=MAX_NOTE)
    for attempt in range(_ATTEMPTS):
        current = await load(workflow_id, given.workflows)
        refuse_archived(current)
        refuse_errors(current.draft, given.catalog)
        rule = (await given.rules.of_workflows([workflow_id]))[workflow_id]
        try:
            if rule.needs_approval:
                return await _ask(current, note, by=by, given=given, now=now)
            return await _publish(current, note, by=by, given=given, now=now)
        except (StaleRevision, AnotherRequestOpen):
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


async def _publish(current: Workflow, note: str, *, by: Principal, given: Publishing, now: datetime) -> Publication:
    version = Version(
        id=VersionId(given.ids()),
        workflow_id=current.id,
        number=await given.versions.latest_number(current.id) + 1,
        content_hash=content_hash(current.draft),
        definition=current.draft,
        note=note,
        created_at=now,
        created_by=by.actor.user_id,
        published_by=by.actor.person,
    )
    new = activated(current, version, by=by, now=now)
    await given.writer.publish(new, version, expected_revision=current.revision)
    return Publication(workflow=new, version=version)


async def _ask(current: Workflow, note: str, *, by: Principal, given: Publishing, now: datetime) -> Publication:
    candidate = await given.versions.keep(unnumbered(current.id, current.draft, ids=given.ids, now=now))
    waiting = (await given.requests.open_of([current.id])).get(current.id)
    if waiting is not None and waiting.content_hash == candidate.content_hash:
        return Publication(workflow=current, request=waiting)
    request = PublishRequest(
        id=PublishRequestId(given.ids()),
        workflow_id=current.id,
        candidate_id=candidate.id,
        previous_id=current.active_version_id,
        content_hash=candidate.content_hash,
        note=note,
        authors=current.authors or (by.actor.person,),
        requested_at=now,
        requested_by=by.actor.person,
    )
    await given.request_writer.insert(request, expected_revision=current.revision)
    return Publication(workflow=current, request=request)


def activated(current: Workflow, version: Version, *, by: Principal, now: datetime) -> Workflow:
    """The workflow as it is with this version of its draft active; nobody has changed the draft since."""
    return replace(
        current,
        status=WorkflowStatus.ACTIVE,
        active_version_id=version.id,
        authors=(),
        revision=current.revision + 1,
        updated_at=now,
        updated_by=by.actor.user_id,
    )


def refuse_archived(current: Workflow) -> None:
    if current.status is WorkflowStatus.ARCHIVED:
        raise InvalidState("An archived workflow cannot be published", remedy="Take it out of the archive first.")


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
    """Make an earlier version the active one; the draft stays as it is, and a request to publish it open.

    No second person is asked, whatever the rule: a number is given only to what was published by the rule of its time,
    and who has to undo a bad change must not have to wait. Raises NotFound, InvalidState.
    """
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
