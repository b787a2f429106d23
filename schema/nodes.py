"""What can be found by a global id: changes when a kind of object gets one."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import strawberry

from domain.accounts import Account
from domain.branches import Branch
from domain.connections import SavedConnection
from domain.errors import Invalid, InvalidId, Refusal
from domain.executions import Execution
from domain.files import File
from domain.ids import (
    BranchId,
    ConnectionId,
    ExecutionId,
    FileId,
    LoadRunId,
    PublishRequestId,
    SplitId,
    StreamId,
    TaskId,
    TenantId,
    TestCaseId,
    TriggerId,
    UserId,
    VersionId,
    WorkflowId,
    encode,
    split,
)
from domain.load_runs import LoadRun
from domain.publish_requests import PublishRequest
from domain.splits import Split
from domain.streams import Stream
from domain.tasks import Task
from domain.tenancy import Tenant
from domain.testcases import SavedCase
from domain.triggers import Trigger
from domain.versions import Version
from domain.workflows import Workflow
from resolvers import (
    branches,
    connections,
    executions,
    files,
    load_runs,
    publishing,
    splits,
    streams,
    tasks,
    testcases,
    triggers,
    viewers,
    workflows,
)
from resolvers.context import RequestContext
from schema.info import Info

MAX_IDS = 100

Found = (
    Workflow
    | Version
    | Branch
    | PublishRequest
    | Execution
    | Trigger
    | SavedConnection
    | File
    | Split
    | Stream
    | Task
    | SavedCase
    | LoadRun
    | Tenant
    | Account
)

_KINDS: dict[type, str] = {
    Workflow: "workflow",
    Version: "version",
    Branch: "branch",
    PublishRequest: "publishrequest",
    Execution: "execution",
    Trigger: "trigger",
    SavedConnection: "connection",
    File: "file",
    Split: "split",
    Stream: "stream",
    Task: "task",
    SavedCase: "testcase",
    LoadRun: "loadrun",
    Tenant: "tenant",
    Account: "user",
}


def global_id(value: Found) -> strawberry.ID:
    """The TypeID of a domain value."""
    return strawberry.ID(encode(_KINDS[type(value)], value.id))


@strawberry.interface(description="An object with an id that names its kind.")
class Node:
    @strawberry.field
    @staticmethod
    def id(root: strawberry.Parent[Any]) -> strawberry.ID:
        return global_id(root)


async def find(context: RequestContext, text: str) -> Found | None:
    """Raises InvalidId for what is no id of ours, Forbidden."""
    kind, value = split(text)
    return await _find(context, kind, value, text)


async def _find(context: RequestContext, kind: str, value: UUID, text: str) -> Found | None:
    match kind:
        case "workflow":
            return await workflows.by_id(context, WorkflowId(value))
        case "version":
            return await workflows.version(context, VersionId(value))
        case "branch":
            return await branches.by_id(context, BranchId(value))
        case "publishrequest":
            return await publishing.request(context, PublishRequestId(value))
        case "execution":
            return await executions.by_id(context, ExecutionId(value))
        case "trigger":
            return await triggers.by_id(context, TriggerId(value))
        case "file":
            return await files.by_id(context, FileId(value))
        case "split":
            return await splits.by_id(context, SplitId(value))
        case "stream":
            return await streams.by_id(context, StreamId(value))
        case "task":
            return await tasks.by_id(context, TaskId(value))
        case "testcase":
            return await testcases.by_id(context, TestCaseId(value))
        case "loadrun":
            return await load_runs.by_id(context, LoadRunId(value))
        case "connection":
            return await connections.by_id(context, ConnectionId(value))
        case "tenant":
            return await viewers.tenant(context, TenantId(value))
        case "user":
            return await viewers.user(context, UserId(value))
        case _:
            raise InvalidId(text)


@strawberry.type
class NodeQuery:
    @strawberry.field(graphql_type=Node | None, description="Any object by its id.")
    async def node(self, info: Info, id: strawberry.ID) -> Found | None:
        return await find(info.context, id)

    @strawberry.field(
        graphql_type=list[Node | None], description="Up to 100 objects by their ids, in the order asked for."
    )
    async def nodes(self, info: Info, ids: list[strawberry.ID]) -> Sequence[Found | Refusal | None]:
        if len(ids) > MAX_IDS:
            raise Invalid(f"At most {MAX_IDS} ids are taken", path=("ids",))
        return await asyncio.gather(*(_found_or_refusal(info.context, each) for each in ids))


async def _found_or_refusal(context: RequestContext, text: str) -> Found | Refusal | None:
    """A refusal in a list becomes the error of its element alone."""
    try:
        return await find(context, text)
    except Refusal as refusal:
        return refusal
