"""What an execution has to do with others, and what people did to it: changes when another relation is shown."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain import executions as domain_executions
from domain.executions import Execution, ExecutionFilter, ExecutionOrder
from domain.executions_family import Tree, TreeNode
from domain.interventions import Intervention
from domain.paging import Direction, Place, Slice
from resolvers import executions
from schema.enums import InterventionKind
from schema.execution_log import page_size, read_number
from schema.info import Info
from schema.paging import Connection, Cursors, Listed
from schema.scalars import JSON, BigInt

if TYPE_CHECKING:
    from schema.executions import ExecutionType

LazyExecution = Annotated["ExecutionType", strawberry.lazy("schema.executions")]


@strawberry.type(name="Intervention", description="What somebody did to an execution; it stands in the log as well.")
class InterventionType:
    kind: InterventionKind
    at: datetime
    by: str | None = strawberry.field(description="The id of the user or key; null when it was the engine itself.")
    path: str | None = strawberry.field(description="The step that was skipped.")
    name: str | None = strawberry.field(description="Of the signal or the variable.")
    value: JSON | None = strawberry.field(
        description="The skipped step's output, the signal's payload, the variable's value, the id of the version."
    )
    reason: str | None = strawberry.field(description="Of a cancellation.")

    @strawberry.field(description="The number of its event in the log.")
    @staticmethod
    def seq(root: strawberry.Parent[Intervention]) -> BigInt:
        return BigInt(root.seq)


@strawberry.type(name="ExecutionTreeNode")
class TreeNodeType:
    depth: int = strawberry.field(description="0 for the execution itself.")

    @strawberry.field(graphql_type=LazyExecution)
    @staticmethod
    def execution(root: strawberry.Parent[TreeNode]) -> Execution:
        return root.execution


@strawberry.type(name="ExecutionTree", description="An execution and what it began, each before what it began itself.")
class TreeType:
    truncated: bool = strawberry.field(description="There are more: deeper ones, or more than 1,000.")

    @strawberry.field(graphql_type=list[TreeNodeType])
    @staticmethod
    def nodes(root: strawberry.Parent[Tree]) -> Sequence[TreeNode]:
        return root.nodes


@strawberry.type
class ExecutionFamily:
    """Fields of Execution."""

    parent_path: str | None = strawberry.field(description="The parent's step that waits for its end; null: none does.")

    @strawberry.field(graphql_type=LazyExecution | None, description="The execution that began it.")
    @staticmethod
    async def parent(root: strawberry.Parent[Execution], info: Info) -> Execution | None:
        return await executions.by_id(info.context, root.parent_id) if root.parent_id is not None else None

    @strawberry.field(
        graphql_type=LazyExecution, description="The one at the top of its tree; itself without a parent."
    )
    @staticmethod
    async def root(root: strawberry.Parent[Execution], info: Info) -> Execution:
        return await executions.root(info.context, root)

    @strawberry.field(graphql_type=Connection[LazyExecution], description="What it began, in the order it did.")
    @staticmethod
    async def children(
        root: strawberry.Parent[Execution], info: Info, first: int | None = None, after: str | None = None
    ) -> Listed[Execution]:
        return await _listed(info, ExecutionFilter(parent_id=root.id), first, after)

    @strawberry.field(graphql_type=TreeType, description="What it began, and that began, so many levels down.")
    @staticmethod
    async def tree(root: strawberry.Parent[Execution], info: Info, depth: int = 5) -> Tree:
        return await executions.tree(info.context, root, depth)

    @strawberry.field(
        graphql_type=Connection[LazyExecution], description="Those that repeat it, in the order they began."
    )
    @staticmethod
    async def retries(
        root: strawberry.Parent[Execution], info: Info, first: int | None = None, after: str | None = None
    ) -> Listed[Execution]:
        return await _listed(info, ExecutionFilter(retry_of=root.id), first, after)

    @strawberry.field(
        graphql_type=Connection[InterventionType], description="What people did to it: who, when, what; oldest first."
    )
    @staticmethod
    async def interventions(
        root: strawberry.Parent[Execution], info: Info, first: int | None = None, after: str | None = None
    ) -> Listed[Intervention]:
        cursors = Cursors(kind="interventions", orders_by=int, scope=root.id)
        seq, size = read_number(cursors.read(after, "after")), page_size(first)
        found = await executions.interventions(info.context, root.id, seq, size + 1)
        part = Slice(items=found[:size], has_next=len(found) > size, has_previous=seq > 0)
        return cursors.listed(part, lambda each: Place(id=root.id, value=each.seq))


async def _listed(info: Info, chosen: ExecutionFilter, first: int | None, after: str | None) -> Listed[Execution]:
    """Relatives, oldest first."""
    order = ExecutionOrder(direction=Direction.ASC)
    cursors = Cursors(kind="executions", scope=(chosen, order))
    found = await executions.page(info.context, chosen, order, cursors.page(first, after, None, None))
    return cursors.listed(found, domain_executions.place, partial(executions.count, info.context, chosen))
