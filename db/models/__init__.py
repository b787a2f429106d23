"""Every table as a Tortoise model; `docs/data-model.md` says why each is as it is.

Models say the columns. Keys, indexes, partitions, policies and grants are SQL in `db/migrations`, to be read there.
"""

from db.models.accounts import Account, FailedAttempt, Membership, RefreshToken, Session
from db.models.apikeys import ApiKey
from db.models.audit import AuditCheckpoint, AuditEntry
from db.models.branches import WorkflowBranch
from db.models.connections import Connection, ConnectionSecret, DataKey
from db.models.dead_letters import DeadLetterDismissal
from db.models.environments import Environment, Promotion, WorkflowEnvironment, WorkflowSplit
from db.models.executions import Execution, ExecutionKey
from db.models.files import File, FileLeftover, FileUsage
from db.models.journal import ExecutionEvent, ExecutionInbox, ExecutionState, WakeUp
from db.models.limits import LockRequest, TenantLimit, WorkflowLimit
from db.models.publishing import PublishRequest, PublishRule
from db.models.quotas import QuotaUse, TenantQuota
from db.models.streams import Stream, StreamMessage
from db.models.tasks import Task, TaskEntry
from db.models.tenants import Tenant
from db.models.testcases import LoadRun, TestCase
from db.models.triggers import Trigger
from db.models.versions import WorkflowVersion
from db.models.workers import Worker
from db.models.workflows import Workflow

__all__ = [
    "Account",
    "ApiKey",
    "AuditCheckpoint",
    "AuditEntry",
    "Connection",
    "ConnectionSecret",
    "DataKey",
    "DeadLetterDismissal",
    "Environment",
    "Execution",
    "ExecutionEvent",
    "ExecutionInbox",
    "ExecutionKey",
    "ExecutionState",
    "FailedAttempt",
    "File",
    "FileLeftover",
    "FileUsage",
    "LoadRun",
    "LockRequest",
    "Membership",
    "Promotion",
    "PublishRequest",
    "PublishRule",
    "QuotaUse",
    "RefreshToken",
    "Session",
    "Stream",
    "StreamMessage",
    "Task",
    "TaskEntry",
    "Tenant",
    "TenantLimit",
    "TenantQuota",
    "TestCase",
    "Trigger",
    "WakeUp",
    "Worker",
    "Workflow",
    "WorkflowBranch",
    "WorkflowEnvironment",
    "WorkflowLimit",
    "WorkflowSplit",
    "WorkflowVersion",
]
