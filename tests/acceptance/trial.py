"""A trial: many executions of one workflow that calls out, branches, joins, waits; changes when it shall do more."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uuid_utils.compat as uuid

from app.clock import utc_now
from db.connections import EnginePool
from db.inbox import PostgresInbox
from db.starts import PostgresStarts
from domain.engine.events import EventKind
from domain.engine.ports import InboxKind
from domain.executions_prepare import Origin, StartRequest, prepare
from domain.graphs import Definition, Edge, Graph, Node
from domain.ids import ExecutionId, TenantId
from domain.inbox import Doorbell
from domain.json import JSONObject
from domain.versions import Version
from tests.acceptance.cluster import Worker, until

SIZE = 200
CALLS = {"a": "start", "b": "base", "c": "base", "d": "asked"}
"""The steps that call out, and what must have finished before each."""
STEPS = ("start", "a", "base", "b", "c", "both", "pause", "asked", "approval", "d", "done")


def definition(address: str) -> Definition:
    """start > a > base > (b, c) > both > pause > asked > [approval >] d > done"""

    def call(name: str, n: str) -> Node:
        config: JSONObject = {"method": "POST", "url": f"http://{address}/{name}", "body": {"n": n}}
        return Node(id=name, kind="http", config=config)

    output: JSONObject = {"n": "{{ steps.d.output.body.n }}", "approval": "{{ steps.approval.output }}"}
    nodes = (
        Node(id="start", kind="trigger"),
        call("a", "{{ trigger.n }}"),
        Node(id="base", kind="set", config={"values": {"base": "{{ steps.a.output.body.n * 10 }}"}}),
        call("b", "{{ vars.base }}"),
        call("c", "{{ vars.base }}"),
        Node(id="both", kind="merge"),
        Node(id="pause", kind="delay", config={"seconds": 1}),
        Node(id="asked", kind="if", config={"condition": "{{ trigger.asked }}"}),
        Node(id="approval", kind="wait", config={"signal": "approve"}),
        call("d", "{{ steps.b.output.body.n + steps.c.output.body.n }}"),
        Node(id="done", kind="end", config={"output": output}),
    )
    lines = ("start a", "a base", "base b", "base c", "b both", "c both", "both pause", "pause asked", "d done")
    edges = [Edge(source=source, target=target) for source, target in map(str.split, lines)]
    edges.append(Edge(source="asked", target="approval", source_handle="true"))
    edges.append(Edge(source="asked", target="d", source_handle="false"))
    edges.append(Edge(source="approval", target="d"))
    return Definition(graph=Graph(nodes=nodes, edges=tuple(edges)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What one execution was started with. `early`: its approval came before it was asked for."""

    n: int
    asked: bool = False
    early: bool = False

    @property
    def input(self) -> JSONObject:
        return {"n": self.n, "asked": self.asked}

    @property
    def output(self) -> JSONObject:
        """What must come out: a doubling back through the four calls, each of which adds one."""
        return {"n": 2 * (10 * (self.n + 1) + 1) + 1, "approval": {"by": self.n} if self.asked else None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where trials happen: a tenant and its published workflow."""

    pool: EnginePool
    tenant_id: TenantId
    version: Version
    doorbell: Doorbell


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """`given` by execution; all began in one commit."""

    ground: Ground
    given: Mapping[ExecutionId, Given]

    @property
    def ids(self) -> list[ExecutionId]:
        return list(self.given)

    async def spread(self, workers: Sequence[Worker]) -> None:
        """Return when each of them owns something. One ring wakes one worker, whom nobody can choose."""

        async def spread() -> bool:
            await self.ground.doorbell.ring(self.ground.tenant_id, self.ids)
            return all([await self.owned_by(worker) for worker in workers])

        await until("every worker owns something", 5, spread)

    async def reach(self, share: float) -> None:
        """Return when this share of all steps has finished."""
        wanted = share * sum(len(STEPS) - (not given.asked) for given in self.given.values())
        finished = "SELECT count(*) FROM execution_event WHERE execution_id = ANY ($1) AND kind = 'STEP_COMPLETED'"

        async def reached() -> bool:
            return await self.ground.pool.fetchval(finished, self.ids) >= wanted

        await until(f"{share:.0%} of the steps are finished", 30, reached)

    async def end(self, seconds: float = 40) -> None:
        """Return when all are over."""
        open_ones = "SELECT count(*) FROM execution WHERE id = ANY ($1) AND finished_at IS NULL"

        async def over() -> bool:
            return await self.ground.pool.fetchval(open_ones, self.ids) == 0

        await until("every execution is over", seconds, over)

    async def owned_by(self, worker: Worker) -> dict[ExecutionId, int]:
        """What it owns, with the epochs."""
        query = "SELECT id, epoch FROM execution WHERE id = ANY ($1) AND owner = $2"
        return {row["id"]: row["epoch"] for row in await self.ground.pool.fetch(query, self.ids, worker.id)}

    async def approve(self) -> None:
        """Send every signal: the early ones now, each other one once it is waited for."""
        missing = {execution for execution, given in self.given.items() if given.asked}
        waits = "SELECT execution_id FROM execution_event WHERE execution_id = ANY ($1) AND kind = $2 AND path = $3"

        async def sent() -> bool:
            rows = await self.ground.pool.fetch(waits, missing, EventKind.WAITING, "approval")
            waiting = {row["execution_id"] for row in rows}
            ready = [execution for execution in missing if execution in waiting or self.given[execution].early]
            await self._send(ready)
            missing.difference_update(ready)
            return not missing

        await until("every approval is asked for and given", 60, sent)

    async def _send(self, ids: Sequence[ExecutionId]) -> None:
        inbox = PostgresInbox(self.ground.pool)
        for execution in ids:
            payload: JSONObject = {"name": "approve", "payload": {"by": self.given[execution].n}, "by": "somebody"}
            await inbox.post(self.ground.tenant_id, execution, InboxKind.SIGNAL, "approval", payload)
        await self.ground.doorbell.ring(self.ground.tenant_id, ids)


async def started(ground: Ground) -> Trial:
    """Begin `SIZE` executions in one commit: of six, four go straight on, one is approved early and one in its time."""
    given = [Given(n=n, asked=n % 6 in (0, 3), early=n % 6 == 0) for n in range(SIZE)]
    origin = Origin(by="apikey_00000000000000000000000000")
    new = [
        prepare(
            StartRequest(workflow_id=ground.version.workflow_id, input=each.input),
            ground.version,
            origin,
            ids=uuid.uuid7,
            now=utc_now(),
        )
        for each in given
    ]
    await PostgresStarts(ground.pool).insert(ground.tenant_id, new)
    await ground.doorbell.ring(ground.tenant_id, [execution.id for execution in new])
    return Trial(ground=ground, given={execution.id: each for execution, each in zip(new, given, strict=True)})


@asynccontextmanager
async def running_trial(ground: Ground, *workers: Worker) -> AsyncGenerator[Trial]:
    """Executions that have begun, shared by these workers, and their approvals; leaving waits until all are over."""
    trial = await started(ground)
    await trial.spread(workers)
    approving = asyncio.create_task(trial.approve())
    try:
        yield trial
        await approving
        await trial.end()
    finally:
        approving.cancel()
