"""The schema, put together from its nouns."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from schema import errors
from schema.design import DesignQuery
from schema.execution_mutations import ExecutionMutation
from schema.executions import ExecutionQuery, ExecutionType
from schema.limits import Limits
from schema.live import Subscription
from schema.nodes import NodeQuery
from schema.protection import ProtectedSchema
from schema.scalars import DEFINITIONS
from schema.triggers import TriggerMutation, TriggerNode
from schema.viewers import TenantType, UserType, ViewerQuery
from schema.workflow_mutations import WorkflowMutation
from schema.workflows import VersionType, WorkflowQuery, WorkflowType


@strawberry.type
class Query(NodeQuery, ViewerQuery, WorkflowQuery, ExecutionQuery, DesignQuery):
    pass


@strawberry.type
class Mutation(WorkflowMutation, ExecutionMutation, TriggerMutation):
    pass


_NODES = (WorkflowType, VersionType, ExecutionType, TriggerNode, TenantType, UserType)


def build_schema(limits: Limits | None = None) -> ProtectedSchema:
    """The schema as it is served; its context is a `resolvers.context.RequestContext`."""
    return ProtectedSchema(
        Query,
        Mutation,
        Subscription,
        types=(*_NODES, *errors.TYPES),
        config=StrawberryConfig(scalar_map=DEFINITIONS),
        limits=limits,
    )


def sdl() -> str:
    """The schema's text, the same for the same code."""
    return build_schema().as_str().rstrip() + "\n"
