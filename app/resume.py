"""`ANY /resume/{token}`: whoever holds the link continues the step that waits for it."""

import hashlib
from collections.abc import Callable, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.bodies import read_body
from app.problems import problem
from domain.callbacks import read_token
from domain.engine.ports import InboxKind
from domain.errors import InvalidState, NotFound, Refusal
from domain.ids import encode
from domain.inbox import Doorbell, Inbox, Posted
from domain.json import JSON
from domain.sources import Ids
from domain.storable import checked

_LIMIT = 1024 * 1024


class ResumeEndpoint:
    """The wait's value is `{method, query, headers, body}`; answered when it is durable.

    A request that brings an `Idempotency-Key` is delivered once, however often it is sent.
    """

    def __init__(self, *, secrets: Callable[[], Sequence[bytes]], inbox: Inbox, doorbell: Doorbell, ids: Ids) -> None:
        self._secrets = secrets
        self._inbox = inbox
        self._doorbell = doorbell
        self._ids = ids

    async def __call__(self, request: Request) -> Response:
        try:
            return await self._resume(request)
        except Refusal as refusal:
            return problem(refusal)

    async def _resume(self, request: Request) -> Response:
        callback = read_token(self._secrets(), str(request.path_params["token"]))
        body = await read_body(request, limit=_LIMIT)
        query: dict[str, JSON] = dict(request.query_params)
        checked(query, "query")
        value: dict[str, JSON] = {
            "method": request.method,
            "query": query,
            "headers": _harmless(request),
            "body": body,
        }
        given = request.headers.get("idempotency-key")
        key = hashlib.sha256(given.encode()).hexdigest() if given else str(self._ids())
        message: dict[str, JSON] = {"name": callback.signal, "payload": value}
        posted = await self._inbox.post(
            callback.tenant_id, callback.execution_id, InboxKind.SIGNAL, f"{callback.signal}:{key}", message
        )
        execution = encode("execution", callback.execution_id)
        match posted:
            case Posted.MISSING:
                raise NotFound("wait", "behind this link", path=("token",))
            case Posted.FINISHED:
                raise InvalidState(f"The execution {execution} is over; this link leads nowhere any more")
            case Posted.ACCEPTED | Posted.REPEATED:
                await self._doorbell.ring(callback.tenant_id, [callback.execution_id])
        return JSONResponse({"execution": execution, "status": posted.value}, status_code=202)


def _harmless(request: Request) -> dict[str, JSON]:
    """The headers without what proves who somebody is: they are written to the log."""
    secret = {"authorization", "cookie", "proxy-authorization", "x-api-key"}
    return {name: value for name, value in request.headers.items() if name not in secret}
