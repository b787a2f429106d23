"""`weir tenant-limits`: what is set for a tenant is shown, holds, and can be taken back."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli_limits import tenant_limits
from app.stack import Stack
from db.connections import EnginePool
from domain.errors import Invalid
from domain.ids import TenantId

Command = Callable[..., Result]


@pytest.fixture
def command(database: str, stack: Stack, tmp_path: Path) -> Command:
    environment = {
        "WEIR_DATABASE_URL": database,
        "WEIR_REDIS_URL": stack.redis_url,
        "WEIR_MASTER_KEY": base64.b64encode(bytes(32)).decode(),
    }

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(tenant_limits, [*arguments, "--data-dir", str(tmp_path)], env=environment)

    return run


def test_quotas_and_rates_are_set_shown_and_taken_back(
    command: Command, engine_pool: EnginePool, tenant: TenantId
) -> None:
    usual = "concurrency: the default (WEIR_TENANT_CONCURRENCY)\nweight: 1\n"
    slug = tenant.hex

    assert command(slug).output == usual
    shown = command(slug, "--quota", "WORKFLOWS=100", "--quota", "RATE_KEY=600", "--quota", "STREAMS=none")
    assert shown.output == usual + "RATE_KEY: 600\nSTREAMS: none\nWORKFLOWS: 100\n"
    assert command(slug, "--quota", "STREAMS=default").output == usual + "RATE_KEY: 600\nWORKFLOWS: 100\n"
    assert command(slug, "--concurrency", "3", "--weight", "2").output.startswith("concurrency: 3\nweight: 2\n")


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("CATS=1", "'CATS' is none of EXECUTIONS_PER_DAY, EXECUTIONS_PER_MONTH, "),
        ("RATE_ADDRESS=1", "'RATE_ADDRESS' is none of "),
        ("STREAMS=many", "'many' is neither a whole number nor `none`."),
        ("STREAMS", "'' is neither a whole number nor `none`."),
    ],
)
def test_what_is_no_quota_is_refused(command: Command, tenant: TenantId, given: str, complaint: str) -> None:
    refused = command(tenant.hex, "--quota", given)

    assert refused.exit_code == 2
    assert complaint in " ".join(refused.output.replace("│", " ").split())


def test_a_number_out_of_range_is_refused(command: Command, tenant: TenantId) -> None:
    refused = command(tenant.hex, "--quota", f"STREAMS={2**62 + 1}")

    assert isinstance(refused.exception, Invalid)
