"""How results are written to JSON: changes when the form of an answer changes."""

import json

import orjson
from graphql import GraphQLError
from strawberry.types import ExecutionResult

from domain.errors import ErrorCode


def encoded(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        # User data may hold whole numbers beyond 64 bits and lone surrogates, which orjson refuses.
        return json.dumps(value, separators=(",", ":")).encode()


def payload(result: ExecutionResult) -> dict[str, object]:
    """The response object; without `data` when the request was refused before it was executed."""
    found: dict[str, object] = {}
    if result.errors:
        found["errors"] = [error.formatted for error in result.errors]
    if not is_refused(result):
        found["data"] = result.data
    if result.extensions:
        found["extensions"] = result.extensions
    return found


def is_refused(result: ExecutionResult) -> bool:
    """Whether nothing was executed: the errors of the executed part of a request have paths."""
    return result.data is None and bool(result.errors) and all(error.path is None for error in result.errors or ())


def is_internal(error: GraphQLError) -> bool:
    return (error.extensions or {}).get("code") == "INTERNAL"


def retry_after(result: ExecutionResult) -> float | None:
    """Seconds until an operation that was refused for its caller's rate may be sent again; None for any other."""
    for error in result.errors or ():
        extensions = error.extensions or {}
        if extensions.get("code") == ErrorCode.RATE_LIMITED:
            return float(extensions.get("retryAfter") or 0)
    return None
