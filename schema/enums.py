"""The domain's enumerations that the API shows, under the same names and with a description each."""

from strawberry import enum

from domain.audit import AuditActorKind, AuditOutcome
from domain.branches_conflicts import MergeChoice
from domain.engine.events import EventKind
from domain.engine.outcomes import LogLevel
from domain.engine.ports import ExecutionStatus
from domain.engine.state import StepStatus
from domain.errors import ErrorCode, Severity, ValidationLevel
from domain.graph_diff import ChangeKind as FieldChangeKind
from domain.graphs import Backoff, FailureStrategy, JoinMode, OnError
from domain.interventions import InterventionKind
from domain.load_runs import LoadRunStatus
from domain.nodes import NodeCategory
from domain.paging import Direction
from domain.publish_requests import PublishRequestStatus
from domain.starts import TriggerType
from domain.statistics import StatisticsPeriod
from domain.tasks import TaskDecision, TaskEntryKind, TaskKind, TaskStatus
from domain.trials import Mark, Mode, When
from domain.triggers import TriggerKind
from domain.workflows import WorkflowOrderField, WorkflowStatus

enum(AuditActorKind, description="NOBODY: who did not get in.")
enum(AuditOutcome, description="PARTLY: of many, some were refused. FAILED: it broke off, nobody knows where.")
enum(Backoff, description="How delays between attempts grow.")
enum(Direction, name="OrderDirection", description="Which end of a list comes first.")
enum(ErrorCode, description="What kind of refusal it is; stable.")
enum(EventKind, name="ExecutionEventKind", description="What an event of an execution's log says.")
enum(ExecutionStatus, description="Where an execution is in its life.")
enum(FailureStrategy, description="What a failed node means for the execution.")
enum(FieldChangeKind, name="FieldChangeKind", description="What became of a field; MOVED: another order.")
enum(InterventionKind, description="What somebody did to an execution.")
enum(JoinMode, description="How many incoming edges a node waits for.")
enum(LoadRunStatus, description="CANCELLED: no more of it begins.")
enum(LogLevel, description="How grave a log line is, least first.")
enum(Mark, name="TestMarkKind", description="How a step of a test went about it.")
enum(MergeChoice, description="Whose value is taken; VALUE: one that is given.")
enum(Mode, name="ContinueMode", description="On to the next breakpoint, or to the next step.")
enum(NodeCategory, description="Where a palette files a node kind.")
enum(OnError, description="What a node's final failure means.")
enum(PublishRequestStatus, description="Where a request is in its life; VOID: the draft changed before a decision.")
enum(Severity, name="FindingSeverity", description="With an ERROR a graph cannot be published.")
enum(StatisticsPeriod, description="How far back statistics go; the last 60 minutes, 24 hours, 7 or 30 days.")
enum(StepStatus, description="Where a step is in its life.")
enum(TaskDecision, description="How a task was decided.")
enum(TaskEntryKind, description="What happened to a task.")
enum(TaskKind, description="Whether a task asks for a decision, or for data alone.")
enum(TaskStatus, description="Where a task is in its life.")
enum(TriggerKind, name="TriggerType", description="What begins executions of a workflow by itself.")
enum(TriggerType, name="StartType", description="What an execution was begun by.")
enum(When, name="BreakpointWhen", description="Before the node, or before what its completion activates.")
enum(ValidationLevel, description="What a finding is about.")
enum(WorkflowOrderField, description="What workflows are ordered by.")
enum(WorkflowStatus, description="Whether a workflow takes starts: only ACTIVE does.")

__all__ = [
    "AuditActorKind",
    "AuditOutcome",
    "Backoff",
    "Direction",
    "ErrorCode",
    "EventKind",
    "ExecutionStatus",
    "FailureStrategy",
    "FieldChangeKind",
    "InterventionKind",
    "JoinMode",
    "LoadRunStatus",
    "LogLevel",
    "Mark",
    "MergeChoice",
    "Mode",
    "NodeCategory",
    "OnError",
    "PublishRequestStatus",
    "Severity",
    "StatisticsPeriod",
    "StepStatus",
    "TaskDecision",
    "TaskEntryKind",
    "TaskKind",
    "TaskStatus",
    "TriggerKind",
    "TriggerType",
    "ValidationLevel",
    "When",
    "WorkflowOrderField",
    "WorkflowStatus",
]
