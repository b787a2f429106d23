"""Refusals: what a use case may answer instead of doing its work.

Each carries what a person needs to mend it; one map in `schema.errors` turns them into GraphQL errors and one
in `app.rest` into problem+json. Anything else that is raised is a bug.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class ErrorCode(StrEnum):
    VALIDATION = "VALIDATION"
    INVALID_ID = "INVALID_ID"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    IDEMPOTENCY_MISMATCH = "IDEMPOTENCY_MISMATCH"
    INVALID_STATE = "INVALID_STATE"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    RATE_LIMITED = "RATE_LIMITED"
    TOO_LARGE = "TOO_LARGE"


class Refusal(Exception):
    """Something was asked that is not done; nothing has changed."""

    code: ErrorCode = ErrorCode.VALIDATION

    def __init__(self, message: str, *, path: Sequence[str] = (), remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = tuple(path)
        self.remedy = remedy


class Invalid(Refusal):
    """A value is missing, of the wrong type or outside its range; `path` names the field."""


class InvalidId(Refusal):
    """The text is no id of the expected kind."""

    code = ErrorCode.INVALID_ID

    def __init__(self, text: str, *, expected: str | None = None, found: str | None = None) -> None:
        if expected and found:
            message = f"{text[:80]!r} is the id of a {found}, not of a {expected}"
        else:
            message = f"{text[:80]!r} is not an id"
        remedy = f"Give an id that begins with {expected}_" if expected else "Give an id such as workflow_01j…"
        super().__init__(message, path=("id",), remedy=remedy)


class NotFound(Refusal):
    """There is no such object for this caller; another tenant's object answers exactly so."""

    code = ErrorCode.NOT_FOUND

    def __init__(self, kind: str, text: str, *, path: Sequence[str] = ("id",)) -> None:
        super().__init__(f"There is no {kind} {text}", path=path, remedy=f"Check the id; list the {kind}s you may see.")


class Conflict(Refusal):
    """The object has changed, or the name is taken; `current_revision` is what is stored now."""

    code = ErrorCode.CONFLICT

    def __init__(
        self,
        message: str,
        *,
        current_revision: int | None = None,
        path: Sequence[str] = (),
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, path=path, remedy=remedy)
        self.current_revision = current_revision


class IdempotencyMismatch(Refusal):
    """The idempotency key was used before with another request."""

    code = ErrorCode.IDEMPOTENCY_MISMATCH

    def __init__(self, key: str, *, path: Sequence[str] = ("idempotencyKey",)) -> None:
        super().__init__(
            f"The idempotency key {key!r} was used for a start with another input",
            path=path,
            remedy="Use a new key, or repeat the first request unchanged.",
        )


class InvalidState(Refusal):
    """The object is in a state in which this cannot be done."""

    code = ErrorCode.INVALID_STATE


class Unauthenticated(Refusal):
    """No credentials, or none that hold."""

    code = ErrorCode.UNAUTHENTICATED


class Forbidden(Refusal):
    """The caller is known and lacks the permission."""

    code = ErrorCode.FORBIDDEN

    def __init__(self, permission: str) -> None:
        super().__init__(
            f"This needs the permission {permission}", remedy="Ask an administrator of your tenant for it."
        )
        self.permission = permission


class QuotaExceeded(Refusal):
    """A limit is reached; `retry_after` in seconds when waiting helps."""

    code = ErrorCode.QUOTA_EXCEEDED

    def __init__(self, message: str, *, retry_after: float | None = None, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.retry_after = retry_after


class TooLarge(Refusal):
    """A document, payload or graph passes a written limit."""

    code = ErrorCode.TOO_LARGE


class Severity(StrEnum):
    ERROR = "ERROR"
    WARNING = "WARNING"
    INFO = "INFO"


class ValidationLevel(StrEnum):
    """What a finding is about: whether the document holds together, means something, runs well, is safe."""

    STRUCTURAL = "STRUCTURAL"
    SEMANTIC = "SEMANTIC"
    PERFORMANCE = "PERFORMANCE"
    SECURITY = "SECURITY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found in a document: where (`node_id`, `path` inside the graph), what, how to mend it."""

    severity: Severity = Severity.ERROR
    level: ValidationLevel = ValidationLevel.STRUCTURAL
    code: str
    message: str
    node_id: str | None = None
    path: tuple[str, ...] = ()
    remedy: str | None = None


class InvalidGraph(Refusal):
    """A graph does not validate; all findings at once."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        errors = [finding for finding in findings if finding.severity is Severity.ERROR]
        first = f": {errors[0].message}" if errors else ""
        super().__init__(
            f"The graph has {len(errors)} error{'s' if len(errors) != 1 else ''}{first}",
            path=("graph",),
            remedy="Mend the findings; graphValidate lists them without saving.",
        )
        self.findings = tuple(findings)
