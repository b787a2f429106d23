"""Connections: what a tenant's workflows need to talk to a service, its secrets apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.errors import Conflict
from domain.ids import ConnectionId
from domain.json import JSON, JSONObject
from domain.paging import Page, Place, Slice


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """As a step gets it. `type` says the service (`smtp`, `postgresql`, `http`, …); `settings` are no secrets.

    `secrets` are decrypted and are never to reach a log, an event, an error or an export: hence no `repr`.
    `revision` changes with every change, so id and revision together name what a pool was opened with.
    """

    id: ConnectionId
    name: str
    type: str
    settings: JSONObject = field(default_factory=dict[str, JSON])
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    revision: int = 1


class Connections(Protocol):
    """One tenant's connections, as a step sees them."""

    async def get(self, name: str) -> Connection:
        """By name or by id (`connection_…`). Raises NotFound with a remedy, InvalidState when its secrets cannot be
        decrypted, ConnectionError when the database is away."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedConnection:
    """As people manage it: of the secrets only the names of those that are set, sorted. `revision` counts changes."""

    id: ConnectionId
    name: str
    type: str
    settings: JSONObject = field(default_factory=dict[str, JSON])
    secrets_set: tuple[str, ...] = ()
    revision: int = 1
    created_at: datetime
    created_by: UUID | None = None
    updated_at: datetime
    updated_by: UUID | None = None
    deleted_at: datetime | None = None


class ConnectionNameTaken(Conflict):
    """Another connection of the tenant has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is already a connection named {name!r}", path=("name",), remedy="Choose another name.")


class StaleConnection(Conflict):
    """The connection was changed since the caller read it."""

    def __init__(self, current_revision: int) -> None:
        super().__init__(
            f"The connection has changed: its revision is {current_revision}",
            current_revision=current_revision,
            path=("expectedRevision",),
            remedy="Read it again, apply your change to what is there now, and send that revision.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionFilter:
    """Every part given must hold. `search`: the name contains it, whatever its case. Deleted ones are never found."""

    search: str | None = None
    types: tuple[str, ...] = ()


class ConnectionReader(Protocol):
    """Born with a tenant; another tenant's connections are not there, nor are deleted ones."""

    async def by_ids(self, ids: Sequence[ConnectionId]) -> Sequence[SavedConnection]:
        """Those that exist, in any order."""
        ...

    async def by_name(self, name: str) -> SavedConnection | None: ...

    async def page(self, chosen: ConnectionFilter, page: Page) -> Slice[SavedConnection]:
        """Ordered by name."""
        ...

    async def count(self, chosen: ConnectionFilter) -> int: ...


class ConnectionWriter(Protocol):
    """Born with a tenant. What it is given as secrets it encrypts; it never gives any back."""

    async def insert(self, connection: SavedConnection, secrets: Mapping[str, str]) -> None:
        """Raises ConnectionNameTaken."""
        ...

    async def save(
        self, connection: SavedConnection, secrets: Mapping[str, str | None], *, expected_revision: int
    ) -> None:
        """Write every changeable field and these secrets (None removes one) if the stored revision is the expected one.

        With `deleted_at` set all secrets are erased. Raises StaleConnection, ConnectionNameTaken, NotFound.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of trying a connection out; `message` holds no secret. `ms` is wall time."""

    ok: bool
    message: str
    remedy: str | None = None
    ms: float = 0.0


class ConnectionTester(Protocol):
    """Tries connections out for real: connects, signs in, changes nothing."""

    async def test(self, connection: Connection) -> Tried:
        """Never raises for what the service answers; takes seconds at most."""
        ...


def place(connection: SavedConnection) -> Place:
    """Where the connection stands in a list."""
    return Place(id=connection.id, value=connection.name)
