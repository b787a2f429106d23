"""Tasks that people are asked by the API, and people who answer: changes when either comes about differently."""

from dataclasses import dataclass
from typing import Any

import httpx
import uuid_utils.compat as uuid

from app.clock import utc_now
from db.connections import EnginePool
from db.tasks_desk import PostgresTaskDesk
from domain.access import Role
from domain.ids import ApiKeyId, ExecutionId, encode
from domain.tasks import TaskRequest
from domain.tenancy import Tenant
from tests.api.application import Application, Caller, new_account
from tests.contract.ledger import started

PASSWORD = "correct horse battery staple"
ERRORS = "errors { __typename code message path remedy ... on ConflictError { currentRevision } }"
TASK = """{ status decision output comment decidedBy claimedBy assignees revision
  signature { by algorithm digest } signatureHolds }"""
COMPLETE = f"""mutation ($id: ID!, $output: JSON, $decision: TaskDecision, $comment: String, $password: String!) {{
  taskComplete(id: $id, output: $output, decision: $decision, comment: $comment, signature: {{password: $password}}) {{
    task {TASK} {ERRORS} }} }}"""
UNSIGNED = f"""mutation ($id: ID!, $output: JSON, $decision: TaskDecision, $comment: String) {{
  taskComplete(id: $id, output: $output, decision: $decision, comment: $comment) {{ task {TASK} {ERRORS} }} }}"""
READ = f"query ($id: ID!) {{ task(id: $id) {TASK} }}"
HISTORY = "query ($id: ID!) { task(id: $id) { history { nodes { kind by assignees comment } } } }"


@dataclass(frozen=True, kw_only=True)
class Person(Caller):
    """Somebody who signed in; `id` is their TypeID."""

    id: str
    email: str


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A task that stands in inboxes, and the execution that waits for it."""

    id: str
    execution_id: ExecutionId


async def new_person(api: Application, http: httpx.AsyncClient, tenant: Tenant, role: Role = Role.SERVICE) -> Person:
    """A member who signs in; a SERVICE may complete tasks and manages none."""
    account = await new_account(api.pool, api.passwords, tenant, role, PASSWORD)
    answer = await http.post(
        "/auth/token",
        data={"grant_type": "password", "username": account.email, "password": PASSWORD, "tenant": tenant.slug},
    )
    return Person(
        tenant=tenant,
        key=answer.json()["access_token"],
        key_id=ApiKeyId(account.id),
        http=http,
        id=encode("user", account.id),
        email=account.email,
    )


async def asked(api: Application, tenant: Tenant, *assignees: str, **given: Any) -> Asked:
    """A task of an execution that nobody runs: it waits until it is answered."""
    (execution,) = await started(api.pool, tenant.id)
    await wait_for_people(api.pool, execution)
    desk = PostgresTaskDesk(api.pool, tenant.id, announcer=api.services.task_announcer, ids=uuid.uuid7, clock=utc_now)
    request = TaskRequest(execution_id=execution, path="review", title="Release?", assignees=assignees, **given)
    task = await desk.open(request)
    return Asked(id=encode("task", task.id), execution_id=execution)


async def wait_for_people(pool: EnginePool, execution: ExecutionId) -> None:
    await pool.execute("UPDATE execution SET status = 'WAITING', wants_owner = false WHERE id = $1", execution)


async def completed(caller: Caller, task: Asked, **given: Any) -> Any:
    """The payload of `taskComplete`."""
    query = COMPLETE if "password" in given else UNSIGNED
    return (await caller.data(query, id=task.id, **given))["taskComplete"]


def told(payload: Any) -> list[tuple[str, list[str] | None]]:
    """Which errors, about what."""
    return [(error["__typename"], error["path"]) for error in payload["errors"]]


async def read(caller: Caller, task: Asked) -> Any:
    return (await caller.data(READ, id=task.id))["task"]


async def messages(pool: EnginePool, task: Asked) -> int:
    """How many messages wait for the execution, or were taken by it."""
    return await pool.fetchval(
        """SELECT (SELECT count(*) FROM execution_inbox WHERE execution_id = $1)
                + (SELECT count(*) FROM execution_event WHERE execution_id = $1 AND kind = 'SIGNAL_RECEIVED')""",
        task.execution_id,
    )
