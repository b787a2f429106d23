"""Running user code: which names of the sandbox other folders use. See docs/expressions.md."""

from jobs.sandbox.evaluator import Evaluator
from jobs.sandbox.outcomes import Evaluated, Failed, FailureKind, Limits, SandboxError, Value
from jobs.sandbox.sandbox import Sandbox

__all__ = ["Evaluated", "Evaluator", "Failed", "FailureKind", "Limits", "Sandbox", "SandboxError", "Value"]
