"""The audit log in the database: its chain, its writers side by side, and what is found of those who tamper with it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest

from db import audit_verify
from db.audit import AuditLog, PostgresAuditAppender
from db.connections import APP_ROLE, Connection, EnginePool, tenant_scope
from domain.audit import AuditActorKind, AuditFilter, AuditObject, AuditOutcome, AuditRecord, Checkpoint, Origin
from domain.audit_chain import CHECKPOINT_EVERY, GENESIS, Seal, chained
from domain.audit_verify import Fault
from domain.ids import TenantId
from domain.paging import Page

pytestmark = pytest.mark.usefixtures("app_db")

AT = datetime(2026, 3, 1, 9, 0, 0, 123456, tzinfo=UTC)
SEAL = Seal([b"k" * 32])
RECORD = AuditRecord(
    at=AT,
    actor_kind=AuditActorKind.USER,
    actor_id="user_01jqv8x2h4e7k9m3n5p6r7s8t9",
    action="workflow.publish",
    object=AuditObject(type="workflow", id="workflow_01jqv8x2h4e7k9m3n5p6r7s8t9"),
    ids=("workflow_01jqv8x2h4e7k9m3n5p6r7s8t9",),
    outcome=AuditOutcome.DONE,
    before={"zeta": 1, "alpha": [1.5, None, "ä 😀"]},
    after={"revision": 12345678901234567890},
    origin=Origin(request_id="r-1", ip="192.0.2.7", user_agent="curl/8"),
)
CHANGED = "it is not as it was written, or not what followed the entry before it"
MADE_ANEW = "it is not the entry that was signed: the chain was made anew"


def clock() -> datetime:
    return AT


def log_of(tenant: TenantId) -> AuditLog:
    return AuditLog(tenant, seal=SEAL, clock=clock)


def appender(pool: EnginePool) -> PostgresAuditAppender:
    return PostgresAuditAppender(pool, seal=SEAL, clock=clock)


async def filled(pool: EnginePool, tenant: TenantId, count: int) -> None:
    """With entries one after the other, each of its own."""
    writer = appender(pool)
    for number in range(1, count + 1):
        await writer.append(tenant, replace(RECORD, origin=Origin(request_id=f"r-{number}")))


async def verified(
    pool: EnginePool, tenant: TenantId, seal: Seal = SEAL, kept: Sequence[Checkpoint] = ()
) -> list[tuple[int, str] | int]:
    found = [each async for each in audit_verify.verify(pool, tenant, seal, kept)]
    return [(each.seq, each.what) if isinstance(each, Fault) else each for each in found]


async def tamper(database: str, *statements: str) -> None:
    """As who owns the tables and takes every guard away."""
    owner: Connection = await asyncpg.connect(database)
    try:
        async with owner.transaction():
            for table in ("audit_entry", "audit_checkpoint"):
                await owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER, NO FORCE ROW LEVEL SECURITY")
            for statement in statements:
                await owner.execute(statement)
            for table in ("audit_entry", "audit_checkpoint"):
                await owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER, FORCE ROW LEVEL SECURITY")
    finally:
        await owner.close()


async def test_an_entry_is_read_as_it_was_written_and_chained_to_the_one_before(
    engine_pool: EnginePool, tenant: TenantId
) -> None:
    await filled(engine_pool, tenant, 1)
    with tenant_scope(tenant):
        async with log_of(tenant).transaction():
            await log_of(tenant).append(RECORD)
        found = await log_of(tenant).page(AuditFilter(), Page(first=10))

    first = chained(tenant, 1, replace(RECORD, origin=Origin(request_id="r-1")), actor_name=None, previous=GENESIS)
    second = chained(tenant, 2, RECORD, actor_name=None, previous=first.hash)
    assert found.items == [second, first]
    assert await verified(engine_pool, tenant) == [2]


async def test_writers_side_by_side_leave_no_gap_and_one_chain(engine_pool: EnginePool, tenant: TenantId) -> None:
    async def in_a_transaction() -> None:
        with tenant_scope(tenant):
            async with log_of(tenant).transaction():
                await log_of(tenant).append(RECORD)

    processes = [appender(engine_pool) for _ in range(4)]
    await asyncio.gather(
        *(process.append(tenant, RECORD) for process in processes for _ in range(25)),
        *(in_a_transaction() for _ in range(20)),
    )

    numbers = await engine_pool.fetch("SELECT seq FROM audit_entry WHERE tenant_id = $1 ORDER BY seq", tenant)
    assert [row["seq"] for row in numbers] == list(range(1, 121))
    assert await verified(engine_pool, tenant) == [120]


async def test_what_is_undone_leaves_neither_an_entry_nor_a_gap(engine_pool: EnginePool, tenant: TenantId) -> None:
    async def broken_off() -> None:
        with tenant_scope(tenant):
            async with log_of(tenant).transaction():
                await log_of(tenant).append(RECORD)
                raise RuntimeError

    await filled(engine_pool, tenant, 1)
    with pytest.raises(RuntimeError):
        await broken_off()
    await filled(engine_pool, tenant, 1)

    assert await verified(engine_pool, tenant) == [2]


async def test_an_entry_is_written_although_nobody_waits_for_it_any_more(
    engine_pool: EnginePool, tenant: TenantId
) -> None:
    writer = appender(engine_pool)
    waiting = asyncio.create_task(writer.append(tenant, RECORD))
    await asyncio.sleep(0)  # it has handed its record over
    waiting.cancel()
    await writer.close()

    assert waiting.cancelled()
    assert await verified(engine_pool, tenant) == [1]


async def test_a_refused_batch_is_told_to_each_who_waits_and_the_next_is_written(
    engine_pool: EnginePool, tenant: TenantId
) -> None:
    writer = appender(engine_pool)
    unstorable = replace(RECORD, action="\x00")

    refused = await asyncio.gather(*(writer.append(tenant, unstorable) for _ in range(2)), return_exceptions=True)
    await writer.append(tenant, RECORD)

    assert [isinstance(each, asyncpg.PostgresError) for each in refused] == [True, True]
    assert await verified(engine_pool, tenant) == [1]


@pytest.mark.parametrize(
    ("statement", "faults"),
    [
        ("UPDATE audit_entry SET action = 'workflow.read' WHERE {t} AND seq = 3", [(3, CHANGED)]),
        ("UPDATE audit_entry SET actor_id = NULL WHERE {t} AND seq = 3", [(3, CHANGED)]),
        ("UPDATE audit_entry SET after = '{{}}' WHERE {t} AND seq = 3", [(3, CHANGED)]),
        ("UPDATE audit_entry SET at = at + interval '1 microsecond' WHERE {t} AND seq = 3", [(3, CHANGED)]),
        (
            "UPDATE audit_entry SET outcome = 'PERHAPS' WHERE {t} AND seq = 3",
            [(3, "it is not as it was written: it cannot be read")],
        ),
        ("DELETE FROM audit_entry WHERE {t} AND seq = 3", [(3, "entry 3 is missing")]),
        ("DELETE FROM audit_entry WHERE {t} AND seq IN (1, 2)", [(1, "entries 1 to 2 are missing")]),
        (
            "DELETE FROM audit_entry WHERE {t} AND seq > 17",
            [(18, f"entries 18 to {CHECKPOINT_EVERY} are missing from the end")],
        ),
        (
            "DELETE FROM audit_entry WHERE {t}",
            [(1, f"entries 1 to {CHECKPOINT_EVERY} are missing from the end")],
        ),
        (
            "UPDATE audit_checkpoint SET signature = sha256(signature) WHERE {t}",
            [(CHECKPOINT_EVERY, "the signature of its checkpoint does not hold")],
        ),
    ],
)
async def test_each_change_and_deletion_is_found_where_it_is(
    database: str, engine_pool: EnginePool, tenant: TenantId, statement: str, faults: list[tuple[int, str]]
) -> None:
    await filled(engine_pool, tenant, CHECKPOINT_EVERY + 1)
    assert await verified(engine_pool, tenant) == [CHECKPOINT_EVERY + 1]

    await tamper(database, statement.format(t=f"tenant_id = '{tenant}'"))

    left = await engine_pool.fetchval("SELECT count(*) FROM audit_entry WHERE tenant_id = $1", tenant)
    assert await verified(engine_pool, tenant) == [*faults, left]


async def test_entries_that_changed_places_are_found(database: str, engine_pool: EnginePool, tenant: TenantId) -> None:
    await filled(engine_pool, tenant, 5)

    await tamper(
        database,
        f"UPDATE audit_entry SET seq = 99 WHERE tenant_id = '{tenant}' AND seq = 2",
        f"UPDATE audit_entry SET seq = 2 WHERE tenant_id = '{tenant}' AND seq = 3",
        f"UPDATE audit_entry SET seq = 3 WHERE tenant_id = '{tenant}' AND seq = 99",
    )

    assert await verified(engine_pool, tenant) == [(2, CHANGED), (3, CHANGED), (4, CHANGED), 5]


async def test_a_gap_that_was_closed_is_found(database: str, engine_pool: EnginePool, tenant: TenantId) -> None:
    await filled(engine_pool, tenant, 3)

    await tamper(
        database,
        f"DELETE FROM audit_entry WHERE tenant_id = '{tenant}' AND seq = 2",
        f"UPDATE audit_entry SET seq = 2 WHERE tenant_id = '{tenant}' AND seq = 3",
    )

    assert await verified(engine_pool, tenant) == [(2, CHANGED), 2]


async def test_a_chain_made_anew_without_the_key_is_found_by_its_checkpoint(
    database: str, engine_pool: EnginePool, tenant: TenantId
) -> None:
    await filled(engine_pool, tenant, CHECKPOINT_EVERY)
    await tamper(database, f"DELETE FROM audit_entry WHERE tenant_id = '{tenant}'")
    forger = PostgresAuditAppender(engine_pool, seal=Seal([b"f" * 32]), clock=clock)

    for _ in range(CHECKPOINT_EVERY):
        await forger.append(tenant, RECORD)

    assert await verified(engine_pool, tenant) == [(CHECKPOINT_EVERY, MADE_ANEW), CHECKPOINT_EVERY]


async def test_a_checkpoint_on_demand_guards_the_newest_entries_and_holds_outside_the_database(
    database: str, engine_pool: EnginePool, tenant: TenantId
) -> None:
    assert await audit_verify.sign(engine_pool, tenant, SEAL, clock) is None
    await filled(engine_pool, tenant, 3)
    made = await audit_verify.sign(engine_pool, tenant, SEAL, clock)
    assert made is not None

    await tamper(database, f"DELETE FROM audit_entry WHERE tenant_id = '{tenant}' AND seq = 3")
    assert await verified(engine_pool, tenant) == [(3, "entry 3 is missing from the end"), 2]

    await tamper(database, f"DELETE FROM audit_checkpoint WHERE tenant_id = '{tenant}'")
    assert await verified(engine_pool, tenant) == [2]
    assert await verified(engine_pool, tenant, kept=[made]) == [(3, "entry 3 is missing from the end"), 2]


async def test_checkpoints_of_an_earlier_key_hold_and_those_of_an_unknown_key_do_not(
    engine_pool: EnginePool, tenant: TenantId
) -> None:
    await filled(engine_pool, tenant, CHECKPOINT_EVERY)

    assert await verified(engine_pool, tenant, Seal([b"n" * 32, b"k" * 32])) == [CHECKPOINT_EVERY]
    assert await verified(engine_pool, tenant, Seal([b"n" * 32])) == [
        (CHECKPOINT_EVERY, "the signature of its checkpoint does not hold"),
        CHECKPOINT_EVERY,
    ]


@pytest.mark.parametrize("table", ["audit_entry", "audit_checkpoint"])
@pytest.mark.parametrize("change", ["UPDATE {} SET seq = seq + 1", "DELETE FROM {}", "TRUNCATE {}"])
async def test_nobody_may_change_or_delete_anything_not_even_the_owner(
    database: str, engine_pool: EnginePool, tenant: TenantId, table: str, change: str
) -> None:
    await filled(engine_pool, tenant, CHECKPOINT_EVERY)
    statement = change.format(table)

    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        await engine_pool.execute(statement)
    settings = {"role": APP_ROLE, "weir.tenant": str(tenant)}
    application: Connection = await asyncpg.connect(database, server_settings=settings)
    owner: Connection = await asyncpg.connect(database)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
            await application.execute(statement)
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await owner.execute(statement)
    finally:
        await application.close()
        await owner.close()
    assert await verified(engine_pool, tenant) == [CHECKPOINT_EVERY]


async def test_a_tenant_reads_its_own_log_alone(engine_pool: EnginePool, tenant: TenantId) -> None:
    await filled(engine_pool, tenant, 1)
    other = TenantId(UUID(int=tenant.int ^ 1))

    with tenant_scope(other):
        assert (await log_of(tenant).page(AuditFilter(), Page(first=10))).items == []
        assert (await log_of(other).page(AuditFilter(), Page(first=10))).items == []
