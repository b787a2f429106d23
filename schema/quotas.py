"""How much the tenant may have and what it uses of it, as the API shows it."""

from collections.abc import Sequence
from datetime import datetime

import strawberry

from domain.quotas import Quota, QuotaState
from resolvers import quotas
from schema.info import Info
from schema.scalars import BigInt

QuotaName = strawberry.enum(Quota, name="QuotaName", description="What is counted; days and months are those of UTC.")


@strawberry.type(name="Quota", description="How much of something the tenant may have.")
class QuotaType:
    resets_at: datetime | None = strawberry.field(description="When the count of a day or month begins anew.")

    @strawberry.field(graphql_type=QuotaName)
    @staticmethod
    def name(root: strawberry.Parent[QuotaState]) -> Quota:
        return root.quota

    @strawberry.field(description="Null: any number.")
    @staticmethod
    def limit(root: strawberry.Parent[QuotaState]) -> BigInt | None:
        return None if root.limit is None else BigInt(root.limit)

    @strawberry.field(description="What there is of it now, or has been in the day or month.")
    @staticmethod
    def used(root: strawberry.Parent[QuotaState]) -> BigInt:
        return BigInt(root.used)


@strawberry.type
class QuotaQuery:
    @strawberry.field(graphql_type=list[QuotaType], description="Every quota of the tenant, and what it uses of it.")
    async def quotas(self, info: Info) -> Sequence[QuotaState]:
        return await quotas.states(info.context)
