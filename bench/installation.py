"""A Weir to measure, as `weir up` starts it: real processes, spoken to as any client does.

Changes when the processes are started, or the API is spoken to, in another way.
"""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process, create_subprocess_exec
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO, cast
from uuid import UUID

import httpx
import orjson

from app.bootstrap import FILE
from app.settings import PROJECT, environment
from bench.processes import cpu_seconds
from bench.results import Bench
from db.connections import EnginePool, engine_pool
from domain.errors import InvalidState
from domain.ids import ExecutionId, WorkflowId, decode, encode
from domain.json import JSON, JSONObject, as_list, as_object

_UP = (sys.executable, "-P", "-m", "app.cli", "up", "--port", "0", "--data-dir")
_PATIENCE = 60.0  # seconds without progress
_CREATE = """
mutation ($input: WorkflowCreateInput!) {
  workflowCreate(input: $input) { errors { message } workflow { id } }
}
"""
_PUBLISH = "mutation ($id: ID!) { workflowPublish(id: $id) { errors { message } } }"
_START_MANY = """
mutation ($inputs: [ExecutionStartInput!]!) {
  executionStartMany(inputs: $inputs) { errors { message } executions { id } }
}
"""
_SERVER_PROCESSES = "SELECT pid FROM pg_stat_activity"
_OPEN = "SELECT count(*) FROM execution WHERE id = ANY ($1::uuid[]) AND finished_at IS NULL"
_FAILED = """
SELECT id, status, error::text FROM execution WHERE id = ANY ($1::uuid[]) AND status <> 'COMPLETED' LIMIT 1
"""


class Unmeasurable(InvalidState):
    """What was to be measured does not work, so a figure would mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """`pool` sees every tenant's rows; `api` and `workers` are process ids; `embedded`: PostgreSQL is here, too."""

    url: str
    api_key: str
    client: httpx.AsyncClient
    pool: EnginePool
    api: int
    workers: Sequence[int]
    embedded: bool

    async def ask(self, query: str, **variables: JSON) -> JSONObject:
        """The data of an operation; raises Unmeasurable when it has errors, of whichever kind."""
        body = orjson.dumps({"query": query, "variables": variables})
        response = await self.client.post("/graphql", content=body, headers={"content-type": "application/json"})
        answer = as_object(cast("JSON", orjson.loads(response.content)))
        data = as_object(answer.get("data"))
        errors = [*as_list(answer.get("errors")), *(e for each in data.values() for e in _errors(each))]
        if errors or not response.is_success:
            raise Unmeasurable(f"The API refused: {errors or response.status_code}")
        return data

    async def publish(self, name: str, graph: JSONObject) -> WorkflowId:
        """A new workflow with an active version; its name gets a suffix, as it may be there from an earlier run."""
        async with asyncio.timeout(_PATIENCE):
            number = await self.pool.fetchval("SELECT count(*) FROM workflow")
            data = await self.ask(_CREATE, input={"name": f"bench {name} {number}", "graph": graph})
            text = str(as_object(as_object(data["workflowCreate"])["workflow"])["id"])
            await self.ask(_PUBLISH, id=text)
        return WorkflowId(decode("workflow", text))

    async def start_many(self, workflow: WorkflowId, inputs: Sequence[JSON]) -> Sequence[ExecutionId]:
        """Up to 1,000 executions in one request."""
        text = encode("workflow", workflow)
        data = await self.ask(_START_MANY, inputs=[{"workflowId": text, "input": each} for each in inputs])
        started = as_list(as_object(data["executionStartMany"])["executions"])
        return [ExecutionId(decode("execution", str(as_object(each)["id"]))) for each in started]

    async def over(self, executions: Sequence[ExecutionId], *, every: float = 0.01) -> None:
        """Return when all are, looking `every` seconds; raises Unmeasurable when one failed or takes a minute."""
        for part in (executions[-50:], executions):  # the last ones began last: the others need no looking at
            await self._none_open(part, every)
        failed = await self.pool.fetchrow(_FAILED, executions)
        if failed is not None:
            raise Unmeasurable(f"An execution ended {failed['status']}: {failed['error']}")

    async def _none_open(self, executions: Sequence[ExecutionId], every: float) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                while True:
                    if not await self.pool.fetchval(_OPEN, executions):
                        return
                    await asyncio.sleep(every)
        except TimeoutError:
            raise Unmeasurable(f"Executions do not end within {_PATIENCE:.0f} s") from None

    async def reach(self, sql: str, argument: Sequence[UUID] | UUID, wanted: int) -> None:
        """Return once a count reaches `wanted`; raises Unmeasurable when it does not grow for a minute."""
        best, patience = -1, asyncio.get_running_loop().time() + _PATIENCE
        while (found := cast("int", await self.pool.fetchval(sql, argument))) < wanted:
            now = asyncio.get_running_loop().time()
            if found > best:
                best, patience = found, now + _PATIENCE
            if now > patience:
                raise Unmeasurable(f"{found} of {wanted} came so far, and no more")
            await asyncio.sleep(0.05)

    async def computed(self) -> Mapping[str, float]:
        """Seconds of computing so far, by process; PostgreSQL's only where it runs on this machine."""
        found = {"the workers": cpu_seconds(self.workers), "the API": cpu_seconds([self.api])}
        if self.embedded:
            rows = await self.pool.fetch(_SERVER_PROCESSES)
            found["PostgreSQL"] = cpu_seconds(cast("int", row["pid"]) for row in rows)
        return found


def _errors(payload: JSON) -> Sequence[JSON]:
    return as_list(payload.get("errors")) if isinstance(payload, dict) else ()


@asynccontextmanager
async def installed(bench: Bench, **settings: str) -> AsyncGenerator[Installation]:
    """API, worker and scheduler on the servers of `bench`; `settings` are WEIR_… variables, in capitals."""
    directory = bench.stack.data_dir
    path = environment().get("PYTHONPATH", "")
    variables = {**environment(), "PYTHONPATH": f"{PROJECT}:{path}".rstrip(":"), **settings}
    with (directory / "bench.log").open("w+b") as said:
        process = await create_subprocess_exec(
            *_UP, str(directory), stdin=DEVNULL, stdout=PIPE, stderr=said, env=variables
        )
        try:
            url = await _ready(process, said)
            async with _connected(bench, url, process.pid) as installation:
                yield installation
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


@asynccontextmanager
async def _connected(bench: Bench, url: str, api: int) -> AsyncGenerator[Installation]:
    key = str(json.loads((bench.stack.data_dir / FILE).read_text())["api_key"])
    pool = await engine_pool(bench.stack.database_url, 4)
    try:
        async with httpx.AsyncClient(
            base_url=url, headers={"x-api-key": key}, timeout=_PATIENCE, trust_env=False
        ) as client:
            yield Installation(
                url=url,
                api_key=key,
                client=client,
                pool=pool,
                api=api,
                workers=await _workers(pool),
                embedded=any(server.name == "PostgreSQL" for server in bench.stack.embedded),
            )
    finally:
        await pool.close()


async def _ready(process: Process, said: IO[bytes]) -> str:
    """The address that the process says it is ready at."""
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_PATIENCE):
            line = (await process.stdout.readline()).decode()
    except TimeoutError:
        line = ""
    word, _, url = line.strip().partition(" ")
    if word != "ready":
        said.seek(0)
        raise Unmeasurable(f"`weir up` did not get ready: {said.read().decode(errors='replace')[-2000:]}")
    return url


async def _workers(pool: EnginePool) -> Sequence[int]:
    try:
        async with asyncio.timeout(_PATIENCE):
            while True:
                rows = await pool.fetch("SELECT pid FROM worker WHERE seen_at > now() - interval '3 seconds'")
                if rows:
                    return [cast("int", row["pid"]) for row in rows]
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise Unmeasurable("No worker came up") from None
