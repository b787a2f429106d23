"""Running user code: which names of the sandbox other folders use. See docs/code.md and docs/expressions.md."""

from jobs.sandbox.evaluator import Evaluator
from jobs.sandbox.outcomes import (
    Evaluated,
    Failed,
    FailureKind,
    Fetch,
    FetchFailed,
    FetchReply,
    FetchRequest,
    Finished,
    Language,
    Limits,
    Line,
    SandboxError,
    Script,
    Usage,
    Value,
)
from jobs.sandbox.sandbox import Sandbox

__all__ = [
    "Evaluated",
    "Evaluator",
    "Failed",
    "FailureKind",
    "Fetch",
    "FetchFailed",
    "FetchReply",
    "FetchRequest",
    "Finished",
    "Language",
    "Limits",
    "Line",
    "Sandbox",
    "SandboxError",
    "Script",
    "Usage",
    "Value",
]
