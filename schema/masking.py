"""What a caller sees of an error: changes when what is told, or kept back, changes.

Refusals and the errors of GraphQL itself are shown, each with a code; anything else is a bug of ours: the
caller gets an id, the log the traceback under the same id, once.
"""

import logging
from uuid import uuid4

from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError

from domain.errors import Conflict, QuotaExceeded, Refusal

logger = logging.getLogger("weir.graphql")


def presented(error: GraphQLError) -> GraphQLError:
    """The error as the caller may see it; logs what is kept back."""
    match error.original_error:
        case Refusal() as refusal:
            return _placed(error, refusal.message, extensions_of(refusal))
        case None | GraphQLError():
            return _coded(error)
        case MissingQueryError() | CannotGetOperationTypeError() | InvalidOperationTypeError():
            return _coded(error)
        case _ if error.path is None and error.nodes:
            return _coded(error)  # a literal or variable that does not fit its type
        case unexpected:
            return _masked(unexpected, error)


def unexpected(exception: Exception) -> GraphQLError:
    """The error for what was raised outside of an execution; refusals are shown here too."""
    return presented(GraphQLError(str(exception), original_error=exception))


def extensions_of(refusal: Refusal) -> dict[str, object]:
    """What a refusal carries besides its message; `path` and `remedy` are left out when there are none."""
    found: dict[str, object] = {"code": refusal.code.value}
    if refusal.path:
        found["path"] = list(refusal.path)
    if refusal.remedy:
        found["remedy"] = refusal.remedy
    match refusal:
        case QuotaExceeded(retry_after=float() | int() as seconds):
            found["retryAfter"] = seconds
        case Conflict(current_revision=int() as revision):
            found["currentRevision"] = revision
        case _:
            pass
    return found


def _coded(error: GraphQLError) -> GraphQLError:
    message = error.message.split(" Did you mean ")[0]  # a suggestion tells names that introspection may deny
    extensions = error.extensions or {}
    if message == error.message and "code" in extensions:
        return error
    return _placed(error, message, {"code": _code(error), **extensions})


def _code(error: GraphQLError) -> str:
    if isinstance(error, GraphQLSyntaxError):
        return "GRAPHQL_PARSE_FAILED"
    return "GRAPHQL_VALIDATION_FAILED" if error.path is None else "BAD_USER_INPUT"


def _masked(exception: Exception, error: GraphQLError) -> GraphQLError:
    error_id = uuid4().hex
    place = ".".join(str(step) for step in error.path or ()) or "the operation"
    logger.error("Unexpected error %s at %s", error_id, place, exc_info=exception)
    return _placed(error, "Internal error", {"code": "INTERNAL", "errorId": error_id})


def _placed(error: GraphQLError, message: str, extensions: dict[str, object]) -> GraphQLError:
    return GraphQLError(message, error.nodes, error.source, error.positions, error.path, extensions=extensions)
