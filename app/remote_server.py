"""Another Weir as its clients reach it: operations over HTTP, many subscriptions over one WebSocket.

Changes when the way we talk to a server changes; what is said is the callers' business.
"""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast
from urllib.parse import urlsplit, urlunsplit

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from domain.errors import Finding, Invalid, InvalidGraph, InvalidState, Refusal, Severity, Unauthenticated
from domain.json import JSON, JSONObject, as_list, as_object

OPERATIONS = 100
"""How many subscriptions a server lets run on one connection."""
_PATIENCE = httpx.Timeout(60, connect=10, pool=None)
_CONNECTIONS = httpx.Limits(max_connections=10)
_LARGEST_MESSAGE = 64 * 1024 * 1024
_NO_ENTRY = (4401, 4403)
_PROTOCOL = Subprotocol("graphql-transport-ws")


class ConnectionLost(Exception):
    """The WebSocket broke, or could not be opened just now; trying again may help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """A result of the subscription `key`."""

    key: str
    data: JSONObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The subscription `key` gives no more results."""

    key: str


class RemoteServer:
    """The API at `address` (`http://host:8000`, with or without `/graphql`), for the holder of `key`."""

    def __init__(self, address: str, key: str) -> None:
        """Raises Invalid for an address that is none."""
        self._url = _endpoint(address)
        self._key = key
        self._http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"},
            timeout=_PATIENCE,
            limits=_CONNECTIONS,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def execute(self, query: str, variables: JSONObject) -> JSONObject:
        """The data of a query or mutation. Raises Unauthenticated, InvalidState for a server that is not there
        or no Weir, Refusal for what it refuses.
        """
        try:
            answer = await self._http.post(self._url, json={"query": query, "variables": variables})
        except httpx.TransportError as error:
            raise self._unreached(error) from error
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            raise _no_entry(self._url)
        body = _parsed(answer.content)
        for error in as_list(body.get("errors")):
            raise _refusal(as_object(error))
        if "data" not in body:
            raise InvalidState(
                f"{self._url} is not the API of Weir: it answers {answer.status_code} {answer.reason_phrase}",
                path=("server",),
                remedy="Give --server the address that `weir up` or `weir serve` prints as ready.",
            )
        return as_object(body["data"])

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator["Connection"]:
        """A WebSocket that has been let in. Raises ConnectionLost, Unauthenticated, InvalidState."""
        socket = await self._open()
        try:
            opened = Connection(socket, self._url)
            await opened.greet(self._key)
            yield opened
        finally:
            await socket.close()

    async def _open(self) -> ClientConnection:
        scheme, *rest = urlsplit(self._url)
        address = urlunsplit(("wss" if scheme == "https" else "ws", *rest))
        try:
            return await connect(address, subprotocols=[_PROTOCOL], max_size=_LARGEST_MESSAGE)
        except InvalidStatus as error:
            status = error.response.status_code
            if status >= 500:
                raise ConnectionLost(f"it answers {status}") from error
            raise InvalidState(f"{self._url} takes no WebSocket: it answers {status}", path=("server",)) from error
        except (OSError, InvalidHandshake) as error:
            raise ConnectionLost(str(error)) from error

    def _unreached(self, error: httpx.TransportError) -> InvalidState:
        what = "did not answer in time" if isinstance(error, httpx.TimeoutException) else "cannot be reached"
        why = f": {error}" if str(error) else ""
        return InvalidState(
            f"{self._url} {what}{why}", path=("server",), remedy="Check --server, and that the server runs."
        )


class Connection:
    """One WebSocket with many subscriptions, each under a key of the caller's choice."""

    def __init__(self, socket: ClientConnection, url: str) -> None:
        self._socket = socket
        self._url = url

    async def greet(self, key: str) -> None:
        """Returns when the server lets the holder of `key` in."""
        await self._send({"type": "connection_init", "payload": {"authorization": key}})
        while (await self._receive()).get("type") != "connection_ack":
            pass

    async def subscribe(self, key: str, query: str, variables: JSONObject) -> None:
        """Raises what `answers` raises."""
        await self._send({"id": key, "type": "subscribe", "payload": {"query": query, "variables": variables}})

    async def answers(self) -> AsyncGenerator[Next | Ended]:
        """What comes for any of the subscriptions; raises ConnectionLost, Unauthenticated, Refusal."""
        while True:
            message = await self._receive()
            key, payload = str(message.get("id")), message.get("payload")
            match message.get("type"):
                case "next":
                    result = as_object(payload)
                    for error in as_list(result.get("errors")):
                        raise _refusal(as_object(error))
                    yield Next(key=key, data=as_object(result.get("data")))
                case "complete":
                    yield Ended(key=key)
                case "error":
                    raise _refusal(as_object(next(iter(as_list(payload)), None)))
                case "ping":
                    await self._send({"type": "pong"})
                case _:
                    pass

    async def _send(self, message: JSONObject) -> None:
        try:
            await self._socket.send(json.dumps(message))
        except ConnectionClosed as error:
            raise self._closed(error) from error

    async def _receive(self) -> JSONObject:
        try:
            return _parsed(await self._socket.recv(decode=False))
        except ConnectionClosed as error:
            raise self._closed(error) from error

    def _closed(self, error: ConnectionClosed) -> Exception:
        code = error.rcvd.code if error.rcvd else None
        if code in _NO_ENTRY:
            return _no_entry(self._url)
        return ConnectionLost(str(error))


def done(payload: JSON) -> JSONObject:
    """The payload of a mutation, when it was carried out; else raises the first of its errors."""
    fields = as_object(payload)
    for error in as_list(fields.get("errors")):
        raise refusal_of(error)
    return fields


def refusal_of(error: JSON) -> Refusal:
    """An error of a mutation's payload as the refusal it was, an invalid graph with all its findings."""
    fields = as_object(error)
    path = [str(part) for part in as_list(fields.get("path"))]
    findings = [finding_of(finding) for finding in as_list(fields.get("findings"))]
    if findings and path == ["graph"]:
        return InvalidGraph(findings)
    return Refusal(str(fields.get("message")), path=path, remedy=_text(fields.get("remedy")))


def _refusal(error: JSONObject) -> Refusal:
    """An error of a GraphQL response as the refusal it was."""
    return refusal_of({**as_object(error.get("extensions")), "message": error.get("message")})


def finding_of(value: JSON) -> Finding:
    """A finding as GraphQL tells it."""
    fields = as_object(value)
    return Finding(
        severity=Severity(str(fields.get("severity"))),
        code=str(fields.get("code")),
        message=str(fields.get("message")),
        node_id=_text(fields.get("nodeId")),
        path=tuple(str(part) for part in as_list(fields.get("path"))),
        remedy=_text(fields.get("remedy")),
    )


def _text(value: JSON) -> str | None:
    return value if isinstance(value, str) else None


def _no_entry(url: str) -> Unauthenticated:
    return Unauthenticated(
        f"{url} does not accept this key",
        path=("key",),
        remedy="Give --key a valid API key; that of `weir up` is in its credentials.json.",
    )


def _endpoint(address: str) -> str:
    """Where the API of the server at `address` is; raises Invalid."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid(
            f"--server {address!r} is no address", path=("server",), remedy="Give a URL such as http://127.0.0.1:8000."
        )
    path = parts.path.rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, path if path.endswith("/graphql") else f"{path}/graphql", "", ""))


def _parsed(content: bytes) -> JSONObject:
    """The object in a response; nothing when it holds none."""
    try:
        return as_object(cast("JSON", json.loads(content)))
    except ValueError:
        return {}
