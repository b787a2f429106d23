"""A tenant that has one of everything: changes when there is another kind of object."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx
import uuid_utils.compat as uuid

from app.clock import utc_now
from db.connections import EnginePool
from db.streams import PostgresStreamDesk
from db.tasks_desk import PostgresTaskDesk
from domain.access import Role
from domain.ids import ExecutionId, VersionId, WorkflowId, decode, encode
from domain.starts import NewExecution
from domain.streams import NewMessage
from domain.tasks import TaskRequest
from domain.tenancy import Tenant
from tests.api.application import Application, Caller, new_caller, new_tenant
from tests.api.change_world import PUBLISH, RULE, branched, run
from tests.api.task_world import Person, new_person
from tests.api.test_connections import created as connected
from tests.api.test_environments import environment, promoted
from tests.api.test_files import stored
from tests.api.test_splits import begun, two_versions
from tests.api.test_testcases import saved
from tests.contract.ledger import new_execution, started

TRIGGER = """mutation ($id: ID!) {
  triggerCreate(input: {workflowId: $id, type: EVENT, config: {name: "order.placed"}}) { trigger { id } }
}"""
_LOAD_RUN = """
INSERT INTO load_run (id, tenant_id, workflow_id, version_id, count, concurrency, begins_with, draft, begun, created_at,
    created_by, cancelled_at, cancelled_by, finished_at)
VALUES ($1, $2, $3, $4, 1, 1, '{}', false, 0, now(), 'somebody', now(), 'somebody', now())
"""
_TABLES = """
SELECT c.relname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND a.attname = 'tenant_id' AND NOT a.attisdropped
  AND c.relname NOT LIKE 'audit%'
ORDER BY 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """`ids`: one object's TypeID by prefix. `names`: what is found by a name, by what it is."""

    tenant: Tenant
    person: Person
    ids: Mapping[str, str]
    names: Mapping[str, str]


async def new_world(api: Application, http: httpx.AsyncClient) -> World:
    """Nothing in it moves by itself, whether a worker is there or not; the person may do everything."""
    tenant = await new_tenant(api.pool)
    person = await new_person(api, http, tenant, Role.ADMIN)
    workflow_id = await two_versions(person)
    names = {each: f"{each}-{uuid.uuid7().hex[-12:]}" for each in ("environment", "stream", "connection")}
    await environment(person, names["environment"])
    assert await promoted(person, workflow_id, "default", names["environment"]) == []
    workflow = await person.data("query ($id: ID!) { workflow(id: $id) { name activeVersion { id } } }", id=workflow_id)
    version_id = workflow["workflow"]["activeVersion"]["id"]
    execution_id = await _executions(api.pool, tenant, workflow_id, version_id)
    ids = {
        "tenant": encode("tenant", tenant.id),
        "user": person.id,
        "apikey": encode("apikey", (await new_caller(api.pool, http, tenant)).key_id),
        "workflow": workflow_id,
        "version": version_id,
        "execution": encode("execution", execution_id),
        "trigger": (await run(person, TRIGGER, id=workflow_id))["trigger"]["id"],
        "worker": encode("worker", uuid.uuid7()),
        "connection": (await connected(person, name=names["connection"]))["id"],
        "file": await _file(api.pool, person, execution_id),
        "task": await _task(api, tenant, execution_id),
        "branch": await branched(person, workflow_id),
        "stream": await _stream(api.pool, person, names["stream"]),
        "split": (await begun(person, workflow_id))["id"],
        "testcase": (await saved(person, workflow_id))["id"],
        "loadrun": await _load_run(api.pool, tenant, workflow_id, version_id),
        "session": await _session(person),
        "publishrequest": await _publish_request(person, workflow_id),
    }
    names |= {"workflow": workflow["workflow"]["name"], "user": person.id, "email": person.email}
    return World(tenant=tenant, person=person, ids=ids, names=names)


def missing(prefix: str) -> str:
    """The id of nothing."""
    return encode(prefix, uuid.uuid7())


async def rows(pool: EnginePool, tenant: Tenant) -> Mapping[str, str | None]:
    """A digest of all that is kept for the tenant, by table; but for when its keys were used and what was tried."""
    tables = [row["relname"] for row in await pool.fetch(_TABLES)]
    return {table: await pool.fetchval(_digest(table), tenant.id) for table in tables}


def _digest(table: str) -> str:
    row = "(to_jsonb(t) - 'last_used_at')::text"
    return f"SELECT md5(string_agg({row}, ',' ORDER BY {row})) FROM {table} AS t WHERE tenant_id = $1"


async def _executions(pool: EnginePool, tenant: Tenant, workflow_id: str, version_id: str) -> ExecutionId:
    """One that waits for people; it has a child and a retry, which is a dead letter."""
    workflow, version = WorkflowId(decode("workflow", workflow_id)), VersionId(decode("version", version_id))

    def new(**more: Any) -> NewExecution:
        return replace(new_execution(workflow=workflow), version_id=version, **more)

    execution = new()
    child, retry = new(parent_id=execution.id), new(retry_of=execution.id)
    await started(pool, tenant.id, execution, child, retry)
    await pool.execute("UPDATE execution SET status = 'WAITING', wants_owner = false WHERE tenant_id = $1", tenant.id)
    await pool.execute("UPDATE execution SET status = 'FAILED', finished_at = now() WHERE id = $1", retry.id)
    return execution.id


async def _task(api: Application, tenant: Tenant, execution_id: ExecutionId) -> str:
    desk = PostgresTaskDesk(api.pool, tenant.id, announcer=api.services.task_announcer, ids=uuid.uuid7, clock=utc_now)
    task = await desk.open(TaskRequest(execution_id=execution_id, path="review", title="Release?"))
    return encode("task", task.id)


async def _session(person: Caller) -> str:
    found: Any = await person.data("{ viewer { sessions { id } } }")
    return found["viewer"]["sessions"][0]["id"]


async def _file(pool: EnginePool, person: Caller, execution_id: ExecutionId) -> str:
    """As if a step of the execution had made it."""
    file_id = await stored(person)
    await pool.execute("UPDATE file SET execution_id = $1 WHERE id = $2", execution_id, decode("file", file_id))
    return file_id


async def _publish_request(person: Caller, workflow_id: str) -> str:
    assert (await run(person, RULE, id=workflow_id, needs=True))["errors"] == []
    return (await run(person, PUBLISH, id=workflow_id))["request"]["id"]


async def _stream(pool: EnginePool, person: Caller, name: str) -> str:
    desk = PostgresStreamDesk(pool, person.tenant.id, ids=uuid.uuid7, clock=utc_now)
    await desk.publish(NewMessage(stream=name, payload="hello", published_by="somebody", idempotency_key="1"))
    found: Any = await person.data("query ($name: String!) { stream(name: $name) { id } }", name=name)
    return found["stream"]["id"]


async def _load_run(pool: EnginePool, tenant: Tenant, workflow_id: str, version_id: str) -> str:
    """One that is over: what is under way would be fed."""
    run_id = uuid.uuid7()
    await pool.execute(_LOAD_RUN, run_id, tenant.id, decode("workflow", workflow_id), decode("version", version_id))
    return encode("loadrun", run_id)
