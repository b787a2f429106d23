"""The signature of an approval to publish: what it binds together, and who may give it."""

from datetime import UTC, datetime

from domain import signatures
from domain.access import Permission
from domain.accounts import AccountStore
from domain.ids import UserId, encode
from domain.proofs import Proving
from domain.publish_requests import ApprovalSignature, PublishRequest, PublishRequestStatus, SignatureMeaning
from domain.signatures import Occasion
from domain.tenancy import Actor, ActorKind

OCCASION = Occasion(name="approval", permission=Permission.WORKFLOW_PUBLISH, undone="published")


async def prove(by: Actor, password: str | None, *, accounts: AccountStore, given: Proving, now: datetime) -> UserId:
    """The user who may sign; raises NotSigned without the right password, and for API keys whatever they give.

    Raises TooManyAttempts.
    """
    person = by.user_id if by.kind is ActorKind.USER else None
    account = await accounts.get(person) if person is not None else None
    return await signatures.prove(account, password, OCCASION, given=given, now=now)


def signed(request: PublishRequest, by: UserId, at: datetime) -> ApprovalSignature:
    """The signature of a request that `by` approves `at`."""
    meaning = SignatureMeaning.APPROVED
    return ApprovalSignature(by=by, at=at, meaning=meaning, hash=digest(request, by, at, meaning))


def digest(request: PublishRequest, by: UserId, at: datetime, meaning: SignatureMeaning) -> str:
    """SHA-256, in hexadecimal, of the canonical JSON of what was approved, by whom and when."""
    return signatures.digest(
        {
            "request": encode("publishrequest", request.id),
            "workflow": encode("workflow", request.workflow_id),
            "content": request.content_hash.hex(),
            "decision": meaning,
            "by": encode("user", by),
            "at": at.astimezone(UTC).isoformat(),
        }
    )


def holds(request: PublishRequest) -> bool:
    """Whether the stored decision is still what was signed."""
    signature = request.signature
    return (
        signature is not None
        and request.status is PublishRequestStatus.APPROVED
        and (request.decided_by, request.decided_at) == (encode("user", signature.by), signature.at)
        and signature.hash == digest(request, signature.by, signature.at, signature.meaning)
    )
