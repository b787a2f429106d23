"""The one map from refusals to the errors of a mutation's payload."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import strawberry

from domain.errors import (
    Conflict,
    Finding,
    Forbidden,
    IdempotencyMismatch,
    InvalidGraph,
    InvalidState,
    NotFound,
    QuotaExceeded,
    Refusal,
    TooLarge,
    Unauthenticated,
)
from domain.quotas import Quota, QuotaReached
from domain.testcases import InvalidCases
from domain.validation.inputs import InvalidInput
from schema.enums import ErrorCode, Severity, ValidationLevel
from schema.quotas import QuotaName
from schema.scalars import BigInt

T = TypeVar("T")


@strawberry.type(name="Finding", description="One thing found in a graph: where, what, and how to mend it.")
class FindingType:
    severity: Severity
    level: ValidationLevel
    code: str
    message: str
    node_id: str | None
    path: list[str]
    remedy: str | None

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Finding)


@dataclass(frozen=True, slots=True)
class Told:
    """A refusal as the value of a payload: GraphQL takes an exception in a list for an error of its own."""

    refusal: Refusal

    @property
    def message(self) -> str:
        return self.refusal.message

    @property
    def code(self) -> ErrorCode:
        return self.refusal.code

    @property
    def path(self) -> Sequence[str] | None:
        return self.refusal.path or None

    @property
    def remedy(self) -> str | None:
        return self.refusal.remedy


_OTHERS = (NotFound, Conflict, Forbidden, QuotaExceeded, InvalidState, IdempotencyMismatch, TooLarge)


def _is(value: object, *kinds: type[Refusal]) -> bool:
    return isinstance(value, Told) and isinstance(value.refusal, kinds)


@strawberry.interface(description="Why a mutation changed nothing.")
class UserError:
    message: str
    code: ErrorCode
    path: list[str] | None = strawberry.field(description="The part of the input it is about.")
    remedy: str | None = strawberry.field(description="What to do about it.")


@strawberry.type(description="The input is not as it must be.")
class ValidationError(UserError):
    @strawberry.field(
        graphql_type=list[FindingType], description="All that is wrong with a graph, an input or a test case."
    )
    @staticmethod
    def findings(root: strawberry.Parent[Told]) -> Sequence[Finding]:
        return root.refusal.findings if isinstance(root.refusal, InvalidGraph | InvalidInput | InvalidCases) else ()

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return _is(value, Refusal) and not _is(value, *_OTHERS)


@strawberry.type(description="There is no such object for this caller.")
class NotFoundError(UserError):
    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return _is(value, NotFound)


@strawberry.type(description="The object has changed since it was read, or a name is taken.")
class ConflictError(UserError):
    @strawberry.field(description="What expectedRevision would be right now.")
    @staticmethod
    def current_revision(root: strawberry.Parent[Told]) -> int | None:
        return root.refusal.current_revision if isinstance(root.refusal, Conflict) else None

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return _is(value, Conflict)


@strawberry.type(description="The caller lacks a permission.")
class ForbiddenError(UserError):
    @strawberry.field
    @staticmethod
    def permission(root: strawberry.Parent[Told]) -> str | None:
        return root.refusal.permission if isinstance(root.refusal, Forbidden) else None

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return _is(value, Forbidden)


@strawberry.type(description="A limit is reached.")
class QuotaError(UserError):
    @strawberry.field(description="Seconds, when waiting helps.")
    @staticmethod
    def retry_after(root: strawberry.Parent[Told]) -> float | None:
        return root.refusal.retry_after if isinstance(root.refusal, QuotaExceeded) else None

    @strawberry.field(graphql_type=QuotaName | None, description="Which of the tenant's quotas it is.")
    @staticmethod
    def quota(root: strawberry.Parent[Told]) -> Quota | None:
        return root.refusal.quota if isinstance(root.refusal, QuotaReached) else None

    @strawberry.field
    @staticmethod
    def limit(root: strawberry.Parent[Told]) -> BigInt | None:
        return BigInt(root.refusal.limit) if isinstance(root.refusal, QuotaReached) else None

    @strawberry.field(description="What there is of it now.")
    @staticmethod
    def used(root: strawberry.Parent[Told]) -> BigInt | None:
        return BigInt(root.refusal.used) if isinstance(root.refusal, QuotaReached) else None

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return _is(value, QuotaExceeded)


@strawberry.type(description="The object is in a state in which this cannot be done.")
class InvalidStateError(UserError):
    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return _is(value, InvalidState)


@strawberry.type(description="The idempotency key was used before for another request.")
class IdempotencyError(UserError):
    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return _is(value, IdempotencyMismatch)


@strawberry.type(description="A document, value or list passes a limit.")
class TooLargeError(UserError):
    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return _is(value, TooLarge)


TYPES = (
    ValidationError,
    NotFoundError,
    ConflictError,
    ForbiddenError,
    QuotaError,
    InvalidStateError,
    IdempotencyError,
    TooLargeError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[T]):
    """What a mutation came to: a value, or why there is none."""

    value: T | None = None
    errors: Sequence[Told] = ()


async def answer(work: Awaitable[T]) -> Answer[T]:
    """The work's value, or the refusal it raised; that nobody is signed in is no error of a payload."""
    try:
        return Answer(value=await work)
    except Unauthenticated:
        raise
    except Refusal as refusal:
        return Answer(errors=(Told(refusal),))


@strawberry.type
class Payload:
    """What every mutation answers besides its value."""

    @strawberry.field(graphql_type=list[UserError], description="Empty when it was done.")
    @staticmethod
    def errors(root: strawberry.Parent[Answer[Any]]) -> Sequence[Told]:
        return root.errors
