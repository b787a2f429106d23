"""A storm: executions begin and are answered while processes are killed; changes when something else is to die."""

import asyncio
import signal
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from redis.exceptions import RedisError

from app.stack import Stack
from db.inbox import PostgresInbox
from domain.engine.ports import InboxKind
from domain.ids import ExecutionId, TenantId, decode
from domain.inbox import Doorbell
from domain.json import JSONObject
from tests.acceptance.cluster import Worker, Workers, flush_redis, kill_redis, until
from tests.acceptance.served import Front
from tests.acceptance.storm_flows import FAMILY, PATIENCE, ROUNDS, THOUSANDS, UNDO, entered, is_approved

WORKERS = 3
_PATIENCE = 5
"""How often a process is started that does not begin."""
WAVE = (*[ROUNDS.name] * 3, *[FAMILY.name] * 2, *[UNDO.name] * 3, *["Questions"] * 2, PATIENCE.name)
"""What begins together."""
START = """mutation ($inputs: [ExecutionStartInput!]!) {
  executionStartMany(inputs: $inputs) { executions { id } errors { code message } } }"""
TASKS = "{ tasks(first: 100, filter: {status: [OPEN]}) { nodes { id title data } } }"
COMPLETE = """mutation ($id: ID!, $decision: TaskDecision, $output: JSON) {
  taskComplete(id: $id, decision: $decision, output: $output) { errors { code message } } }"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An execution, and what it was begun with."""

    id: ExecutionId
    workflow: str
    n: int


@dataclass(slots=True, kw_only=True)
class Storm:
    """`workflows`: their ids by name. `random` draws all that is left to chance."""

    random: Random
    stack: Stack
    workers: Workers
    front: Front
    tenant_id: TenantId
    doorbell: Doorbell
    workflows: dict[str, str]
    begun: list[Begun] = field(default_factory=list[Begun])
    alive: list[Worker] = field(default_factory=list[Worker])
    dead: list[Worker] = field(default_factory=list[Worker])
    _errands: list[asyncio.Task[None]] = field(default_factory=list["asyncio.Task[None]"])

    # What harms

    async def blow(self, seconds: float) -> None:
        """Kill something every second or two."""
        loop = asyncio.get_running_loop()
        limit = loop.time() + seconds
        harms = [self._kill_worker] * 6 + [self._kill_api] * 2 + [self._flush_redis, self._kill_redis]
        while loop.time() < limit:
            await asyncio.sleep(self.random.uniform(0.2, 1.4))
            await self.random.choice(harms)()
        await asyncio.gather(*self._errands)  # everything stands again, and every signal is sent

    async def _kill_worker(self) -> None:
        if not self.alive:
            return
        victim = self.alive.pop(self.random.randrange(len(self.alive)))
        victim.send(signal.SIGKILL)
        self.dead.append(victim)
        self._do(self.hire())

    async def _kill_api(self) -> None:
        if self.front.serves:
            await self.front.kill()
            self._do(self.open())

    async def _flush_redis(self) -> None:
        with suppress(RedisError):  # it was killed and is not back yet
            await flush_redis(self.stack)

    async def _kill_redis(self) -> None:
        with suppress(RedisError):
            await kill_redis(self.stack)

    async def hire(self) -> None:
        """One more worker; one that found no servers when it began is started again, as its supervisor would."""
        for _ in range(_PATIENCE):
            with suppress(AssertionError):
                self.alive.append(await self.workers.start(capacity=60, steps=40))
                return
        raise AssertionError("no worker begins")

    async def open(self) -> None:
        """The API serves again, in the same way."""
        for _ in range(_PATIENCE):
            with suppress(AssertionError):
                await self.front.start()
                return
        raise AssertionError("no API begins")

    def _do(self, errand: Coroutine[Any, Any, None]) -> None:
        self._errands.append(asyncio.ensure_future(errand))

    # What goes on meanwhile

    async def begin_waves(self, count: int, pause: float) -> None:
        """One of thousands of iterations, and then one wave after another."""
        await self.begin([THOUSANDS.name])
        for _ in range(count):
            await self.begin(WAVE)
            await asyncio.sleep(pause)

    async def begin(self, names: Sequence[str]) -> None:
        """One execution of each, in one commit; repeated under the same keys as often as it takes."""
        first = len(self.begun)
        given = [(name, first + at) for at, name in enumerate(names)]
        inputs = [
            {"workflowId": self.workflows[name], "input": {"n": n}, "idempotencyKey": f"{name} {n}"}
            for name, n in given
        ]
        payload = (await self.front.data(START, inputs=inputs))["executionStartMany"]
        assert payload["errors"] == []
        ids = [ExecutionId(decode("execution", each["id"])) for each in payload["executions"]]
        new = [Begun(id=id, workflow=name, n=n) for id, (name, n) in zip(ids, given, strict=True)]
        self.begun += new
        for each in new:
            if each.workflow == PATIENCE.name:
                self._do(self._knock(each))

    async def _knock(self, at: Begun) -> None:
        """Twice: the first time it may come before anybody listens, the second time when somebody does."""
        for number in (1, 2):
            await self._signal(at, number)
            await asyncio.sleep(self.random.uniform(0.0, 4.0))

    async def _signal(self, at: Begun, number: int) -> None:
        payload: JSONObject = {"name": "knock", "payload": number, "by": "somebody"}
        inbox = PostgresInbox(self.workers.pool)

        async def posted() -> object:
            return await inbox.post(self.tenant_id, at.id, InboxKind.SIGNAL, f"knock {number}", payload)

        await until("a signal is taken", 20, posted)
        await self.doorbell.ring(self.tenant_id, [at.id])

    async def answer(self) -> None:
        """Answer every question as it comes, some of them twice; never returns."""
        while True:
            for task in (await self.front.data(TASKS))["tasks"]["nodes"]:
                n = task["data"]["n"]
                answer = {"output": entered(n)}
                if task["title"] == "First":
                    answer = {"decision": "APPROVED" if is_approved(n) else "REJECTED"}
                for _ in range(self.random.choice((1, 1, 2))):
                    payload = (await self.front.data(COMPLETE, id=task["id"], **answer))["taskComplete"]
                    assert payload["errors"] == []
            await asyncio.sleep(0.2)

    async def over(self, seconds: float) -> tuple[list[ExecutionId], float]:
        """All executions, children too, once every one has ended, and how long that took."""
        began = asyncio.get_running_loop().time()
        query = "SELECT id FROM execution WHERE tenant_id = $1 AND finished_at IS NULL"

        async def ended() -> bool:
            return not await self.workers.pool.fetch(query, self.tenant_id)

        await until("every execution is over", seconds, ended)
        every = "SELECT id FROM execution WHERE tenant_id = $1 ORDER BY id"
        took = asyncio.get_running_loop().time() - began
        return [row["id"] for row in await self.workers.pool.fetch(every, self.tenant_id)], took
