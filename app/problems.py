"""Refusals as problem+json (RFC 9457): the one map for everything that is not GraphQL."""

import math

from starlette.responses import JSONResponse, Response

from domain.errors import ErrorCode, QuotaExceeded, Refusal

STATUS = {
    ErrorCode.VALIDATION: 422,
    ErrorCode.INVALID_ID: 400,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.CONFLICT: 409,
    ErrorCode.IDEMPOTENCY_MISMATCH: 409,
    ErrorCode.INVALID_STATE: 409,
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.QUOTA_EXCEEDED: 429,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.TOO_LARGE: 413,
}


def unavailable() -> Response:
    """A server behind this one does not answer; nothing was done."""
    body = {"type": "about:blank", "title": "The server cannot do this now", "status": 503, "code": "UNAVAILABLE"}
    return JSONResponse(body, 503, headers={"Retry-After": "5"}, media_type="application/problem+json")


def problem(refusal: Refusal) -> Response:
    """`{type, title, status, code, path?, remedy?}`."""
    status = STATUS[refusal.code]
    body: dict[str, object] = {
        "type": "about:blank",
        "title": refusal.message,
        "status": status,
        "code": refusal.code.value,
    }
    if refusal.path:
        body["path"] = list(refusal.path)
    if refusal.remedy:
        body["remedy"] = refusal.remedy
    headers: dict[str, str] = {}
    if refusal.code is ErrorCode.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(refusal, QuotaExceeded) and refusal.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(refusal.retry_after)))
    return JSONResponse(body, status, headers=headers, media_type="application/problem+json")
