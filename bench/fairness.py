"""What a tenant's flood costs another tenant: from the request to the end of the first step, alone and beside it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import uuid_utils.compat as uuid

from app.bootstrap import new_secret
from bench.installation import Installation, installed
from bench.results import Bench, Result, percentile
from bench.workflows import STEPS, chain
from db.identity import ApiKeys, Tenants
from domain import apikeys
from domain.access import Role
from domain.ids import ExecutionId, TenantId, WorkflowId, decode, encode
from domain.json import as_object
from domain.tenancy import Tenant

TARGET_MS = 100.0
"""What a single execution may take longer beside another tenant's flood."""
FLOOD = 10_000
_PART = 1_000
_WARM = 20
_PAUSE = 0.05  # seconds between two executions of the quiet tenant
_START = """
mutation ($input: ExecutionStartInput!) { executionStart(input: $input) { errors { message } execution { id } } }
"""
_FIRST_STEP = """
SELECT at FROM execution_event WHERE execution_id = $1 AND kind = 'STEP_COMPLETED' ORDER BY seq OFFSET 1 LIMIT 1
"""


async def measure(bench: Bench) -> Sequence[Result]:
    """One quiet tenant starts an execution every moment; then the other one starts 10,000 ten-step executions."""
    async with installed(bench) as loud, _another_tenant(loud) as quiet:
        single, flood = await quiet.publish("single", chain(STEPS)), await loud.publish("flood", chain(STEPS))
        await _sampled(quiet, single, asyncio.create_task(asyncio.sleep(_WARM * _PAUSE)))
        alone = await _sampled(quiet, single, asyncio.create_task(asyncio.sleep(bench.seconds)))
        bench.say(f"fairness: {len(alone)} executions alone, now beside {FLOOD:,} of another tenant")
        flooding = asyncio.create_task(_flood(loud, flood))
        beside = await _sampled(quiet, single, flooding)
        await flooding
    bench.say(f"fairness: {len(beside)} executions beside them")
    return [result for share in (0.5, 0.95, 1.0) for result in _compared(alone, beside, share)]


def _compared(alone: Sequence[float], beside: Sequence[float], share: float) -> Sequence[Result]:
    """Milliseconds beside the flood against those alone, and how much longer that is."""
    name = "slowest" if share == 1.0 else f"p{share * 100:.0f}"
    usual, slowed = percentile(alone, share), percentile(beside, share)
    return [
        Result(name=f"first step beside a flood, {name}", value=slowed, unit="ms", versus="alone", reference=usual),
        Result(name=f"longer by, {name}", value=slowed - usual, unit="ms", versus="the target", reference=TARGET_MS),
    ]


async def _sampled(weir: Installation, workflow: WorkflowId, until: "asyncio.Task[None]") -> Sequence[float]:
    """Milliseconds from the request to the first step's end, one execution after the other until the task is done."""
    sent: list[tuple[ExecutionId, datetime]] = []
    while not until.done():
        at = datetime.now(UTC)
        data = await weir.ask(_START, input={"workflowId": encode("workflow", workflow), "input": {"n": 0}})
        text = str(as_object(as_object(data["executionStart"])["execution"])["id"])
        sent.append((ExecutionId(decode("execution", text)), at))
        await asyncio.sleep(_PAUSE)
    await weir.over([execution for execution, _ in sent])
    ended = [await weir.pool.fetchval(_FIRST_STEP, execution) for execution, _ in sent]
    return [(end - at).total_seconds() * 1000 for end, (_, at) in zip(ended, sent, strict=True)]


async def _flood(weir: Installation, workflow: WorkflowId) -> None:
    """Start them as fast as the API takes them, and return when all are over."""
    executions: list[ExecutionId] = []
    for _ in range(FLOOD // _PART):
        executions += await weir.start_many(workflow, [{"n": 0}] * _PART)
    await weir.over(executions, every=0.1)


@asynccontextmanager
async def _another_tenant(weir: Installation) -> AsyncGenerator[Installation]:
    """The same installation, asked by a new tenant."""
    now = datetime.now(UTC)
    tenant_id = TenantId(uuid.uuid7())
    await Tenants(weir.pool).insert(Tenant(id=tenant_id, slug=f"quiet-{tenant_id.hex}", name="Quiet", created_at=now))
    _, key = await apikeys.create(
        tenant_id=tenant_id,
        name="bench",
        role=Role.DEVELOPER,
        store=ApiKeys(weir.pool),
        ids=uuid.uuid7,
        secret=new_secret,
        now=now,
    )
    async with httpx.AsyncClient(
        base_url=weir.url, headers={"x-api-key": key}, timeout=weir.client.timeout, trust_env=False
    ) as client:
        yield replace(weir, api_key=key, client=client)
