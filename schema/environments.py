"""Environments and promotions, as the API shows, names and orders them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from domain.environments import DEFAULT, Environment
from domain.environments_edit import EnvironmentChange
from domain.errors import Invalid
from domain.ids import WorkflowId, decode
from domain.promotions import Deployment, Promotion, PromotionRequest
from domain.versions import Version
from domain.workflows import Workflow
from resolvers import environments, workflows
from schema.errors import Answer, Payload, answer
from schema.info import Info
from schema.json_objects import object_or_refuse
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.workflows import VersionType, WorkflowType

LazyWorkflow = Annotated["WorkflowType", strawberry.lazy("schema.workflows")]
LazyVersion = Annotated["VersionType", strawberry.lazy("schema.workflows")]


@strawberry.type(name="Environment", description="A named stage that versions are promoted to, with values of its own.")
class EnvironmentType:
    name: str
    position: int = strawberry.field(description="Its place in the order of promotion, after the default environment.")
    variables: JSON = strawberry.field(description="Over the defaults of the workflows that declare them.")
    connections: JSON = strawberry.field(description="The connection that stands for another one, by name.")
    revision: int = strawberry.field(description="Counts changes; send it as expectedRevision.")
    created_at: datetime
    updated_at: datetime
    updated_by: str = strawberry.field(description="The id of the user or key.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Environment)


@strawberry.type(name="Deployment", description="The version of a workflow that is active in an environment.")
class DeploymentType:
    environment: str
    since: datetime | None = strawberry.field(description="Null for the default environment.")
    by: str | None = strawberry.field(description="The id of the user or key; null for the default environment.")

    @strawberry.field(graphql_type=LazyVersion | None)
    @staticmethod
    async def version(root: strawberry.Parent[Deployment], info: Info) -> Version | None:
        return await workflows.version(info.context, root.version_id) if root.version_id is not None else None

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Deployment)


@strawberry.type(name="Promotion", description="A version became the active one of an environment.")
class PromotionType:
    note: str
    promoted_at: datetime
    promoted_by: str = strawberry.field(description="The id of the user or key.")

    @strawberry.field(name="from", description="Null: by the end of a split.")
    @staticmethod
    def source(root: strawberry.Parent[Promotion]) -> str | None:
        return root.source

    @strawberry.field(name="to")
    @staticmethod
    def target(root: strawberry.Parent[Promotion]) -> str:
        return root.target

    @strawberry.field(graphql_type=LazyVersion | None)
    @staticmethod
    async def version(root: strawberry.Parent[Promotion], info: Info) -> Version | None:
        return await workflows.version(info.context, root.version_id)

    @strawberry.field(graphql_type=LazyVersion | None, description="What was active there before.")
    @staticmethod
    async def previous(root: strawberry.Parent[Promotion], info: Info) -> Version | None:
        return await workflows.version(info.context, root.previous_id) if root.previous_id is not None else None

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Promotion)


@strawberry.input(description="What is left out stays as it is; what is given replaces all of it.")
class EnvironmentInput:
    variables: JSON | None = None
    connections: JSON | None = strawberry.field(default=None, description="{name: name of the one that stands for it}")

    def change(self) -> EnvironmentChange:
        """Raises Invalid."""
        connections = None if self.connections is None else object_or_refuse(self.connections, "connections")
        return EnvironmentChange(
            variables=None if self.variables is None else object_or_refuse(self.variables, "variables"),
            connections=_names(connections),
        )


@strawberry.type
class EnvironmentPayload(Payload):
    @strawberry.field(graphql_type=EnvironmentType | None)
    @staticmethod
    def environment(root: strawberry.Parent[Answer[Any]]) -> Environment | None:
        return root.value


@strawberry.type
class EnvironmentCreatePayload(EnvironmentPayload):
    pass


@strawberry.type
class EnvironmentUpdatePayload(EnvironmentPayload):
    pass


@strawberry.type
class EnvironmentReorderPayload(Payload):
    @strawberry.field(graphql_type=list[EnvironmentType])
    @staticmethod
    def environments(root: strawberry.Parent[Answer[Sequence[Environment]]]) -> Sequence[Environment]:
        return root.value or ()


@strawberry.type
class EnvironmentDeletePayload(Payload):
    @strawberry.field(description="What was deleted.")
    @staticmethod
    def name(root: strawberry.Parent[Answer[str]]) -> str | None:
        return root.value


@strawberry.type
class WorkflowPromotePayload(Payload):
    @strawberry.field(graphql_type=LazyWorkflow | None)
    @staticmethod
    def workflow(root: strawberry.Parent[Answer[Any]]) -> Workflow | None:
        return root.value


@strawberry.type
class EnvironmentQuery:
    @strawberry.field(
        graphql_type=list[EnvironmentType], description="In the order of promotion; the default one comes before them."
    )
    async def environments(self, info: Info) -> Sequence[Environment]:
        return await environments.every(info.context)


@strawberry.type
class EnvironmentMutation:
    @strawberry.mutation(graphql_type=EnvironmentCreatePayload, description="The last in the order.")
    async def environment_create(
        self, info: Info, name: str, input: EnvironmentInput | None = None
    ) -> Answer[Environment]:
        async def work() -> Environment:
            values = input.change() if input is not None else EnvironmentChange()
            return await environments.create(info.context, name, values)

        return await answer(work())

    @strawberry.mutation(graphql_type=EnvironmentUpdatePayload, description="For executions that begin from now on.")
    async def environment_update(
        self, info: Info, name: str, input: EnvironmentInput, expected_revision: int | None = None
    ) -> Answer[Environment]:
        async def work() -> Environment:
            return await environments.update(info.context, name, input.change(), expected_revision)

        return await answer(work())

    @strawberry.mutation(graphql_type=EnvironmentReorderPayload, description="All of them, in their new order.")
    async def environment_reorder(self, info: Info, names: list[str]) -> Answer[Sequence[Environment]]:
        async def work() -> Sequence[Environment]:
            return await environments.reorder(info.context, names)

        return await answer(work())

    @strawberry.mutation(graphql_type=EnvironmentDeletePayload, description="What runs there, runs on.")
    async def environment_delete(self, info: Info, name: str) -> Answer[str]:
        async def work() -> str:
            return await environments.delete(info.context, name)

        return await answer(work())

    @strawberry.mutation(
        graphql_type=WorkflowPromotePayload,
        description="The version active in one environment becomes the active one of the next.",
    )
    async def workflow_promote(
        self,
        info: Info,
        id: strawberry.ID,
        to: str,
        from_: Annotated[str, strawberry.argument(name="from", description="The environment before it.")] = DEFAULT,
        note: str = "",
        version: Annotated[
            int | None, strawberry.argument(description="One that was active in `from` before, instead.")
        ] = None,
    ) -> Answer[Workflow]:
        async def work() -> Workflow:
            request = PromotionRequest(
                workflow_id=WorkflowId(decode("workflow", id)), source=from_, target=to, note=note, version=version
            )
            return await environments.promote(info.context, request)

        return await answer(work())


def _names(given: Mapping[str, JSON] | None) -> Mapping[str, str] | None:
    if given is None:
        return None
    names: dict[str, str] = {}
    for name, stand_in in given.items():
        if not isinstance(stand_in, str):
            raise Invalid("The name of a connection is needed", path=("connections", name[:100]))
        names[name] = stand_in
    return names
