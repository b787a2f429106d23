"""How a workflow came to be what it is and what is under way: fields of workflows and of versions."""

from datetime import datetime
from functools import partial

import strawberry

from domain import branches as domain_branches
from domain.branches import Branch
from domain.graph_diff import Diff
from domain.publish_requests import PublishRequest
from domain.publish_rules import PublishRule
from domain.versions import Version
from domain.workflows import Workflow
from resolvers import branches, comparisons, publishing
from schema.branches import BranchType
from schema.comparisons import DiffType
from schema.info import Info
from schema.paging import Connection, Cursors, Listed
from schema.publishing import PublishRequestType, PublishRuleType


@strawberry.type
class ChangingWorkflow:
    @strawberry.field(description="Ids of those who changed the draft since it was last published.")
    @staticmethod
    def authors(root: strawberry.Parent[Workflow]) -> list[str]:
        return list(root.authors)

    @strawberry.field(graphql_type=Connection[BranchType], description="Latest first.")
    @staticmethod
    async def branches(
        root: strawberry.Parent[Workflow],
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Listed[Branch]:
        cursors = Cursors(kind="branches", orders_by=datetime, scope=root.id)
        found = await branches.page(info.context, root.id, cursors.page(first, after, last, before))
        return cursors.listed(found, domain_branches.place, partial(branches.count, info.context, root.id))

    @strawberry.field(graphql_type=PublishRuleType, description="Whether publishing it needs a second person.")
    @staticmethod
    async def publish_rule(root: strawberry.Parent[Workflow], info: Info) -> PublishRule:
        return await publishing.rule_of(info.context, root.id)

    @strawberry.field(graphql_type=PublishRequestType | None, description="What waits for a second person.")
    @staticmethod
    async def publish_request(root: strawberry.Parent[Workflow], info: Info) -> PublishRequest | None:
        return await publishing.open_request(info.context, root.id)


@strawberry.type
class VersionHistory:
    published_by: str | None = strawberry.field(description="The id of the user or API key that published or asked.")
    approved_by: str | None = strawberry.field(description="The id of who approved it, if that was needed.")

    @strawberry.field(description="SHA-256 of the content, in hexadecimal.")
    @staticmethod
    def content_hash(root: strawberry.Parent[Version]) -> str:
        return root.content_hash.hex()

    @strawberry.field(graphql_type=DiffType | None, description="Since the version before; null for the first.")
    @staticmethod
    async def changes(root: strawberry.Parent[Version], info: Info) -> Diff | None:
        return await comparisons.to_predecessor(info.context, root)
