"""The schema, put together from its nouns."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from schema import errors, live
from schema.apikeys import ApiKeyMutation, ApiKeyQuery
from schema.audit import AuditQuery
from schema.audit_recording import audited
from schema.branch_mutations import BranchMutation
from schema.branches import BranchQuery, BranchType
from schema.comparisons import ComparisonQuery
from schema.connection_mutations import ConnectionMutation
from schema.connections import ConnectionNode, ConnectionQuery
from schema.dead_letters import DeadLetterMutation, DeadLetterQuery
from schema.design import DesignQuery
from schema.environments import EnvironmentMutation, EnvironmentQuery
from schema.execution_mutations import ExecutionMutation
from schema.executions import ExecutionQuery, ExecutionType
from schema.files import FileMutation, FileQuery, FileType
from schema.limits import Limits
from schema.live_tasks import TaskSubscription
from schema.load_runs import LoadRunMutation, LoadRunQuery, LoadRunType
from schema.migrations import MigrationMutation
from schema.nodes import NodeQuery
from schema.protection import ProtectedSchema
from schema.publishing import PublishingQuery, PublishRequestType
from schema.publishing_mutations import PublishingMutation
from schema.quotas import QuotaQuery
from schema.scalars import DEFINITIONS
from schema.sessions import SessionMutation
from schema.splits import SplitMutation, SplitQuery, SplitType
from schema.streams import StreamQuery, StreamType
from schema.task_mutations import TaskMutation
from schema.tasks import TaskQuery, TaskType
from schema.testcase_mutations import TestCaseMutation
from schema.testcases import TestCaseQuery, TestCaseType
from schema.trial_mutations import TrialMutation
from schema.triggers import TriggerMutation, TriggerNode
from schema.users import UserType
from schema.viewers import TenantType, ViewerQuery
from schema.workflow_mutations import WorkflowMutation
from schema.workflows import VersionType, WorkflowQuery, WorkflowType


@strawberry.type
class Query(
    NodeQuery,
    ViewerQuery,
    WorkflowQuery,
    BranchQuery,
    ComparisonQuery,
    PublishingQuery,
    ExecutionQuery,
    DesignQuery,
    FileQuery,
    StreamQuery,
    ConnectionQuery,
    TaskQuery,
    DeadLetterQuery,
    EnvironmentQuery,
    SplitQuery,
    TestCaseQuery,
    LoadRunQuery,
    ApiKeyQuery,
    QuotaQuery,
    AuditQuery,
):
    pass


@strawberry.type
class Mutation(
    WorkflowMutation,
    BranchMutation,
    PublishingMutation,
    ExecutionMutation,
    TriggerMutation,
    FileMutation,
    ConnectionMutation,
    TaskMutation,
    DeadLetterMutation,
    TrialMutation,
    TestCaseMutation,
    LoadRunMutation,
    EnvironmentMutation,
    SplitMutation,
    MigrationMutation,
    ApiKeyMutation,
    SessionMutation,
):
    pass


@strawberry.type
class Subscription(live.Subscription, TaskSubscription):
    pass


_NODES = (
    WorkflowType,
    VersionType,
    BranchType,
    PublishRequestType,
    ExecutionType,
    TriggerNode,
    TenantType,
    UserType,
    FileType,
    SplitType,
    StreamType,
    ConnectionNode,
    TaskType,
    TestCaseType,
    LoadRunType,
)


def build_schema(limits: Limits | None = None, *, introspection: bool = True) -> ProtectedSchema:
    """The schema as it is served; its context is a `resolvers.context.RequestContext`.

    `introspection` off keeps it from every caller.
    """
    schema = ProtectedSchema(
        Query,
        Mutation,
        Subscription,
        types=(*_NODES, *errors.TYPES),
        config=StrawberryConfig(scalar_map=DEFINITIONS),
        limits=limits,
        introspection=introspection,
    )
    schema.around_mutations(audited)
    return schema


def sdl() -> str:
    """The schema's text, the same for the same code."""
    return build_schema().as_str().rstrip() + "\n"
