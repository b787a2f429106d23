"""What becomes of a request to publish: somebody else approves or declines it, or who asked takes it back."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from domain.errors import InvalidState, NotFound
from domain.ids import PublishRequestId, UserId, VersionId, decode, encode
from domain.publish_requests import (
    PublishRequest,
    PublishRequestReader,
    PublishRequestStatus,
    PublishRequestWriter,
    RequestDecided,
)
from domain.publish_requests_sign import prove, signed
from domain.storable import checked_text
from domain.tenancy import ActorKind, Principal
from domain.versions import Version, content_hash
from domain.workflows import StaleRevision, Workflow
from domain.workflows_check import refuse_errors
from domain.workflows_edit import load as load_workflow
from domain.workflows_publish import Publication, Publishing, activated, refuse_archived

MAX_COMMENT = 10_000
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """`password` proves who signs, where the rule asks for a signature; elsewhere it is not looked at."""

    comment: str | None = None
    password: str | None = field(default=None, repr=False)


class NotAnotherPerson(InvalidState):
    """Who made a change does not judge it."""


async def load(request_id: PublishRequestId, reader: PublishRequestReader) -> PublishRequest:
    """The request; raises NotFound."""
    found = await reader.by_ids([request_id])
    if not found:
        raise NotFound("publish request", encode("publishrequest", request_id))
    return found[0]


async def approve(
    request_id: PublishRequestId, approval: Approval, *, by: Principal, given: Publishing, now: datetime
) -> Publication:
    """Exactly what was asked for becomes the next version and the active one; repeated by the same person, it is done.

    Raises NotFound, RequestDecided, NotAnotherPerson, InvalidGraph, InvalidState for an archived workflow, NotSigned,
    TooManyAttempts.
    """
    _check_comment(approval.comment)
    signer: UserId | None = None
    for attempt in range(_ATTEMPTS):
        request = await load(request_id, given.requests)
        current = await load_workflow(request.workflow_id, given.workflows)
        if _decided_so(request, PublishRequestStatus.APPROVED, by):
            made = await given.versions.by_ids([request.version_id] if request.version_id else [])
            return Publication(workflow=current, version=made[0] if made else None, request=request)
        _refuse_decided(request)
        _refuse_author(request, by)
        refuse_archived(current)
        if content_hash(current.draft) != request.content_hash:
            raise RequestDecided(PublishRequestStatus.VOID)
        refuse_errors(current.draft, given.catalog)
        rule = (await given.rules.of_workflows([current.id]))[current.id]
        if rule.signature and signer is None:
            signer = await prove(by.actor, approval.password, accounts=given.accounts, given=given.proving, now=now)
        version = await _version(request, current, by=by, given=given, now=now)
        new = activated(current, version, by=by, now=now)
        closed = replace(
            _closed(request, PublishRequestStatus.APPROVED, approval.comment, by=by, now=now),
            version_id=version.id,
            signature=signed(request, signer, now) if signer is not None else None,
        )
        try:
            await given.request_writer.approve(closed, new, version, expected_revision=current.revision)
        except StaleRevision:
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return Publication(workflow=new, version=version, request=closed)
    raise AssertionError("the last attempt returns or raises")


async def _version(
    request: PublishRequest, current: Workflow, *, by: Principal, given: Publishing, now: datetime
) -> Version:
    return Version(
        id=VersionId(given.ids()),
        workflow_id=current.id,
        number=await given.versions.latest_number(current.id) + 1,
        content_hash=request.content_hash,
        definition=current.draft,
        note=request.note,
        created_at=now,
        created_by=_user(request.requested_by),
        published_by=request.requested_by,
        approved_by=by.actor.person,
    )


async def decline(
    request_id: PublishRequestId,
    comment: str | None,
    *,
    by: Principal,
    reader: PublishRequestReader,
    writer: PublishRequestWriter,
    now: datetime,
) -> PublishRequest:
    """Nothing is published; the draft stays. Raises NotFound, RequestDecided, NotAnotherPerson, Invalid."""
    _check_comment(comment)
    request = await load(request_id, reader)
    if _decided_so(request, PublishRequestStatus.DECLINED, by):
        return request
    _refuse_decided(request)
    _refuse_author(request, by)
    closed = _closed(request, PublishRequestStatus.DECLINED, comment, by=by, now=now)
    await writer.close(closed)
    return closed


async def withdraw(
    request_id: PublishRequestId,
    *,
    by: Principal,
    reader: PublishRequestReader,
    writer: PublishRequestWriter,
    now: datetime,
) -> PublishRequest:
    """By who asked, or made the change. Raises NotFound, RequestDecided, InvalidState for others."""
    request = await load(request_id, reader)
    if _decided_so(request, PublishRequestStatus.WITHDRAWN, by):
        return request
    _refuse_decided(request)
    if by.actor.person not in (request.requested_by, *request.authors):
        message = "Only who asked for it, or made the change, takes a request back"
        raise InvalidState(message, path=("id",), remedy="Decline it.")
    closed = _closed(request, PublishRequestStatus.WITHDRAWN, None, by=by, now=now)
    await writer.close(closed)
    return closed


def _check_comment(comment: str | None) -> None:
    checked_text(comment or "", "comment", most=MAX_COMMENT)


def _decided_so(request: PublishRequest, status: PublishRequestStatus, by: Principal) -> bool:
    return request.status is status and request.decided_by == by.actor.person


def _refuse_decided(request: PublishRequest) -> None:
    if request.status is not PublishRequestStatus.OPEN:
        raise RequestDecided(request.status)


def _refuse_author(request: PublishRequest, by: Principal) -> None:
    if by.actor.user_id is None:
        raise NotAnotherPerson(
            "An API key that belongs to nobody is no second person",
            remedy="Sign in, or use a key of your own.",
        )
    if by.actor.person in request.authors:
        raise NotAnotherPerson(
            "You made this change; somebody else has to look at it",
            path=("id",),
            remedy="Ask somebody else who holds workflow:publish, or withdraw the request.",
        )


def _closed(
    request: PublishRequest, status: PublishRequestStatus, comment: str | None, *, by: Principal, now: datetime
) -> PublishRequest:
    return replace(request, status=status, decided_at=now, decided_by=by.actor.person, comment=comment or None)


def _user(person: str) -> UserId | None:
    return UserId(decode("user", person)) if person.startswith(f"{ActorKind.USER.value}_") else None
