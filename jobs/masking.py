"""What of a step's results nobody is to see: changes when a secret may come back in another spelling.

A service may repeat what it was sent, in its answer, an error or a header; a program may say what it tried. Whatever
comes of a step is therefore searched for the secrets of the connections it was given: as they are, as JSON writes them,
percent-encoded, in hexadecimal, and in base64, also in the middle of a longer text such as `user:password`.
"""

import base64
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TypeVar
from urllib.parse import quote, quote_plus

from msgspec.structs import replace

from domain.connections import Connection, Connections
from domain.engine.outcomes import Completed, Ended, Failed, Iterating, LogLine, Outcome
from domain.json import JSON, JSONObject, as_list, is_list

MASK = "•••"
SHORTEST = 4
"""Characters; a shorter secret is in every second text."""
_SHORTEST_ENCODED = 6

T = TypeVar("T")


class Secrets:
    """What must not come back."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._spellings: list[str] = []
        self.add(*values)

    def __bool__(self) -> bool:
        return bool(self._spellings)

    def add(self, *values: str) -> None:
        new = {value for value in values if len(value) >= SHORTEST} - self._known
        if new:
            self._known |= new
            found = {spelling for value in self._known for spelling in _spellings(value)}
            self._spellings = sorted(found, key=len, reverse=True)

    def masked(self, text: str) -> str:
        for spelling in self._spellings:
            text = text.replace(spelling, MASK)
        return text

    def masked_bytes(self, content: bytes) -> bytes:
        for spelling in self._spellings:
            content = content.replace(spelling.encode(), MASK.encode())
        return content

    async def masked_chunks(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same bytes, masked also where a secret goes over from one chunk to the next."""
        held, longest = b"", max((len(spelling.encode()) for spelling in self._spellings), default=1)
        async for chunk in chunks:
            content = self.masked_bytes(held + chunk)
            begin = max(0, len(content) - longest + 1)
            held = content[begin:]
            if begin:
                yield content[:begin]
        if held:
            yield held

    def masked_json(self, value: JSON) -> JSON:
        """Texts in it and the names of members; the value itself where there is nothing to mask."""
        match value:
            case str():
                return self.masked(value)
            case Mapping():
                return {self.masked(name): self.masked_json(member) for name, member in value.items()}
            case _ if is_list(value):
                return [self.masked_json(element) for element in as_list(value)]
            case _:
                return value

    def masked_outcome(self, outcome: Outcome) -> Outcome:
        """All that is written down of it."""
        if not self._spellings:
            return outcome
        match outcome:
            case Completed():
                return replace(
                    outcome,
                    output=self.masked_json(outcome.output),
                    outputs=self._object(outcome.outputs),
                    variables=self._object(outcome.variables),
                    decision=self.masked_json(outcome.decision),
                    logs=self._lines(outcome.logs),
                )
            case Failed():
                return replace(
                    outcome,
                    message=self.masked(outcome.message),
                    remedy=self.masked(outcome.remedy) if outcome.remedy else outcome.remedy,
                    details=self._object(outcome.details),
                    logs=self._lines(outcome.logs),
                )
            case Ended():
                return replace(outcome, message=self.masked(outcome.message), details=self._object(outcome.details))
            case Iterating(items=items) if items is not None:
                return replace(outcome, items=[self.masked_json(item) for item in items])
            case _:
                return outcome

    def _object(self, value: JSONObject) -> dict[str, JSON]:
        return {name: self.masked_json(member) for name, member in value.items()}

    def _lines(self, lines: Iterable[LogLine]) -> tuple[LogLine, ...]:
        return tuple(
            replace(line, message=self.masked(line.message), data=self.masked_json(line.data)) for line in lines
        )


class RememberingConnections:
    """Implements `domain.connections.Connections`: notes the secrets of each connection that a step is given."""

    def __init__(self, connections: Connections, secrets: Secrets) -> None:
        self._connections = connections
        self._secrets = secrets

    async def get(self, name: str) -> Connection:
        connection = await self._connections.get(name)
        self._secrets.add(*connection.secrets.values())
        return connection


@lru_cache(maxsize=1_024)
def _spellings(secret: str) -> frozenset[str]:
    content = secret.encode()
    encoded = {
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        *_percent(secret),
        content.hex(),
        content.hex().upper(),
        *_base64(content),
    }
    return frozenset({secret, *(spelling for spelling in encoded if len(spelling) >= _SHORTEST_ENCODED)})


def _percent(secret: str) -> Iterator[str]:
    for spelling in (quote(secret), quote(secret, safe=""), quote_plus(secret)):
        yield spelling
        yield _lower_escapes(spelling)


def _lower_escapes(spelling: str) -> str:
    head, *rest = spelling.split("%")
    return head + "".join(f"%{part[:2].lower()}{part[2:]}" for part in rest)


def _base64(content: bytes) -> Iterator[str]:
    """By itself, and what of it stays the same wherever it stands in a longer text: three bytes make four letters."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(content).decode()
        for before in range(3):
            letters = encode(bytes(before) + content).decode()
            begin = (8 * before + 5) // 6
            yield letters[begin : 8 * (before + len(content)) // 6]
