"""What differs between two states of a workflow, as the API shows and is asked for it."""

from typing import Annotated

import strawberry

from domain.errors import Invalid
from domain.graph_diff import Diff
from domain.ids import BranchId, WorkflowId, decode
from domain.workflows_compare import BranchState, DraftState, State, VersionState
from resolvers import comparisons
from schema.enums import FieldChangeKind
from schema.graphs import GraphEdge, GraphNode
from schema.identifiers import read_id
from schema.info import Info
from schema.scalars import JSON


@strawberry.type(name="FieldChange", description="A field that differs.")
class FieldChangeType:
    path: list[str] = strawberry.field(description="To the field from what it is a field of; elements by their names.")
    kind: FieldChangeKind
    before: JSON | None = strawberry.field(description="Null when ADDED; when MOVED the names in their order.")
    after: JSON | None = strawberry.field(description="Null when REMOVED; when MOVED the names in their order.")
    hidden: bool = strawberry.field(description="Some of the values is a secret, and not shown.")


@strawberry.type(name="NodeChange", description="A node that both have.")
class NodeChangeType:
    node: GraphNode = strawberry.field(description="What it became.")
    fields: list[FieldChangeType]


@strawberry.type(name="EdgeChange", description="An edge that connects the same in both.")
class EdgeChangeType:
    edge: GraphEdge = strawberry.field(description="What it became.")
    fields: list[FieldChangeType]


@strawberry.type(name="WorkflowDiff", description="What differs; secrets written into a definition are not shown.")
class DiffType:
    identical: bool = strawberry.field(description="Nothing differs.")
    nodes_added: list[GraphNode]
    nodes_removed: list[GraphNode]
    nodes_changed: list[NodeChangeType]
    edges_added: list[GraphEdge]
    edges_removed: list[GraphEdge]
    edges_changed: list[EdgeChangeType]
    variables: list[FieldChangeType] = strawberry.field(description="Paths begin with the variable's name.")
    settings: list[FieldChangeType]
    others: list[FieldChangeType] = strawberry.field(description="inputSchema, outputSchema.")
    reordered: bool = strawberry.field(description="Nodes or edges that both have stand in another order.")


@strawberry.input(name="WorkflowState", one_of=True, description="The draft, a branch, or a published version.")
class StateInput:
    draft: bool | None = strawberry.field(default=strawberry.UNSET, description="true: the draft.")
    branch: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="The id of a branch.")
    version: int | None = strawberry.field(default=strawberry.UNSET, description="The number of a version.")

    def chosen(self, name: str) -> State:
        """Raises Invalid, InvalidId, with a path that begins with `name`."""
        if self.branch is not strawberry.UNSET and self.branch is not None:
            return BranchState(id=BranchId(read_id("branch", self.branch, name, "branch")))
        if self.version is not strawberry.UNSET and self.version is not None:
            return VersionState(number=self.version)
        if self.draft is not True:
            raise Invalid("draft is true or left out", path=(name, "draft"))
        return DraftState()


@strawberry.type
class ComparisonQuery:
    @strawberry.field(graphql_type=DiffType, description="What differs between two states of a workflow.")
    async def workflow_diff(
        self,
        info: Info,
        id: strawberry.ID,
        before: Annotated[StateInput, strawberry.argument(name="from")],
        after: Annotated[StateInput, strawberry.argument(name="to")],
    ) -> Diff:
        workflow_id = WorkflowId(decode("workflow", id))
        return await comparisons.compare(info.context, workflow_id, before.chosen("from"), after.chosen("to"))
