"""Requests to publish and the rules that ask for them, as the API shows and finds them."""

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain import publish_requests, publish_requests_sign, signatures
from domain.graph_diff import Diff
from domain.ids import PublishRequestId, WorkflowId, decode, encode
from domain.publish_requests import ApprovalSignature, PublishRequest, PublishRequestFilter
from domain.publish_rules import PublishRule
from domain.versions import Version
from domain.workflows import Workflow
from resolvers import comparisons, publishing, workflows
from schema.comparisons import DiffType
from schema.enums import PublishRequestStatus
from schema.identifiers import read_id
from schema.info import Info
from schema.nodes import Node
from schema.paging import Connection, Cursors, Listed

if TYPE_CHECKING:
    from schema.workflows import VersionType, WorkflowType

LazyWorkflow = Annotated["WorkflowType", strawberry.lazy("schema.workflows")]
LazyVersion = Annotated["VersionType", strawberry.lazy("schema.workflows")]


@strawberry.type(name="PublishRule", description="Whether publishing needs a second person, and their signature.")
class PublishRuleType:
    needs_approval: bool = strawberry.field(description="What holds.")
    workflow: bool | None = strawberry.field(description="What the workflow says; null: as the tenant.")
    tenant: bool = strawberry.field(description="What holds for workflows that say nothing.")
    signature: bool = strawberry.field(description="Whether who approves has to sign: what holds.")
    workflow_signature: bool | None = strawberry.field(
        description="What the workflow says of signatures; null: as the tenant."
    )
    tenant_signature: bool = strawberry.field(
        description="What holds of signatures for workflows that say nothing of them."
    )

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, PublishRule)


@strawberry.type(name="PublishSignature", description="Who proved by their password that the approval is theirs.")
class PublishSignatureType:
    hash: str = strawberry.field(description="Of the canonical JSON of what was approved, in hexadecimal.")

    @strawberry.field(description="The id of the user.")
    @staticmethod
    def signed_by(root: strawberry.Parent[ApprovalSignature]) -> strawberry.ID:
        return strawberry.ID(encode("user", root.by))

    @strawberry.field
    @staticmethod
    def signed_at(root: strawberry.Parent[ApprovalSignature]) -> datetime:
        return root.at

    @strawberry.field(description="What the signature says: approved.")
    @staticmethod
    def meaning(root: strawberry.Parent[ApprovalSignature]) -> str:
        return root.meaning.value

    @strawberry.field(description="What the hash was computed by.")
    @staticmethod
    def algorithm() -> str:
        return signatures.ALGORITHM


@strawberry.type(name="PublishRequest", description="A second person is asked to approve a draft, just as it was then.")
class PublishRequestType(Node):
    status: PublishRequestStatus
    note: str
    requested_at: datetime
    requested_by: str = strawberry.field(description="The id of the user or API key.")
    decided_at: datetime | None
    decided_by: str | None = strawberry.field(description="The id of the user or API key.")
    comment: str | None = strawberry.field(description="Of who approved or declined.")

    @strawberry.field(description="Ids of those who made the change; they do not decide.")
    @staticmethod
    def authors(root: strawberry.Parent[PublishRequest]) -> list[str]:
        return list(root.authors)

    @strawberry.field(description="SHA-256 of the content, in hexadecimal: what is approved is this and nothing else.")
    @staticmethod
    def content_hash(root: strawberry.Parent[PublishRequest]) -> str:
        return root.content_hash.hex()

    @strawberry.field(
        graphql_type=PublishSignatureType | None, description="Of who approved, where the rule asks for it."
    )
    @staticmethod
    def signature(root: strawberry.Parent[PublishRequest]) -> ApprovalSignature | None:
        return root.signature

    @strawberry.field(description="Whether the stored decision is still what was signed; null without signature.")
    @staticmethod
    def signature_holds(root: strawberry.Parent[PublishRequest]) -> bool | None:
        return publish_requests_sign.holds(root) if root.signature is not None else None

    @strawberry.field(graphql_type=LazyWorkflow | None)
    @staticmethod
    async def workflow(root: strawberry.Parent[PublishRequest], info: Info) -> Workflow | None:
        return await workflows.by_id(info.context, root.workflow_id)

    @strawberry.field(graphql_type=LazyVersion | None, description="What is to be published; it has no number yet.")
    @staticmethod
    async def candidate(root: strawberry.Parent[PublishRequest], info: Info) -> Version | None:
        return await workflows.version(info.context, root.candidate_id)

    @strawberry.field(graphql_type=LazyVersion | None, description="What its approval made.")
    @staticmethod
    async def version(root: strawberry.Parent[PublishRequest], info: Info) -> Version | None:
        return await workflows.version(info.context, root.version_id) if root.version_id is not None else None

    @strawberry.field(
        graphql_type=DiffType | None,
        description="From what is active, or was when it was asked for, if it has been decided.",
    )
    @staticmethod
    async def changes(root: strawberry.Parent[PublishRequest], info: Info) -> Diff | None:
        return await comparisons.of_request(info.context, root)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, PublishRequest)


@strawberry.input(name="PublishRequestFilter", description="Every part given must hold.")
class PublishRequestFilterInput:
    workflow_id: strawberry.ID | None = None
    status: list[PublishRequestStatus] | None = None

    def chosen(self) -> PublishRequestFilter:
        """Raises InvalidId."""
        of = self.workflow_id
        return PublishRequestFilter(
            workflow_id=WorkflowId(read_id("workflow", of, "filter", "workflowId")) if of is not None else None,
            status=tuple(self.status or ()),
        )


@strawberry.type
class PublishingQuery:
    @strawberry.field(graphql_type=PublishRequestType | None)
    async def publish_request(self, info: Info, id: strawberry.ID) -> PublishRequest | None:
        return await publishing.request(info.context, PublishRequestId(decode("publishrequest", id)))

    @strawberry.field(graphql_type=Connection[PublishRequestType], description="Latest first.")
    async def publish_requests(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: PublishRequestFilterInput | None = None,
    ) -> Listed[PublishRequest]:
        chosen = filter.chosen() if filter else PublishRequestFilter()
        cursors = Cursors(kind="publish requests", orders_by=datetime, scope=chosen)
        found = await publishing.page(info.context, chosen, cursors.page(first, after, last, before))
        return cursors.listed(found, publish_requests.place, partial(publishing.count, info.context, chosen))

    @strawberry.field(graphql_type=PublishRuleType, description="What the tenant says of publishing.")
    async def publish_rule(self, info: Info) -> PublishRule:
        return await publishing.tenant_rule(info.context)
