"""What a single node finds where it runs: connections that were given to it, and files in memory."""

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from domain.connections import Connection
from domain.errors import NotFound
from domain.files import FileRef, file_name
from domain.ids import ConnectionId, ExecutionId, FileId, encode
from domain.json import JSONObject


def connection(
    name: str, *, type: str = "custom", settings: JSONObject | None = None, secrets: Mapping[str, str] | None = None
) -> Connection:
    """A connection as a step gets it."""
    return Connection(
        id=ConnectionId(UUID(int=1)), name=name, type=type, settings=settings or {}, secrets=secrets or {}
    )


class GivenConnections:
    """Implements `domain.connections.Connections`."""

    def __init__(self, connections: Iterable[Connection] = ()) -> None:
        self._by_name = {each.name: each for each in connections}

    async def get(self, name: str) -> Connection:
        if name not in self._by_name:
            raise NotFound("connection", name, path=("connection",))
        return self._by_name[name]


@dataclass(slots=True)
class MemoryFiles:
    """Implements `domain.files.Files`; `kept` holds what was put, by id."""

    kept: dict[FileId, tuple[FileRef, bytes]] = field(default_factory=dict[FileId, tuple[FileRef, bytes]])

    async def put(
        self, name: str, media_type: str, chunks: AsyncIterator[bytes], *, execution_id: ExecutionId | None = None
    ) -> FileRef:
        content = b"".join([chunk async for chunk in chunks])
        reference = FileRef(
            id=FileId(UUID(int=len(self.kept) + 1)),
            name=file_name(name),
            media_type=media_type,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )
        self.kept[reference.id] = (reference, content)
        return reference

    async def open(self, id: FileId) -> tuple[FileRef, AsyncIterator[bytes]]:
        if id not in self.kept:
            raise NotFound("file", encode("file", id))
        reference, content = self.kept[id]
        return reference, _chunks(content)

    def content(self, name: str) -> bytes:
        """The bytes of the one file of this name. Raises ValueError when there is not exactly one."""
        [found] = [content for reference, content in self.kept.values() if reference.name == name]
        return found


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    yield content
