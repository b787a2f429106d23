"""The life of a connection: create, update, delete, try out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from domain.connections import (
    ConnectionReader,
    Connections,
    ConnectionTester,
    ConnectionWriter,
    SavedConnection,
    StaleConnection,
    Tried,
)
from domain.connections_check import checked_name, checked_secrets, checked_settings, refuse_stray_characters, type_of
from domain.errors import NotFound
from domain.ids import ConnectionId, encode
from domain.json import JSON, JSONObject
from domain.sources import Ids
from domain.tenancy import Principal

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConnection:
    """`secrets`: texts by name, as they came from outside; never shown again."""

    name: str
    type: str
    settings: JSONObject = field(default_factory=dict[str, JSON])
    secrets: Mapping[str, JSON] = field(default_factory=dict[str, JSON], repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionChange:
    """What to change; None leaves a part as it is. Settings are replaced whole.

    `secrets`: those not named are kept, null removes one.
    """

    name: str | None = None
    settings: JSONObject | None = None
    secrets: Mapping[str, JSON] = field(default_factory=dict[str, JSON], repr=False)


async def load(connection_id: ConnectionId, reader: ConnectionReader) -> SavedConnection:
    """The connection; raises NotFound."""
    found = await reader.by_ids([connection_id])
    if not found:
        raise NotFound("connection", encode("connection", connection_id))
    return found[0]


async def create(
    new: NewConnection, *, by: Principal, writer: ConnectionWriter, ids: Ids, now: datetime
) -> SavedConnection:
    """Raises Invalid, InvalidConnection, TooLarge, ConnectionNameTaken."""
    kind = type_of(new.type)
    secrets = {name: text for name, text in checked_secrets(new.secrets).items() if text is not None}
    refuse_stray_characters(kind, secrets)
    connection = SavedConnection(
        id=ConnectionId(ids()),
        name=checked_name(new.name),
        type=kind.name,
        settings=checked_settings(kind, new.settings, secrets.keys()),
        secrets_set=tuple(sorted(secrets)),
        created_at=now,
        created_by=by.actor.user_id,
        updated_at=now,
        updated_by=by.actor.user_id,
    )
    await writer.insert(connection, secrets)
    return connection


async def update(
    connection_id: ConnectionId,
    change: ConnectionChange,
    expected_revision: int | None,
    *,
    by: Principal,
    reader: ConnectionReader,
    writer: ConnectionWriter,
    now: datetime,
) -> SavedConnection:
    """The changed connection, its revision one higher; steps that begin from now on use it.

    Raises NotFound, Invalid, InvalidConnection, TooLarge, ConnectionNameTaken, and StaleConnection when it is no
    longer what the caller read.
    """
    secrets = checked_secrets(change.secrets)

    def changed(current: SavedConnection) -> SavedConnection:
        kind = type_of(current.type)
        refuse_stray_characters(kind, secrets)
        names = {name for name in (*current.secrets_set, *secrets) if secrets.get(name, "kept") is not None}
        settings = current.settings if change.settings is None else change.settings
        return replace(
            current,
            name=current.name if change.name is None else checked_name(change.name),
            settings=checked_settings(kind, settings, names),
            secrets_set=tuple(sorted(names)),
        )

    return await _saved(
        connection_id, changed, secrets, expected_revision, by=by, reader=reader, writer=writer, now=now
    )


async def delete(
    connection_id: ConnectionId, *, by: Principal, reader: ConnectionReader, writer: ConnectionWriter, now: datetime
) -> SavedConnection:
    """What was deleted; its secrets are erased and its name is free. Raises NotFound."""
    return await _saved(
        connection_id,
        lambda current: replace(current, secrets_set=(), deleted_at=now),
        {},
        None,
        by=by,
        reader=reader,
        writer=writer,
        now=now,
    )


async def test(
    connection_id: ConnectionId, *, reader: ConnectionReader, connections: Connections, tester: ConnectionTester
) -> Tried:
    """Try it out as it is stored. Raises NotFound, and InvalidState when its secrets cannot be decrypted."""
    await load(connection_id, reader)
    return await tester.test(await connections.get(encode("connection", connection_id)))


async def _saved(
    connection_id: ConnectionId,
    changed: Callable[[SavedConnection], SavedConnection],
    secrets: Mapping[str, str | None],
    expected_revision: int | None,
    *,
    by: Principal,
    reader: ConnectionReader,
    writer: ConnectionWriter,
    now: datetime,
) -> SavedConnection:
    """Apply `changed` to what is stored and save it; a concurrent change is no error unless a revision was expected."""
    for attempt in range(_ATTEMPTS):
        current = await load(connection_id, reader)
        if expected_revision not in (None, current.revision):
            raise StaleConnection(current.revision)
        new = changed(current)
        if new == current and not secrets:
            return current
        new = replace(new, revision=current.revision + 1, updated_at=now, updated_by=by.actor.user_id)
        try:
            await writer.save(new, secrets, expected_revision=current.revision)
        except StaleConnection:
            if expected_revision is not None or attempt == _ATTEMPTS - 1:
                raise
        else:
            return new
    raise AssertionError("the last attempt returns or raises")
