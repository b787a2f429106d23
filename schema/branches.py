"""Branches of workflows, as the API shows and finds them."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain.branches import Branch
from domain.branches_conflicts import MergeConflict
from domain.formats.stored import variables_to_json
from domain.graph_diff import Diff, diff
from domain.graphs import Graph, WorkflowSettings
from domain.ids import BranchId, decode
from domain.workflows import Workflow
from resolvers import branches, workflows
from schema.comparisons import DiffType
from schema.graphs import GraphType, SettingsType
from schema.info import Info
from schema.nodes import Node
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.workflows import WorkflowType

LazyWorkflow = Annotated["WorkflowType", strawberry.lazy("schema.workflows")]


@strawberry.type(name="MergeSide", description="What one side has at a place.")
class MergeSideType:
    present: bool = strawberry.field(description="False: it was removed there, or never was.")
    value: JSON | None


@strawberry.type(name="MergeConflict", description="Where draft and branch changed the same differently.")
class MergeConflictType:
    path: list[str] = strawberry.field(description="To the place from the definition; what a resolution names.")
    node_id: str | None = strawberry.field(description="The node it is in.")
    field: list[str] = strawberry.field(description="To the place from the node; empty for the node as a whole.")
    base: MergeSideType = strawberry.field(description="Before either changed it.")
    draft: MergeSideType
    branch: MergeSideType

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, MergeConflict)


@strawberry.type(name="WorkflowBranch", description="A named copy of a definition, edited beside the draft.")
class BranchType(Node):
    name: str
    from_version: int | None = strawberry.field(description="Where it began; null: at the draft.")
    revision: int = strawberry.field(description="Counts changes; send it as expectedRevision.")
    created_at: datetime
    created_by: str = strawberry.field(description="The id of the user or API key.")
    updated_at: datetime
    updated_by: str = strawberry.field(description="The id of the user or API key.")
    merged_at: datetime | None = strawberry.field(description="When it was merged last.")
    merged_by: str | None = strawberry.field(description="The id of the user or API key.")

    @strawberry.field(description="Ids of those whose changes a merge brings into the draft.")
    @staticmethod
    def authors(root: strawberry.Parent[Branch]) -> list[str]:
        return list(root.authors)

    @strawberry.field(graphql_type=LazyWorkflow | None)
    @staticmethod
    async def workflow(root: strawberry.Parent[Branch], info: Info) -> Workflow | None:
        return await workflows.by_id(info.context, root.workflow_id)

    @strawberry.field(graphql_type=GraphType)
    @staticmethod
    def graph(root: strawberry.Parent[Branch]) -> Graph:
        return root.definition.graph

    @strawberry.field(description="{name: {default, description}}")
    @staticmethod
    def variables(root: strawberry.Parent[Branch]) -> JSON:
        return variables_to_json(root.definition.variables)

    @strawberry.field(graphql_type=SettingsType)
    @staticmethod
    def settings(root: strawberry.Parent[Branch]) -> WorkflowSettings:
        return root.definition.settings

    @strawberry.field(description="JSON Schema of the input.")
    @staticmethod
    def input_schema(root: strawberry.Parent[Branch]) -> JSON | None:
        return root.definition.input_schema

    @strawberry.field(description="JSON Schema of the output.")
    @staticmethod
    def output_schema(root: strawberry.Parent[Branch]) -> JSON | None:
        return root.definition.output_schema

    @strawberry.field(graphql_type=DiffType, description="What was changed since it began or was merged last.")
    @staticmethod
    def changes(root: strawberry.Parent[Branch]) -> Diff:
        return diff(root.base, root.definition)

    @strawberry.field(graphql_type=list[MergeConflictType], description="What a merge would ask now.")
    @staticmethod
    async def conflicts(root: strawberry.Parent[Branch], info: Info) -> Sequence[MergeConflict]:
        return await branches.conflicts(info.context, root)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Branch)


@strawberry.type
class BranchQuery:
    @strawberry.field(graphql_type=BranchType | None)
    async def branch(self, info: Info, id: strawberry.ID) -> Branch | None:
        return await branches.by_id(info.context, BranchId(decode("branch", id)))
