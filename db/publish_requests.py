"""Changes when requests to publish are stored or decided in another way."""

from collections.abc import Mapping, Sequence

from tortoise.exceptions import IntegrityError
from tortoise.expressions import Q
from tortoise.transactions import in_transaction

from db import keyset
from db.models import PublishRequest as Row
from db.versions import insert_version
from db.violations import violated
from db.workflows import Workflows
from domain.errors import NotFound
from domain.ids import PublishRequestId, TenantId, UserId, VersionId, WorkflowId, encode
from domain.paging import Direction, Page, Slice, cut
from domain.publish_requests import (
    AnotherRequestOpen,
    ApprovalSignature,
    PublishRequest,
    PublishRequestFilter,
    PublishRequestStatus,
    RequestDecided,
    SignatureMeaning,
)
from domain.versions import Version
from domain.workflows import Workflow

_OPEN = PublishRequestStatus.OPEN.value


class PublishRequests:
    """Implements `domain.publish_requests.PublishRequestReader` and `PublishRequestWriter` for one tenant."""

    def __init__(self, tenant_id: TenantId) -> None:
        self._tenant_id = tenant_id
        self._workflows = Workflows(tenant_id)

    async def by_ids(self, ids: Sequence[PublishRequestId]) -> Sequence[PublishRequest]:
        return [_request(row) for row in await Row.filter(tenant_id=self._tenant_id, id__in=list(ids))]

    async def open_of(self, workflow_ids: Sequence[WorkflowId]) -> Mapping[WorkflowId, PublishRequest]:
        rows = await Row.filter(tenant_id=self._tenant_id, workflow_id__in=list(workflow_ids), status=_OPEN)
        return {WorkflowId(row.workflow_id): _request(row) for row in rows}

    async def page(self, chosen: PublishRequestFilter, page: Page) -> Slice[PublishRequest]:
        rows = (
            await Row.filter(self._chosen(chosen), keyset.between(page, Direction.DESC, "requested_at"))
            .order_by(*keyset.order(page, Direction.DESC, "requested_at", "id"))
            .limit(page.limit + 1)
        )
        return cut([_request(row) for row in rows], page)

    async def count(self, chosen: PublishRequestFilter) -> int:
        return await Row.filter(self._chosen(chosen)).count()

    async def insert(self, request: PublishRequest, *, expected_revision: int) -> None:
        async with in_transaction():
            # Locked, so that no edit comes between the draft that was read and the request for it.
            await self._workflows.lock(request.workflow_id, expected_revision)
            try:
                await Row.create(
                    id=request.id,
                    tenant_id=self._tenant_id,
                    workflow_id=request.workflow_id,
                    candidate_id=request.candidate_id,
                    previous_id=request.previous_id,
                    content_hash=request.content_hash,
                    note=request.note,
                    authors=list(request.authors),
                    requested_at=request.requested_at,
                    requested_by=request.requested_by,
                )
            except IntegrityError as error:
                raise AnotherRequestOpen() if violated(error) == "publish_request_open" else error from error

    async def close(self, request: PublishRequest) -> None:
        signature = request.signature
        closed = await Row.filter(tenant_id=self._tenant_id, id=request.id, status=_OPEN).update(
            status=request.status.value,
            decided_at=request.decided_at,
            decided_by=request.decided_by,
            comment=request.comment,
            version_id=request.version_id,
            signed_by=signature.by if signature else None,
            signed_at=signature.at if signature else None,
            signature_meaning=signature.meaning.value if signature else None,
            signature=signature.hash if signature else None,
        )
        if not closed:
            raise await self._why_not(request.id)

    async def approve(
        self, request: PublishRequest, workflow: Workflow, version: Version, *, expected_revision: int
    ) -> None:
        async with in_transaction():
            # The workflow first, as an edit locks it first; the version last, for it makes open requests void.
            await self._workflows.lock(workflow.id, expected_revision)
            await self.close(request)
            await insert_version(self._tenant_id, version)
            await self._workflows.save(workflow, expected_revision=expected_revision)

    async def _why_not(self, request_id: PublishRequestId) -> NotFound | RequestDecided:
        row = await Row.get_or_none(tenant_id=self._tenant_id, id=request_id).only("id", "status")
        if row is None:
            return NotFound("publish request", encode("publishrequest", request_id))
        return RequestDecided(PublishRequestStatus(row.status))

    def _chosen(self, chosen: PublishRequestFilter) -> Q:
        condition = Q(tenant_id=self._tenant_id)
        if chosen.workflow_id is not None:
            condition &= Q(workflow_id=chosen.workflow_id)
        if chosen.status:
            condition &= Q(status__in=[status.value for status in chosen.status])
        return condition


def _request(row: Row) -> PublishRequest:
    return PublishRequest(
        id=PublishRequestId(row.id),
        workflow_id=WorkflowId(row.workflow_id),
        candidate_id=VersionId(row.candidate_id),
        previous_id=VersionId(row.previous_id) if row.previous_id else None,
        content_hash=bytes(row.content_hash),
        note=row.note,
        authors=tuple(row.authors),
        requested_at=row.requested_at,
        requested_by=row.requested_by,
        status=PublishRequestStatus(row.status),
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        comment=row.comment,
        version_id=VersionId(row.version_id) if row.version_id else None,
        signature=_signature(row),
    )


def _signature(row: Row) -> ApprovalSignature | None:
    # The table keeps that all of them are there or none.
    if row.signed_by is None or row.signed_at is None:
        return None
    return ApprovalSignature(
        by=UserId(row.signed_by),
        at=row.signed_at,
        meaning=SignatureMeaning(row.signature_meaning),
        hash=row.signature,
    )
