"""`POST /auth/token`: signing in as OAuth 2.0 (RFC 6749) words it. Changes when a grant is added."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from starlette.background import BackgroundTask
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.origins import origin_of
from app.tokens import Tokens
from domain import sessions, sessions_audit, sessions_kept
from domain.audit import AuditAppender, Origin
from domain.errors import InvalidId, Unauthenticated
from domain.ids import ApiKeyId, decode
from domain.sessions import SignedIn, SignIn
from domain.sessions_kept import MAX_AGENT
from domain.sources import Clock
from domain.throttling import TooManyAttempts

MAX_BODY = 16 * 1024
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class _Refused(Exception):
    """An OAuth 2.0 error response (RFC 6749, section 5.2)."""

    def __init__(self, error: str, description: str, status: int = 400, wait: float | None = None) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status
        self.headers = {**_NO_STORE, **({"Retry-After": f"{wait:.0f}"} if wait is not None else {})}


class TokenEndpoint:
    """`Route("/auth/token", endpoint.answer, methods=["POST"])`."""

    def __init__(self, *, sign_in: SignIn, tokens: Tokens, clock: Clock, audit: AuditAppender) -> None:
        self._sign_in = sign_in
        self._tokens = tokens
        self._clock = clock
        self._audit = audit

    async def answer(self, request: Request) -> Response:
        fields: Mapping[str, str] = {}
        try:
            fields = await _fields(request)
            signed_in = await self._grant(fields, origin_of(request))
        except _Refused as refused:
            body = {"error": refused.error, "error_description": refused.description}
            # After the answer: how long it took must not tell whether there is such an account.
            told = BackgroundTask(self._tell_refused, fields, refused.error, origin_of(request))
            return JSONResponse(body, refused.status, headers=refused.headers, background=told)
        tenant_id, act = sessions_audit.done(fields, signed_in.identity, origin=origin_of(request), now=self._clock())
        await self._audit.append(tenant_id, act)
        return JSONResponse(self._tokens_for(signed_in), headers=_NO_STORE)

    async def _tell_refused(self, fields: Mapping[str, str], error: str, origin: Origin) -> None:
        given, now = self._sign_in, self._clock()
        attempt = await sessions_audit.refused(fields, error, given=given, origin=origin, now=now)
        if attempt is not None:
            await self._audit.append(*attempt)

    async def _grant(self, fields: Mapping[str, str], origin: Origin) -> SignedIn:
        now, given = self._clock(), self._sign_in
        try:
            match fields.get("grant_type"):
                case "password":
                    email, password = _needed(fields, "username"), _needed(fields, "password")
                    slug = fields.get("tenant") or None
                    return await sessions.with_password(
                        email, password, slug, origin=_place(origin), given=given, now=now
                    )
                case "refresh_token":
                    token = _needed(fields, "refresh_token")
                    return await sessions.with_refresh_token(token, origin=_place(origin), given=given, now=now)
                case "client_credentials":
                    key_id = _key_id(_needed(fields, "client_id"))
                    secret = _needed(fields, "client_secret")
                    signed_in = await sessions.with_api_key(key_id, secret, given=given, now=now)
                    return replace(signed_in, identity=signed_in.identity.asking_from(origin.ip))
                case None:
                    raise _Refused("invalid_request", "grant_type is missing")
                case _:
                    grants = "password, refresh_token or client_credentials"
                    raise _Refused("unsupported_grant_type", f"grant_type is {grants}")
        except TooManyAttempts as refusal:
            raise _Refused("slow_down", f"{refusal.message}. {refusal.remedy}", 429, refusal.retry_after) from refusal
        except Unauthenticated as refusal:
            if fields.get("grant_type") == "client_credentials":
                raise _Refused("invalid_client", refusal.message, 401) from refusal
            raise _Refused("invalid_grant", refusal.message) from refusal

    def _tokens_for(self, signed_in: SignedIn) -> dict[str, object]:
        token, expires_at = self._tokens.issue(signed_in.identity)
        answer: dict[str, object] = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": int((expires_at - self._clock()).total_seconds()),
            "tenant": signed_in.identity.tenant.slug,
        }
        if signed_in.refresh_token is not None:
            answer["refresh_token"] = signed_in.refresh_token
        return answer


def _place(origin: Origin) -> sessions_kept.Origin:
    return sessions_kept.Origin(address=origin.ip, user_agent=(origin.user_agent or "")[:MAX_AGENT] or None)


async def _fields(request: Request) -> Mapping[str, str]:
    """The form (or JSON object) of the body, texts only."""
    size = request.headers.get("content-length", "")
    if not size.isdigit() or int(size) > MAX_BODY:
        raise _Refused("invalid_request", f"A body of at most {MAX_BODY} bytes with its length is needed")
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            given: object = json.loads(await request.body())
        except (ValueError, RecursionError) as error:
            raise _Refused("invalid_request", "The body is no JSON") from error
        if not isinstance(given, dict):
            raise _Refused("invalid_request", "The body is no JSON object")
        items = cast("dict[str, object]", given).items()
    else:
        form: FormData = await request.form(max_files=0, max_fields=20)
        items = form.items()
    return {name: value for name, value in items if isinstance(value, str)}


def _needed(fields: Mapping[str, str], name: str) -> str:
    value = fields.get(name)
    if not value:
        raise _Refused("invalid_request", f"{name} is missing")
    return value


def _key_id(text: str) -> ApiKeyId:
    """The id of an API key, with or without its prefix."""
    try:
        return ApiKeyId(decode("apikey", text if "_" in text else f"apikey_{text}"))
    except InvalidId as error:
        raise _Refused("invalid_client", "client_id is the id of an API key", 401) from error
