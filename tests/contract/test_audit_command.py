"""`weir audit`: what it prints, what it ends with, and what the lines it prints are good for."""

import asyncio
import base64
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from uuid import UUID

import pytest

from app.audit_checkpoints import read, written
from app.keyring import audit_seal
from app.master_keys import MasterKeys
from app.settings import PROJECT
from app.stack import Stack
from db.audit import PostgresAuditAppender
from db.connections import EnginePool
from domain.audit_chain import GENESIS, chained
from domain.errors import Invalid
from domain.ids import TenantId
from tests.contract.test_audit import AT, CHANGED, RECORD, clock, tamper

MASTER_KEY = b"0123456789abcdef0123456789abcdef"
SEAL = audit_seal(MasterKeys.of(MASTER_KEY))


@pytest.fixture
def environment(database: str, stack: Stack, tmp_path: Path) -> dict[str, str]:
    named = {
        "WEIR_DATABASE_URL": database,
        "WEIR_REDIS_URL": stack.redis_url,
        "WEIR_MASTER_KEY": base64.b64encode(MASTER_KEY).decode(),
        "WEIR_DATA_DIR": str(tmp_path / "data"),
    }
    return {**os.environ, **named}


async def weir(environment: dict[str, str], *arguments: str) -> tuple[int | None, list[str]]:
    """Its status and the lines that it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.cli", "audit", *arguments, cwd=PROJECT, env=environment, stdout=PIPE
    )
    printed, _ = await process.communicate()
    return process.returncode, printed.decode().splitlines()


async def test_it_says_where_a_log_was_tampered_with_and_ends_with_status_1(
    database: str, engine_pool: EnginePool, tenant: TenantId, environment: dict[str, str]
) -> None:
    writer = PostgresAuditAppender(engine_pool, seal=SEAL, clock=clock)
    for _ in range(3):
        await writer.append(tenant, RECORD)
    slug = tenant.hex

    assert await weir(environment, "verify", "--tenant", slug) == (0, [f"{slug}: 3 entries, as they were written"])

    await tamper(database, f"UPDATE audit_entry SET action = 'x' WHERE tenant_id = '{tenant}' AND seq = 2")
    assert await weir(environment, "verify", "--tenant", slug) == (
        1,
        [f"{slug}: entry 2: {CHANGED}", f"{slug}: 3 entries, TAMPERED WITH"],
    )


async def test_a_line_kept_elsewhere_finds_what_was_cut_off_with_its_checkpoint(
    database: str, engine_pool: EnginePool, tenant: TenantId, environment: dict[str, str], tmp_path: Path
) -> None:
    await PostgresAuditAppender(engine_pool, seal=SEAL, clock=clock).append(tenant, RECORD)
    slug, kept = tenant.hex, tmp_path / "checkpoints"
    status, lines = await weir(environment, "checkpoint", "--tenant", slug)
    kept.write_text("\n".join(lines))
    await tamper(
        database,
        f"DELETE FROM audit_entry WHERE tenant_id = '{tenant}'",
        f"DELETE FROM audit_checkpoint WHERE tenant_id = '{tenant}'",
    )

    verdict = await weir(environment, "verify", "--tenant", slug, "--kept", str(kept))

    assert (status, len(lines)) == (0, 1)
    assert verdict == (1, [f"{slug}: entry 1: entry 1 is missing from the end", f"{slug}: 0 entries, TAMPERED WITH"])


async def test_a_tenant_that_is_not_there_is_refused_with_status_2(environment: dict[str, str]) -> None:
    assert await weir(environment, "verify", "--tenant", "nobody") == (2, [])


def test_a_checkpoint_is_read_as_it_was_written_and_nothing_else_is() -> None:
    tenant_id = TenantId(UUID(int=7))
    made = SEAL.checkpoint(chained(tenant_id, 7, RECORD, actor_name="Ada", previous=GENESIS), AT)

    assert read(written(made)) == made
    for line in ("", "a b c d e", written(made).replace("tenant_", "user_"), f"{written(made)} more"):
        with pytest.raises(Invalid, match="is no checkpoint"):
            read(line)
