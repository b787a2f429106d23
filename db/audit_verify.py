"""Changes when whole audit logs are read, to be verified or signed, in another way."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from db.audit_rows import CHECKPOINT_INSERT, checkpoint_of, checkpoint_values, entry_of
from db.connections import EnginePool
from domain.audit import Checkpoint
from domain.audit_chain import Seal
from domain.audit_verify import Fault, Verifier
from domain.ids import TenantId
from domain.sources import Clock

_AT_ONCE = 1_000
_CHECKPOINTS = "SELECT * FROM audit_checkpoint WHERE tenant_id = $1"
_ENTRIES = """
SELECT * FROM audit_entry
WHERE tenant_id = $1 AND seq > $2 ORDER BY seq LIMIT $3
"""
_LAST = """
SELECT * FROM audit_entry
WHERE tenant_id = $1 ORDER BY seq DESC LIMIT 1
"""
_TENANTS = "SELECT id FROM tenant ORDER BY id"


async def tenants(pool: EnginePool) -> Sequence[TenantId]:
    """All of them: the log of one may have been emptied."""
    return [TenantId(row["id"]) for row in await pool.fetch(_TENANTS)]


async def verify(
    pool: EnginePool, tenant_id: TenantId, seal: Seal, kept: Sequence[Checkpoint] = ()
) -> AsyncIterator[Fault | int]:
    """Every fault of the log, as it is found, and at the end how many entries it has.

    `kept`: checkpoints of the tenant that were kept outside the database. Entries appended meanwhile are verified too.
    """
    rows = await pool.fetch(_CHECKPOINTS, tenant_id)
    verifier = Verifier([*map(checkpoint_of, rows), *kept], seal)
    for fault in verifier.forged():
        yield fault
    seen = 0
    while rows := await pool.fetch(_ENTRIES, tenant_id, verifier.entries, _AT_ONCE):
        for row in rows:
            seen += 1
            for fault in _followed(verifier, row):
                yield fault
    for fault in verifier.end():
        yield fault
    yield seen


def _followed(verifier: Verifier, row: Any) -> Iterator[Fault]:
    try:
        entry = entry_of(row)
    except ValueError:
        return verifier.unreadable(row["seq"], bytes(row["hash"]))
    return verifier.follow(entry)


async def sign(pool: EnginePool, tenant_id: TenantId, seal: Seal, clock: Clock) -> Checkpoint | None:
    """A checkpoint at the log's last entry, stored unless there is one already; None for an empty log."""
    row = await pool.fetchrow(_LAST, tenant_id)
    if row is None:
        return None
    checkpoint = seal.checkpoint(entry_of(row), clock())
    await pool.execute(CHECKPOINT_INSERT, *checkpoint_values(checkpoint))
    return checkpoint
