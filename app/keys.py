"""Keys as an operator handles them: which there are, and how they are replaced while everything runs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from app.clock import utc_now
from app.keyring import key_service, keyring
from app.master_keys import new_master_key
from app.stack import Stack
from db import key_rotation
from db.connections import engine_pool
from domain.json import JSONObject

Say = Callable[[str], None]
Progress = Callable[[str, int, int], None]
"""What is done, how many are, of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownKey:
    """`id` in hexadecimal. `kind`: local, service, or unknown. `data_keys`: how many it has wrapped."""

    id: str
    kind: str
    current: bool
    data_keys: int

    @property
    def known(self) -> bool:
        return self.kind != "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Master keys, the current one first; `stale` secrets wait for their tenant's newest data key."""

    keys: tuple[ShownKey, ...]
    stale: int

    def as_json(self) -> JSONObject:
        keys = [
            {"id": key.id, "kind": key.kind, "current": key.current, "dataKeys": key.data_keys} for key in self.keys
        ]
        return {"masterKeys": keys, "staleSecrets": self.stale}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was done, in a sentence; and what could not be decrypted."""

    said: str
    lost: tuple[str, ...] = ()


async def shown(stack: Stack) -> Shown:
    """Raises WrongSetting."""
    ids = keyring(stack.master_keys(), stack.settings).ids
    service = key_service(stack.settings)
    pool = await engine_pool(stack.database_url, 1)
    try:
        async with pool.acquire() as connection:
            wrapped, stale = await key_rotation.counts(connection), await key_rotation.stale(connection)
    finally:
        await pool.close()
    kinds = {key: "service" if service and key == service.id else "local" for key in ids}
    kinds |= {key: "unknown" for key in sorted(wrapped) if key not in kinds}
    keys = (
        ShownKey(id=key.hex(), kind=kind, current=key == ids[0], data_keys=wrapped.get(key, 0))
        for key, kind in kinds.items()
    )
    return Shown(keys=tuple(keys), stale=stale)


async def rotate_master_key(stack: Stack, say: Say, progress: Progress) -> Report:
    """Every data key under the current master key, a new one where it is in a file and nothing was left to do.

    Raises RotationUnderWay, WrongSetting.
    """
    master_keys = stack.master_keys()
    ring = keyring(master_keys, stack.settings)
    pool = await engine_pool(stack.database_url, 1)
    try:
        async with key_rotation.exclusive(pool) as connection:
            wrapped = await key_rotation.counts(connection)
            if any(key != ring.ids[0] for key in wrapped):
                say("data keys are left that another master key has wrapped: going on with them")
            elif master_keys.file is not None and key_service(stack.settings) is None:
                master_keys.file.put_first(new_master_key())
                say(f"a new master key is the first line of {master_keys.file.path}")
            done = await key_rotation.rewrap(connection, ring, partial(progress, "data keys wrapped"))
    finally:
        await pool.close()
    return Report(said=f"{done.changed} data keys are wrapped anew, by {ring.ids[0].hex()}", lost=done.lost)


async def renew_data_keys(stack: Stack, say: Say, progress: Progress) -> Report:
    """A new data key for every tenant, and its secrets under it; an interrupted run is brought to its end instead.

    Raises RotationUnderWay, WrongSetting.
    """
    ring = keyring(stack.master_keys(), stack.settings)
    pool = await engine_pool(stack.database_url, 1)
    try:
        async with key_rotation.exclusive(pool) as connection:
            if left := await key_rotation.stale(connection):
                say(f"{left} secrets are left of an earlier run: going on with them")
            else:
                say(f"{await key_rotation.renew(connection, ring, utc_now())} tenants have a new data key")
            done = await key_rotation.reencrypt(connection, ring, partial(progress, "secrets encrypted"))
    finally:
        await pool.close()
    return Report(said=f"{done.changed} secrets are encrypted anew", lost=done.lost)
