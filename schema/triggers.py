"""Triggers, as the API shows and changes them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from domain import schedules
from domain.ids import TriggerId, WorkflowId, decode
from domain.starts import TriggerType
from domain.triggers import Trigger, TriggerKind
from domain.triggers_edit import NewTrigger
from domain.workflows import Workflow
from resolvers import triggers, workflows
from schema.errors import Answer, Payload, answer
from schema.identifiers import read_id
from schema.info import Info
from schema.json_objects import object_or_refuse
from schema.nodes import Node
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.workflows import WorkflowType

LazyWorkflow = Annotated["WorkflowType", strawberry.lazy("schema.workflows")]


@strawberry.type(name="Trigger", description="What begins executions of a workflow by itself.")
class TriggerNode(Node):
    enabled: bool
    config: JSON
    created_at: datetime
    updated_at: datetime

    @strawberry.field
    @staticmethod
    def type(root: strawberry.Parent[Trigger]) -> TriggerKind:
        return TriggerKind(root.type.value)

    @strawberry.field(description="Where a webhook is called.")
    @staticmethod
    def url(root: strawberry.Parent[Trigger], info: Info) -> str | None:
        return _address(root, info, "webhooks")

    @strawberry.field(description="Where a webhook is called while it is being tried out.")
    @staticmethod
    def test_url(root: strawberry.Parent[Trigger], info: Info) -> str | None:
        return _address(root, info, "webhooks-test")

    @strawberry.field(description="When a schedule is due next, at most 100 times; empty for other types.")
    @staticmethod
    def next_runs(root: strawberry.Parent[Trigger], info: Info, count: int = 5) -> list[datetime]:
        if root.type is not TriggerType.SCHEDULE or not root.enabled:
            return []
        cron, zone = str(root.config.get("cron", "")), str(root.config.get("timeZone", "UTC"))
        return schedules.upcoming(cron, zone, info.context.now, count)

    @strawberry.field(graphql_type=LazyWorkflow | None)
    @staticmethod
    async def workflow(root: strawberry.Parent[Trigger], info: Info) -> Workflow | None:
        return await workflows.by_id(info.context, root.workflow_id)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Trigger)


def _address(trigger: Trigger, info: Info, route: str) -> str | None:
    if trigger.path is None:
        return None
    return f"{info.context.services.url}/{route}/{info.context.tenant.slug}/{trigger.path}"


@strawberry.input
class TriggerCreateInput:
    workflow_id: strawberry.ID
    type: TriggerKind
    enabled: bool = True
    config: JSON | None = strawberry.field(
        default=None, description="WEBHOOK: {path, method, response}; SCHEDULE: {cron, timeZone}; EVENT: {name}"
    )


@strawberry.input
class TriggerUpdateInput:
    enabled: bool | None = None
    config: JSON | None = strawberry.field(default=None, description="Replaces the config whole.")


@strawberry.type
class TriggerPayload(Payload):
    @strawberry.field(graphql_type=TriggerNode | None)
    @staticmethod
    def trigger(root: strawberry.Parent[Answer[Any]]) -> Trigger | None:
        return root.value


@strawberry.type
class TriggerCreatePayload(TriggerPayload):
    pass


@strawberry.type
class TriggerUpdatePayload(TriggerPayload):
    pass


@strawberry.type
class TriggerEnablePayload(TriggerPayload):
    pass


@strawberry.type
class TriggerDisablePayload(TriggerPayload):
    pass


@strawberry.type
class TriggerDeletePayload(TriggerPayload):
    pass


@strawberry.type
class TriggerMutation:
    @strawberry.mutation(graphql_type=TriggerCreatePayload)
    async def trigger_create(self, info: Info, input: TriggerCreateInput) -> Answer[Trigger]:
        async def work() -> Trigger:
            new = NewTrigger(
                workflow_id=WorkflowId(read_id("workflow", input.workflow_id, "workflowId")),
                type=input.type,
                enabled=input.enabled,
                config=object_or_refuse(input.config, "config"),
            )
            return await triggers.create(info.context, new)

        return await answer(work())

    @strawberry.mutation(graphql_type=TriggerUpdatePayload)
    async def trigger_update(self, info: Info, id: strawberry.ID, input: TriggerUpdateInput) -> Answer[Trigger]:
        async def work() -> Trigger:
            config = None if input.config is None else object_or_refuse(input.config, "config")
            return await triggers.update(info.context, _id(id), config, input.enabled)

        return await answer(work())

    @strawberry.mutation(graphql_type=TriggerEnablePayload)
    async def trigger_enable(self, info: Info, id: strawberry.ID) -> Answer[Trigger]:
        return await _switch(info, id, True)

    @strawberry.mutation(graphql_type=TriggerDisablePayload)
    async def trigger_disable(self, info: Info, id: strawberry.ID) -> Answer[Trigger]:
        return await _switch(info, id, False)

    @strawberry.mutation(graphql_type=TriggerDeletePayload, description="Gives back what was deleted.")
    async def trigger_delete(self, info: Info, id: strawberry.ID) -> Answer[Trigger]:
        async def work() -> Trigger:
            return await triggers.delete(info.context, _id(id))

        return await answer(work())


async def _switch(info: Info, text: strawberry.ID, enabled: bool) -> Answer[Trigger]:
    async def work() -> Trigger:
        return await triggers.update(info.context, _id(text), None, enabled)

    return await answer(work())


def _id(text: strawberry.ID) -> TriggerId:
    return TriggerId(decode("trigger", text))
