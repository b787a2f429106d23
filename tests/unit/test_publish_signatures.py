"""The signature of an approval: what its hash is computed of, and what it does not hold for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from uuid import UUID

import pytest

from domain.ids import PublishRequestId, UserId, VersionId, WorkflowId, encode
from domain.publish_requests import PublishRequest, PublishRequestStatus, SignatureMeaning
from domain.publish_requests_sign import digest, holds, signed

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
BOB = UserId(UUID(int=7))
APPROVED = PublishRequest(
    id=PublishRequestId(UUID(int=1)),
    workflow_id=WorkflowId(UUID(int=2)),
    candidate_id=VersionId(UUID(int=3)),
    previous_id=None,
    content_hash=bytes(32),
    note="why",
    authors=("user_ada",),
    requested_at=NOW - timedelta(hours=1),
    requested_by="user_ada",
    status=PublishRequestStatus.APPROVED,
    decided_at=NOW,
    decided_by=encode("user", BOB),
    version_id=VersionId(UUID(int=4)),
)
SIGNED = (
    '{"at":"2026-11-21T09:00:00+00:00","by":"user_00000000000000000000000007","content":"' + "00" * 32 + '",'
    '"decision":"approved","request":"publishrequest_00000000000000000000000001",'
    '"workflow":"workflow_00000000000000000000000002"}'
)


def test_a_hash_is_of_the_content_the_decision_the_signer_and_the_moment() -> None:
    signature = signed(APPROVED, BOB, NOW)

    assert (signature.by, signature.at, signature.meaning) == (BOB, NOW, SignatureMeaning.APPROVED)
    assert signature.hash == sha256(SIGNED.encode()).hexdigest()


def test_a_hash_is_the_same_in_every_time_zone_and_for_every_comment() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    commented = replace(APPROVED, comment="not part of it")

    assert digest(commented, BOB, elsewhere, SignatureMeaning.APPROVED) == sha256(SIGNED.encode()).hexdigest()


@pytest.mark.parametrize(
    "forged",
    [
        replace(APPROVED, id=PublishRequestId(UUID(int=9))),
        replace(APPROVED, workflow_id=WorkflowId(UUID(int=9))),
        replace(APPROVED, content_hash=bytes(31) + b"\1"),
        replace(APPROVED, status=PublishRequestStatus.DECLINED),
        replace(APPROVED, decided_at=NOW + timedelta(microseconds=1)),
        replace(APPROVED, decided_by=encode("user", UserId(UUID(int=9)))),
    ],
    ids=["request", "workflow", "content", "decision", "moment", "person"],
)
def test_a_signature_does_not_hold_for_anything_else(forged: PublishRequest) -> None:
    signature = signed(APPROVED, BOB, NOW)

    assert holds(replace(APPROVED, signature=signature))
    assert not holds(replace(forged, signature=signature))


def test_a_signature_that_was_changed_does_not_hold() -> None:
    signature, later, other = signed(APPROVED, BOB, NOW), NOW + timedelta(hours=1), UserId(UUID(int=9))

    moved = replace(APPROVED, decided_at=later, signature=replace(signature, at=later))
    stolen = replace(APPROVED, decided_by=encode("user", other), signature=replace(signature, by=other))

    assert not holds(moved)
    assert not holds(stolen)
    assert not holds(APPROVED)
