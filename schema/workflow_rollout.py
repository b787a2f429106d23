"""What of a workflow runs where: its versions in environments, how they came there, and its splits."""

from collections.abc import Sequence

import strawberry

from domain import promotions as domain_promotions
from domain import splits as domain_splits
from domain.environments import DEFAULT
from domain.promotions import Deployment, Promotion
from domain.splits import Split
from domain.workflows import Workflow
from resolvers import environments, splits
from schema.environments import DeploymentType, PromotionType
from schema.info import Info
from schema.paging import Connection, Cursors, Listed
from schema.splits import SplitType


@strawberry.type
class WorkflowRollout:
    """Fields of `Workflow`."""

    @strawberry.field(graphql_type=list[DeploymentType], description="The default environment, then those with names.")
    @staticmethod
    async def deployments(root: strawberry.Parent[Workflow], info: Info) -> Sequence[Deployment]:
        first = Deployment(environment=DEFAULT, version_id=root.active_version_id)
        return [first, *await environments.deployments(info.context, root.id)]

    @strawberry.field(graphql_type=Connection[PromotionType], description="To environments with names, latest first.")
    @staticmethod
    async def promotions(
        root: strawberry.Parent[Workflow], info: Info, first: int | None = None, after: str | None = None
    ) -> Listed[Promotion]:
        cursors = Cursors(kind="promotions", scope=root.id)
        found = await environments.history(info.context, root.id, cursors.page(first, after, None, None))
        return cursors.listed(found, domain_promotions.place)

    @strawberry.field(graphql_type=SplitType | None, description="The one that runs in the default environment.")
    @staticmethod
    async def split(root: strawberry.Parent[Workflow], info: Info) -> Split | None:
        return await splits.by_id(info.context, root.split_id) if root.split_id is not None else None

    @strawberry.field(graphql_type=Connection[SplitType], description="Of all environments, latest first.")
    @staticmethod
    async def splits(
        root: strawberry.Parent[Workflow], info: Info, first: int | None = None, after: str | None = None
    ) -> Listed[Split]:
        cursors = Cursors(kind="splits", scope=root.id)
        found = await splits.page(info.context, root.id, cursors.page(first, after, None, None))
        return cursors.listed(found, domain_splits.place)
