"""What the API can do about publishing by two people."""

from typing import Any

import strawberry

from domain.ids import PublishRequestId, WorkflowId, decode
from domain.publish_requests import PublishRequest
from domain.publish_requests_decide import Approval
from domain.publish_rules import PublishRule
from domain.workflows_publish import Publication
from resolvers import publishing
from schema.errors import Answer, Payload, answer
from schema.info import Info
from schema.publishing import PublishRequestType, PublishRuleType
from schema.workflow_mutations import PublicationPayload


@strawberry.input(description="Proof that whoever approves is who they are.")
class PublishSignatureInput:
    password: str = strawberry.field(description="The caller's own.")


@strawberry.type
class WorkflowPublishApprovePayload(PublicationPayload):
    pass


@strawberry.type
class PublishRequestPayload(Payload):
    @strawberry.field(graphql_type=PublishRequestType | None)
    @staticmethod
    def request(root: strawberry.Parent[Answer[Any]]) -> PublishRequest | None:
        return root.value


@strawberry.type
class WorkflowPublishDeclinePayload(PublishRequestPayload):
    pass


@strawberry.type
class WorkflowPublishWithdrawPayload(PublishRequestPayload):
    pass


@strawberry.type
class PublishRulePayload(Payload):
    @strawberry.field(graphql_type=PublishRuleType | None)
    @staticmethod
    def rule(root: strawberry.Parent[Answer[Any]]) -> PublishRule | None:
        return root.value


@strawberry.type
class WorkflowSetPublishRulePayload(PublishRulePayload):
    pass


@strawberry.type
class TenantSetPublishRulePayload(PublishRulePayload):
    pass


@strawberry.type
class PublishingMutation:
    @strawberry.mutation(
        graphql_type=WorkflowPublishApprovePayload,
        description="Publishes just what was asked for; not by its authors. Signed where the rule asks for it.",
    )
    async def workflow_publish_approve(
        self,
        info: Info,
        id: strawberry.ID,
        comment: str | None = None,
        signature: PublishSignatureInput | None = None,
    ) -> Answer[Publication]:
        async def work() -> Publication:
            approval = Approval(comment=comment, password=signature.password if signature else None)
            return await publishing.approve(info.context, _id(id), approval)

        return await answer(work())

    @strawberry.mutation(graphql_type=WorkflowPublishDeclinePayload, description="Not by its authors; the draft stays.")
    async def workflow_publish_decline(
        self, info: Info, id: strawberry.ID, comment: str | None = None
    ) -> Answer[PublishRequest]:
        async def work() -> PublishRequest:
            return await publishing.decline(info.context, _id(id), comment)

        return await answer(work())

    @strawberry.mutation(graphql_type=WorkflowPublishWithdrawPayload, description="By who asked, or its authors.")
    async def workflow_publish_withdraw(self, info: Info, id: strawberry.ID) -> Answer[PublishRequest]:
        async def work() -> PublishRequest:
            return await publishing.withdraw(info.context, _id(id))

        return await answer(work())

    @strawberry.mutation(graphql_type=WorkflowSetPublishRulePayload, description="null: as the tenant.")
    async def workflow_set_publish_rule(
        self, info: Info, id: strawberry.ID, needs_approval: bool | None = None, signature: bool | None = None
    ) -> Answer[PublishRule]:
        async def work() -> PublishRule:
            of = WorkflowId(decode("workflow", id))
            return await publishing.set_rule(info.context, of, needs_approval, signature)

        return await answer(work())

    @strawberry.mutation(
        graphql_type=TenantSetPublishRulePayload, description="For workflows that have no rule of their own."
    )
    async def tenant_set_publish_rule(
        self, info: Info, needs_approval: bool, signature: bool = False
    ) -> Answer[PublishRule]:
        async def work() -> PublishRule:
            return await publishing.set_tenant_rule(info.context, needs_approval, signature)

        return await answer(work())


def _id(text: strawberry.ID) -> PublishRequestId:
    return PublishRequestId(decode("publishrequest", text))
