"""Workflows and their versions, as the API shows and finds them."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import strawberry

from domain import versions as domain_versions
from domain import workflows as domain_workflows
from domain.accounts import Account
from domain.errors import Invalid
from domain.executions import Execution
from domain.formats.stored import variables_to_json
from domain.graphs import Graph, WorkflowSettings
from domain.ids import UserId, WorkflowId, decode
from domain.statistics import Statistics
from domain.storable import checked_text
from domain.triggers import Trigger
from domain.versions import Version
from domain.workflows import Workflow, WorkflowFilter, WorkflowOrder
from resolvers import statistics, viewers, workflows
from schema.enums import Direction, StatisticsPeriod, WorkflowOrderField, WorkflowStatus
from schema.executions import ExecutionFilterInput, ExecutionType, listed_of_workflow
from schema.graphs import GraphType, SettingsType
from schema.info import Info
from schema.load_runs import LoadedWorkflow
from schema.nodes import Node
from schema.paging import Connection, Cursors, Listed
from schema.scalars import JSON
from schema.statistics import StatisticsType
from schema.testcases import TestedWorkflow
from schema.triggers import TriggerNode
from schema.viewers import UserType
from schema.workflow_changes import ChangingWorkflow, VersionHistory
from schema.workflow_rollout import WorkflowRollout

MAX_TEXT = 1_000
MAX_LABEL = 100


@strawberry.type(name="WorkflowVersion", description="A published definition; it never changes.")
class VersionType(VersionHistory, Node):
    number: int | None = strawberry.field(description="From 1; null for a draft that was tried out.")
    note: str
    created_at: datetime

    @strawberry.field(graphql_type=GraphType)
    @staticmethod
    def graph(root: strawberry.Parent[Version]) -> Graph:
        return root.definition.graph

    @strawberry.field(description="{name: {default, description}}")
    @staticmethod
    def variables(root: strawberry.Parent[Version]) -> JSON:
        return variables_to_json(root.definition.variables)

    @strawberry.field(graphql_type=SettingsType)
    @staticmethod
    def settings(root: strawberry.Parent[Version]) -> WorkflowSettings:
        return root.definition.settings

    @strawberry.field(description="JSON Schema of the input.")
    @staticmethod
    def input_schema(root: strawberry.Parent[Version]) -> JSON | None:
        return root.definition.input_schema

    @strawberry.field(description="JSON Schema of the output.")
    @staticmethod
    def output_schema(root: strawberry.Parent[Version]) -> JSON | None:
        return root.definition.output_schema

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Version)


@strawberry.type(name="Workflow", description="A named graph: a draft that is edited, and versions that run.")
class WorkflowType(ChangingWorkflow, WorkflowRollout, TestedWorkflow, LoadedWorkflow, Node):
    name: str
    description: str
    category: str
    tags: list[str]
    status: WorkflowStatus
    revision: int = strawberry.field(description="Counts changes; send it as expectedRevision.")
    created_at: datetime
    updated_at: datetime

    @strawberry.field(graphql_type=GraphType, description="The draft's graph.")
    @staticmethod
    def graph(root: strawberry.Parent[Workflow]) -> Graph:
        return root.draft.graph

    @strawberry.field(description="The draft's variables: {name: {default, description}}")
    @staticmethod
    def variables(root: strawberry.Parent[Workflow]) -> JSON:
        return variables_to_json(root.draft.variables)

    @strawberry.field(graphql_type=SettingsType, description="The draft's settings.")
    @staticmethod
    def settings(root: strawberry.Parent[Workflow]) -> WorkflowSettings:
        return root.draft.settings

    @strawberry.field(description="JSON Schema of the draft's input.")
    @staticmethod
    def input_schema(root: strawberry.Parent[Workflow]) -> JSON | None:
        return root.draft.input_schema

    @strawberry.field(description="JSON Schema of the draft's output.")
    @staticmethod
    def output_schema(root: strawberry.Parent[Workflow]) -> JSON | None:
        return root.draft.output_schema

    @strawberry.field(graphql_type=VersionType | None, description="What runs; null before it is published.")
    @staticmethod
    async def active_version(root: strawberry.Parent[Workflow], info: Info) -> Version | None:
        active = root.active_version_id
        return await workflows.version(info.context, active) if active is not None else None

    @strawberry.field(graphql_type=Connection[VersionType], description="Published versions, latest first.")
    @staticmethod
    async def versions(
        root: strawberry.Parent[Workflow],
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Listed[Version]:
        cursors = Cursors(kind="versions", orders_by=int, scope=root.id)
        found = await workflows.versions(info.context, root.id, cursors.page(first, after, last, before))
        return cursors.listed(found, domain_versions.place)

    @strawberry.field(graphql_type=list[TriggerNode])
    @staticmethod
    async def triggers(root: strawberry.Parent[Workflow], info: Info) -> Sequence[Trigger]:
        return await workflows.triggers(info.context, root.id)

    @strawberry.field(graphql_type=Connection[ExecutionType], description="Its executions, latest first.")
    @staticmethod
    async def executions(
        root: strawberry.Parent[Workflow],
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: ExecutionFilterInput | None = None,
    ) -> Listed[Execution]:
        return await listed_of_workflow(info, root.id, filter, first, after, last, before)

    @strawberry.field(graphql_type=StatisticsType, description="How its executions have gone.")
    @staticmethod
    async def statistics(
        root: strawberry.Parent[Workflow], info: Info, period: StatisticsPeriod = StatisticsPeriod.DAY
    ) -> Statistics:
        return await statistics.of_workflow(info.context, root.id, period)

    @strawberry.field(graphql_type=UserType | None, description="Who made it; null unless it is the caller.")
    @staticmethod
    async def created_by(root: strawberry.Parent[Workflow], info: Info) -> Account | None:
        return await viewers.user(info.context, UserId(root.created_by) if root.created_by else None)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Workflow)


@strawberry.input(name="WorkflowFilter", description="Every part given must hold.")
class WorkflowFilterInput:
    search: str | None = strawberry.field(default=None, description="In the name or the description.")
    status: list[WorkflowStatus] | None = None
    category: str | None = None
    tags: list[str] | None = strawberry.field(default=None, description="All of them.")

    def chosen(self) -> WorkflowFilter:
        """Raises Invalid for texts that nothing stored can hold."""
        checked_text(self.search or "", "filter", "search", most=MAX_TEXT)
        checked_text(self.category or "", "filter", "category", most=MAX_LABEL)
        for tag in self.tags or ():
            checked_text(tag, "filter", "tags", most=MAX_TEXT)
        return WorkflowFilter(
            search=self.search or None,
            status=tuple(self.status or ()),
            category=self.category,
            tags=tuple(self.tags or ()),
        )


@strawberry.input(name="WorkflowOrder")
class WorkflowOrderInput:
    field: WorkflowOrderField = WorkflowOrderField.UPDATED_AT
    direction: Direction = Direction.DESC

    def chosen(self) -> WorkflowOrder:
        return WorkflowOrder(field=self.field, direction=self.direction)


@strawberry.type
class WorkflowQuery:
    @strawberry.field(graphql_type=WorkflowType | None, description="A workflow by its id or its name.")
    async def workflow(self, info: Info, id: strawberry.ID | None = None, name: str | None = None) -> Workflow | None:
        if (id is None) is (name is None):
            raise Invalid("Give an id or a name", path=("id",))
        if name is not None:
            checked_text(name, "name", most=MAX_TEXT)
            return await workflows.by_name(info.context, name)
        return await workflows.by_id(info.context, WorkflowId(decode("workflow", str(id))))

    @strawberry.field(graphql_type=Connection[WorkflowType])
    async def workflows(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: WorkflowFilterInput | None = None,
        order_by: WorkflowOrderInput | None = None,
    ) -> Listed[Workflow]:
        chosen = filter.chosen() if filter else WorkflowFilter()
        order = order_by.chosen() if order_by else WorkflowOrder()
        orders_by = str if order.field is WorkflowOrderField.NAME else datetime
        cursors = Cursors(kind="workflows", orders_by=orders_by, scope=(chosen, order))
        page = cursors.page(first, after, last, before)
        found = await workflows.page(info.context, chosen, order, page)
        count = partial(workflows.count, info.context, chosen)
        return cursors.listed(found, partial(domain_workflows.place, order), count)
