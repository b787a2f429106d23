"""A real server of OpenAI's chat protocol for tests: checks the key, records what was asked, answers as told."""

import asyncio
import socket
from collections import deque
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from domain.json import JSON, JSONObject

KEY = "sk-secret-of-the-model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    headers: Mapping[str, str]
    body: JSONObject


@dataclass(slots=True)
class ChatServer:
    """`replies` are given in order; `asked` holds every request."""

    port: int = 0
    replies: deque[Response] = field(default_factory=deque[Response])
    asked: list[Asked] = field(default_factory=list[Asked])

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        return f"http://{self.host}/v1"

    def says(
        self, content: str | None, *, finish: str = "stop", refusal: str | None = None, model: str = "tiny-1"
    ) -> None:
        """A reply in the protocol's shape; every one takes 10 tokens to read and 5 to write."""
        message: dict[str, JSON] = {"role": "assistant", "content": content, "refusal": refusal}
        body = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        }
        self.replies.append(JSONResponse(body))

    def fails(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        body = {"error": {"message": message, "type": "error", "param": None, "code": None}}
        self.replies.append(JSONResponse(body, status, headers))

    async def complete(self, request: Request) -> Response:
        self.asked.append(Asked(headers=dict(request.headers), body=await request.json()))
        if request.headers.get("authorization") != f"Bearer {KEY}":
            message = f"Incorrect API key provided: {request.headers.get('authorization', '')[7:]}"
            return JSONResponse({"error": {"message": message, "code": "invalid_api_key"}}, 401)
        return self.replies.popleft()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield  # Ctrl-C belongs to pytest


@asynccontextmanager
async def chat_server() -> AsyncGenerator[ChatServer]:
    chat = ChatServer()
    app = Starlette(routes=[Route("/v1/chat/completions", chat.complete, methods=["POST"])])
    server = _Server(uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1))
    with socket.create_server(("127.0.0.1", 0)) as listener:  # it listens: who comes before the server is ready waits
        chat.port = listener.getsockname()[1]
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield chat
        finally:
            server.should_exit = True
            await serving
