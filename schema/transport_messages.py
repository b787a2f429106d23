"""The messages of graphql-transport-ws: changes when the protocol does.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md; checked as strictly as by its reference server.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

import orjson

JSONObject: TypeAlias = Mapping[str, Any]


class Violation(Exception):
    """The client broke the protocol: the socket is closed with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionInit:
    payload: JSONObject = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    payload: JSONObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    id: str
    query: str
    variables: JSONObject | None = None
    operation_name: str | None = None
    extensions: JSONObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Complete:
    id: str


ClientMessage: TypeAlias = ConnectionInit | Ping | Pong | Subscribe | Complete


def read(text: str) -> ClientMessage:
    """Raises Violation (4400) for whatever is no message of a client."""
    try:
        raw: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Violation(4400, "A message must be valid JSON") from None
    message = _Fields("The message", _object("The message", raw))
    match message.text("type"):
        case "connection_init":
            return ConnectionInit(payload=message.optional_object("payload") or {})
        case "ping":
            return Ping(payload=message.optional_object("payload"))
        case "pong":
            message.optional_object("payload")
            return Pong()
        case "subscribe":
            operation = _Fields("The payload", _object("The payload", message.fields.get("payload")))
            return Subscribe(
                id=message.text("id"),
                query=operation.text("query"),
                variables=operation.optional_object("variables"),
                operation_name=operation.optional_text("operationName"),
                extensions=operation.optional_object("extensions"),
            )
        case "complete":
            return Complete(id=message.text("id"))
        case unknown:
            raise Violation(4400, f"A client sends no message of the type {unknown[:40]!r}")


def next_head(operation_id: str) -> str:
    """What stands before the payload of each `next` message of the operation; after it only `}` is missing."""
    return f'{{"id":{orjson.dumps(operation_id).decode()},"type":"next","payload":'


def _object(name: str, value: object) -> JSONObject:
    if not isinstance(value, dict):
        raise Violation(4400, f"{name} must be an object")
    return cast("Mapping[str, Any]", value)


@dataclass(frozen=True, slots=True)
class _Fields:
    name: str
    fields: JSONObject

    def text(self, name: str) -> str:
        value = self.fields.get(name)
        if not isinstance(value, str) or not value:
            raise Violation(4400, f"{self.name} needs the text {name!r}, not empty")
        return value

    def optional_text(self, name: str) -> str | None:
        value = self.fields.get(name)
        if value is not None and not isinstance(value, str):
            raise Violation(4400, f"{self.name} has {name!r}, which must be a text")
        return value

    def optional_object(self, name: str) -> JSONObject | None:
        value = self.fields.get(name)
        return None if value is None else _object(f"{name!r}", value)
