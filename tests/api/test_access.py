"""Who may do what: every operation for every role and permission, with the proof that what was refused changed nothing.

An operation that is in none of the tables here fails a test until somebody has decided who may ask for it.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from db.connections import EnginePool
from domain.access import Permission, Role
from domain.tenancy import Tenant
from tests.api.application import Application, Caller, new_caller
from tests.api.id_places import ARGUMENTS, asked_with
from tests.api.schema_words import Question, fields
from tests.api.whole_world import World, missing, new_world, rows

EVERYBODY = frozenset(Role)
WRITERS = frozenset({Role.ADMIN, Role.DEVELOPER})
STARTERS = WRITERS | {Role.SERVICE}
HOLDERS: Mapping[Permission, frozenset[Role]] = {
    Permission.WORKFLOW_READ: EVERYBODY,
    Permission.WORKFLOW_WRITE: WRITERS,
    Permission.WORKFLOW_PUBLISH: WRITERS,
    Permission.WORKFLOW_DELETE: WRITERS,
    Permission.EXECUTION_READ: EVERYBODY,
    Permission.EXECUTION_START: STARTERS,
    Permission.EXECUTION_CONTROL: STARTERS,
    Permission.SIGNAL_SEND: STARTERS,
    Permission.TRIGGER_READ: EVERYBODY,
    Permission.TRIGGER_WRITE: WRITERS,
    Permission.TASK_READ: EVERYBODY,
    Permission.TASK_COMPLETE: STARTERS,
    Permission.TASK_MANAGE: WRITERS,
    Permission.CONNECTION_READ: EVERYBODY,
    Permission.CONNECTION_WRITE: WRITERS,
    Permission.STREAM_READ: EVERYBODY,
    Permission.FILE_READ: EVERYBODY,
    Permission.FILE_WRITE: STARTERS,
    Permission.SCHEMA_INTROSPECT: EVERYBODY - {Role.SERVICE},
    Permission.TENANT_MANAGE: frozenset({Role.ADMIN}),
}
"""The roles that hold a permission."""

QUERIES: Mapping[tuple[Permission, ...], str] = {
    (): "node nodes viewer",
    (Permission.WORKFLOW_READ,): """
        workflow workflows workflowDiff branch publishRequest publishRequests publishRule environments split testCase
        nodeKinds graphValidate schedulePreview""",
    (Permission.WORKFLOW_READ, Permission.EXECUTION_READ): "expressionEvaluate",
    (Permission.EXECUTION_READ,): "execution executions deadLetters testRun loadRun",
    (Permission.TASK_READ,): "task tasks",
    (Permission.CONNECTION_READ,): "connection connections connectionTypes",
    (Permission.STREAM_READ,): "stream streams",
    (Permission.FILE_READ,): "file files",
}
MUTATIONS: Mapping[tuple[Permission, ...], str] = {
    (Permission.WORKFLOW_WRITE,): """
        workflowCreate workflowUpdate workflowDuplicate workflowImport workflowPublishWithdraw
        branchCreate branchUpdate branchDelete branchMerge testCaseCreate testCaseUpdate testCaseDelete""",
    (Permission.WORKFLOW_DELETE,): "workflowDelete",
    (Permission.WORKFLOW_PUBLISH,): """
        workflowPublish workflowPublishApprove workflowPublishDecline workflowRollback workflowSetStatus
        workflowPromote environmentCreate environmentUpdate environmentReorder environmentDelete
        splitStart splitChange splitEnd""",
    (Permission.TENANT_MANAGE,): "workflowSetPublishRule tenantSetPublishRule",
    (Permission.TRIGGER_WRITE,): "triggerCreate triggerUpdate triggerEnable triggerDisable triggerDelete",
    (Permission.EXECUTION_START,): """
        executionStart executionStartMany executionRetry deadLetterReplay testCaseRun loadRunStart""",
    (Permission.EXECUTION_CONTROL,): """
        executionCancel executionPause executionResume executionContinue executionSetVariable stepSkip
        deadLetterDismiss deadLetterPurge loadRunCancel""",
    (Permission.EXECUTION_CONTROL, Permission.WORKFLOW_PUBLISH): "executionsMigrate",
    (Permission.SIGNAL_SEND,): "signalSend",
    (Permission.TASK_COMPLETE,): "taskComplete taskClaim taskUnclaim taskDelegate taskEscalate taskComment",
    (Permission.CONNECTION_WRITE,): "connectionCreate connectionUpdate connectionDelete connectionTest",
    (Permission.FILE_WRITE,): "fileDelete",
}
SUBSCRIPTIONS: Mapping[tuple[Permission, ...], str] = {
    (Permission.EXECUTION_READ,): "executionEvents executions",
    (Permission.TASK_READ,): "tasks",
}
NODES: Mapping[Permission | None, str] = {
    None: "tenant user",
    Permission.WORKFLOW_READ: "workflow version branch publishrequest split testcase",
    Permission.EXECUTION_READ: "execution loadrun",
    Permission.TRIGGER_READ: "trigger",
    Permission.TASK_READ: "task",
    Permission.CONNECTION_READ: "connection",
    Permission.STREAM_READ: "stream",
    Permission.FILE_READ: "file",
}
"""What `node` asks of who wants an object, by its prefix."""

OPERATIONS = {"Query": QUERIES, "Mutation": MUTATIONS, "Subscription": SUBSCRIPTIONS}
ASKED = [
    pytest.param(operation, name, needed, id=name)
    for operation, table in (("Query", QUERIES), ("Mutation", MUTATIONS))
    for needed, names in table.items()
    for name in names.split()
]
