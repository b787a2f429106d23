"""A Weir that serves, as its callers see it: changes when its start, its sign-in or a transport does."""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.acceptance.cluster import until
from tests.acceptance.commands import Command, started

IMPORT = """mutation ($document: String!) {
  workflowImport(format: YAML, document: $document) { workflow { id } errors { code message } } }"""
PUBLISH = "mutation ($workflow: ID!) { workflowPublish(id: $workflow) { errors { code message } } }"
START = """mutation ($workflow: ID!, $input: JSON, $mode: ExecutionMode!) {
  executionStart(input: { workflowId: $workflow, input: $input, mode: $mode, timeout: 25 }) {
    timedOut execution { id status output } errors { code message }
  } }"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The API at `url`, for the holder of `key`."""

    url: str
    key: str

    async def data(self, query: str, **variables: object) -> Any:
        """The data of an operation in which nothing went wrong."""
        async with httpx.AsyncClient(timeout=30, headers={"X-API-Key": self.key}) as client:
            answer = await client.post(f"{self.url}/graphql", json={"query": query, "variables": variables})
        body = answer.json()
        assert (answer.status_code, body.get("errors")) == (200, None), body
        return body["data"]

    async def results(self, query: str, **variables: object) -> list[Any]:
        """All data of a subscription, over a WebSocket, until it ends by itself."""
        address = self.url.replace("http", "ws", 1) + "/graphql"
        found: list[Any] = []
        async with asyncio.timeout(30), connect(address, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:
            await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": self.key}}))
            assert json.loads(await socket.recv())["type"] == "connection_ack"
            operation = {"query": query, "variables": variables}
            await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": operation}))
            while (message := json.loads(await socket.recv()))["type"] == "next":
                assert "errors" not in message["payload"], message
                found.append(message["payload"]["data"])
            assert message == {"id": "1", "type": "complete"}
        return found

    async def published(self, document: str) -> str:
        """The id of a workflow that is active, from a YAML document."""
        imported = (await self.data(IMPORT, document=document))["workflowImport"]
        assert imported["errors"] == []
        workflow: str = imported["workflow"]["id"]
        published = await self.data(PUBLISH, workflow=workflow)
        assert published["workflowPublish"]["errors"] == []
        return workflow

    async def outcome(self, workflow: str, value: object) -> Any:
        """The output of an execution of the workflow, which completes."""
        answer = (await self.data(START, workflow=workflow, input=value, mode="SYNC"))["executionStart"]
        assert (answer["errors"], answer["timedOut"]) == ([], False)
        assert answer["execution"]["status"] == "COMPLETED"
        return answer["execution"]["output"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    command: Command
    data_dir: Path

    @property
    def url(self) -> str:
        """As its ready line says."""
        return self.command.stdout.removeprefix("ready ").rstrip()

    @property
    def credentials(self) -> Mapping[str, str]:
        return json.loads((self.data_dir / "credentials.json").read_text())

    @property
    def api(self) -> Api:
        return Api(url=self.url, key=self.credentials["api_key"])


@asynccontextmanager
async def served(data_dir: Path, *options: str, **environment: str) -> AsyncGenerator[Served]:
    """`weir up` on a free port, ready; stopped at the end unless it has been."""
    async with started("up", "--port", "0", "--data-dir", data_dir, *options, **environment) as command:
        await command.says("ready http://")
        yield Served(command=command, data_dir=data_dir)
        if command.process.returncode is None:
            command.send(signal.SIGTERM)
            assert (await command.ended()).status == 0


@dataclass(slots=True, kw_only=True)
class Front:
    """An API without workers that may be killed: who asks it asks until there is an answer."""

    data_dir: Path
    _served: Served | None = None
    _running: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def serves(self) -> bool:
        return self._served is not None

    @property
    def api(self) -> Api:
        """As it is now, not to outlive it."""
        assert self._served is not None
        return self._served.api

    async def start(self) -> None:
        self._served = await self._running.enter_async_context(served(self.data_dir, "--workers", "0"))

    async def kill(self) -> None:
        """With -9; returns when it is gone. Another one has to be started."""
        killed, self._served = self._served, None
        if killed is not None:
            killed.command.send(signal.SIGKILL)
            await killed.command.process.wait()

    async def data(self, query: str, **variables: object) -> Any:
        """The data of an operation that may be repeated."""

        async def answer() -> Any:
            if self._served is None:
                raise ConnectionError("there is no API just now")
            try:
                return await self._served.api.data(query, **variables)
            except (httpx.HTTPError, AssertionError) as error:
                raise ConnectionError(str(error) or type(error).__name__) from error

        return await until("the API answers", 40, answer)

    async def end(self) -> None:
        await self._running.aclose()
