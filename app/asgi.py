"""The routes of the API process: changes when an address is added."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router, WebSocketRoute
from starlette.types import ASGIApp

from app import graphiql
from app.edge import EdgeRules, guarded

Check = Callable[[], object]
Endpoint = Callable[[Request], Awaitable[Response]]

_PATIENCE = 2.0
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the routes lead to, and what stands before them. `checks` are asked by /readyz, each by name.

    `assets`: whether GraphiQL's files are served.
    """

    graphql: ASGIApp
    token: Endpoint
    resume: Endpoint
    checks: Mapping[str, Check]
    files: Sequence[BaseRoute] = ()
    assets: bool = True
    rules: EdgeRules = field(default_factory=EdgeRules)
    middleware: Sequence[Middleware] = ()
    audit: Sequence[BaseRoute] = ()


def application(parts: Parts) -> ASGIApp:
    """Everything one process answers, behind its edge."""

    async def ready(request: Request) -> Response:
        """200 when every server this process stands on answers, else 503 and which does not."""
        answers = {name: await _answers(check) for name, check in parts.checks.items()}
        return JSONResponse(answers, 200 if all(answers.values()) else 503)

    routes: list[BaseRoute] = [
        Route("/", home, methods=["GET"]),
        Route("/healthz", alive, methods=["GET"]),
        Route("/readyz", ready, methods=["GET"]),
        Route("/auth/token", parts.token, methods=["POST"]),
        Route("/resume/{token}", parts.resume, methods=_METHODS),
        *parts.files,
        *parts.audit,
        Route("/graphql", parts.graphql),
        WebSocketRoute("/graphql", parts.graphql),
        *([Mount(graphiql.ASSETS_PATH, graphiql.assets())] if parts.assets else []),
    ]
    # Not Starlette itself, which would answer and log what is unexpected before the edge can.
    app: ASGIApp = ExceptionMiddleware(Router(routes))
    for each in reversed(parts.middleware):
        app = each.cls(app, *each.args, **each.kwargs)
    return guarded(app, parts.rules)


async def home(request: Request) -> Response:
    return RedirectResponse("/graphql")


async def alive(request: Request) -> Response:
    return PlainTextResponse("ok")


async def _answers(check: Check) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE):
            answer = check()
            if inspect.isawaitable(answer):
                await cast("Awaitable[object]", answer)
    except Exception:  # whatever is wrong with it, it is not ready
        return False
    return True
