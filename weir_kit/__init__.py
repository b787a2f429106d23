"""What authors of node kinds use: the parts a kind is made of, and a place to run one in. See docs/plugins.md.

Everything named here keeps its name and meaning within a major version of Weir; other packages of Weir do not promise
that.
"""

from domain.connections import Connection
from domain.engine.outcomes import (
    Cause,
    Completed,
    Ended,
    Failed,
    LogLevel,
    LogLine,
    Outcome,
    SignalArrived,
    TimerDue,
    Waiting,
)
from domain.errors import Finding, Refusal, Severity
from domain.expressions import EvaluationError
from domain.files import FileRef
from domain.graphs import ERROR, OUT
from domain.json import JSON, JSONObject
from domain.nodes import INPUT, NodeCategory
from jobs.nodes.base import Behaviour, NodeConfig, StepContext, define
from jobs.nodes.fields import ConditionField, ConnectionOf, ExpressionField, TemplateField
from jobs.outgoing import OutgoingError, OutgoingRequest, OutgoingResponse
from jobs.templates import TemplateError, TemplateText, render
from weir_kit.running import check_config, run_node
from weir_kit.supplies import GivenConnections, MemoryFiles, connection

__all__ = [
    "ERROR",
    "INPUT",
    "JSON",
    "OUT",
    "Behaviour",
    "Cause",
    "Completed",
    "ConditionField",
    "Connection",
    "ConnectionOf",
    "Ended",
    "EvaluationError",
    "ExpressionField",
    "Failed",
    "FileRef",
    "Finding",
    "GivenConnections",
    "JSONObject",
    "LogLevel",
    "LogLine",
    "MemoryFiles",
    "NodeCategory",
    "NodeConfig",
    "Outcome",
    "OutgoingError",
    "OutgoingRequest",
    "OutgoingResponse",
    "Refusal",
    "Severity",
    "SignalArrived",
    "StepContext",
    "TemplateError",
    "TemplateField",
    "TemplateText",
    "TimerDue",
    "Waiting",
    "check_config",
    "connection",
    "define",
    "render",
    "run_node",
]
