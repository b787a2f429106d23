"""Completing tasks: who may, with which answer, once, and signed where that is asked for."""

import asyncio
from hashlib import sha256
from typing import Any

import httpx
import pytest

from db.connections import EnginePool
from domain.access import Permission, Role
from domain.ids import encode
from domain.storable import canonical
from domain.tasks import TaskKind
from tests.api.application import Application, Caller, new_caller
from tests.api.task_world import (
    ERRORS,
    PASSWORD,
    Asked,
    Person,
    asked,
    completed,
    messages,
    new_person,
    read,
    told,
)

FORM = {
    "type": "object",
    "properties": {"amount": {"type": "number"}, "lines": {"type": "array", "items": {"type": "string"}}},
    "required": ["amount"],
}
READERS = frozenset(Role)
WORKERS = frozenset({Role.ADMIN, Role.DEVELOPER, Role.SERVICE})
OPERATIONS = [
    ("query", "tasks { totalCount }", READERS),
    ("query", "task(id: $id) { title }", READERS),
    ("query", "node(id: $id) { id }", READERS),
    ("mutation", "taskComplete(id: $id, decision: APPROVED) { errors { code } }", WORKERS),
    ("mutation", "taskClaim(id: $id) { errors { code } }", WORKERS),
    ("mutation", "taskUnclaim(id: $id) { errors { code } }", WORKERS),
    ("mutation", 'taskDelegate(id: $id, to: "ada@example.com") { errors { code } }', WORKERS),
    ("mutation", "taskEscalate(id: $id) { errors { code } }", WORKERS),
    ("mutation", 'taskComment(id: $id, text: "x") { errors { code } }', WORKERS),
]


@pytest.fixture
async def ada(api: Application, http: httpx.AsyncClient, developer: Caller) -> Person:
    """A member who may complete tasks and manages none."""
    return await new_person(api, http, developer.tenant)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(("kind", "operation", "may"), OPERATIONS)
async def test_each_operation_is_for_the_roles_that_may_and_changes_nothing_for_others(
    api: Application,
    http: httpx.AsyncClient,
    developer: Caller,
    engine_pool: EnginePool,
    kind: str,
    operation: str,
    may: frozenset[Role],
    role: Role,
) -> None:
    task = await asked(api, developer.tenant, f"role:{role}", escalate_to=("role:admin",))
    before = await read(developer, task)
    caller = await new_caller(engine_pool, http, developer.tenant, role)
    declared = "($id: ID!)" if "$id" in operation else ""

    answer = await caller.ask(f"{kind} {declared} {{ it: {operation} }}", **({"id": task.id} if declared else {}))

    codes = [error["code"] for error in answer["data"]["it"].get("errors", ())]
    assert ("FORBIDDEN" in codes) is (role not in may)
    if role not in may:
        assert await read(developer, task) == before
        assert (await messages(engine_pool, task)) == 0


@pytest.mark.parametrize("query", ["{ tasks { totalCount } }", "subscription { tasks { refetch } }"])
async def test_reading_needs_the_permission(
    api: Application, http: httpx.AsyncClient, developer: Caller, engine_pool: EnginePool, query: str
) -> None:
    scopes = (Permission.EXECUTION_READ,)
    caller = await new_caller(engine_pool, http, developer.tenant, Role.SERVICE, scopes=scopes)
    if query.startswith("subscription"):
        results: Any = await api.schema.subscribe(query, context_value=await api.context(caller.key))
        errors = results.errors if hasattr(results, "errors") else (await anext(results)).errors
        codes = [error.extensions["code"] for error in errors]
    else:
        codes = [error["extensions"]["code"] for error in (await caller.ask(query))["errors"]]

    assert codes == ["FORBIDDEN"]


@pytest.mark.parametrize("by", ["address", "id", "role"])
async def test_whoever_is_assigned_completes_it_once_and_for_all(
    api: Application, ada: Person, engine_pool: EnginePool, by: str
) -> None:
    task = await asked(api, ada.tenant, {"address": ada.email, "id": ada.id, "role": "role:service"}[by])

    done = await completed(ada, task, decision="APPROVED", output={"b": 1, "a": 2}, comment="fine")

    assert done == {
        "task": {
            "status": "COMPLETED",
            "decision": "APPROVED",
            "output": {"b": 1, "a": 2},
            "comment": "fine",
            "decidedBy": ada.id,
            "claimedBy": None,
            "assignees": [{"address": ada.email, "id": ada.id, "role": "role:service"}[by]],
            "revision": 2,
            "signature": None,
            "signatureHolds": None,
        },
        "errors": [],
    }
    assert await read(ada, task) == done["task"]
    assert await messages(engine_pool, task) == 1


async def test_the_same_answer_again_is_the_first_one_and_another_is_refused(
    api: Application, ada: Person, engine_pool: EnginePool
) -> None:
    task = await asked(api, ada.tenant, ada.email)
    first = await completed(ada, task, decision="APPROVED", output=1)

    again = await completed(ada, task, decision="APPROVED", output=1)
    other = await completed(ada, task, decision="REJECTED", output=1)

    assert again == first
    assert told(other) == [("ConflictError", ["id"])]
    assert await messages(engine_pool, task) == 1


async def test_of_two_who_answer_at_once_one_is_told_who_was_first(
    api: Application, http: httpx.AsyncClient, ada: Person, engine_pool: EnginePool
) -> None:
    bob = await new_person(api, http, ada.tenant)
    task = await asked(api, ada.tenant, ada.email, bob.email)

    payloads = await asyncio.gather(
        completed(ada, task, decision="APPROVED"), completed(bob, task, decision="REJECTED")
    )

    (winner,) = [payload["task"] for payload in payloads if payload["task"]]
    ((error,),) = [payload["errors"] for payload in payloads if payload["errors"]]
    assert error == {
        "__typename": "ConflictError",
        "code": "CONFLICT",
        "message": f"{winner['decidedBy']} has already completed this task ({winner['decision'].lower()})",
        "path": ["id"],
        "remedy": "The first answer counts; read the task to see it.",
        "currentRevision": 2,
    }
    assert await read(ada, task) == winner
    assert await messages(engine_pool, task) == 1


async def test_who_is_not_assigned_is_refused_unless_they_manage_tasks(
    api: Application, http: httpx.AsyncClient, ada: Person, developer: Caller, engine_pool: EnginePool
) -> None:
    bob = await new_person(api, http, ada.tenant)
    task, unassigned = await asked(api, ada.tenant, ada.email), await asked(api, ada.tenant)

    refused = [await completed(bob, each, decision="APPROVED") for each in (task, unassigned)]

    assert [told(each) for each in refused] == [[("ForbiddenError", ["id"])]] * 2
    assert (await read(ada, task))["status"] == "OPEN"
    assert await messages(engine_pool, task) == 0
    for each in (task, unassigned):
        assert (await completed(developer, each, decision="APPROVED"))["task"]["status"] == "COMPLETED"


async def test_an_answer_that_does_not_fit_the_form_is_refused_with_the_fields_that_are_wrong(
    api: Application, ada: Person, engine_pool: EnginePool
) -> None:
    task = await asked(api, ada.tenant, ada.email, form=FORM)
    query = """mutation ($id: ID!, $output: JSON) { taskComplete(id: $id, decision: APPROVED, output: $output) {
      task { id } errors { __typename path ... on ValidationError { findings { path message } } } } }"""

    answer = await ada.data(query, id=task.id, output={"lines": ["a", 3]})

    (error,) = answer["taskComplete"]["errors"]
    assert error["__typename"] == "ValidationError"
    assert error["path"] in (["output", "amount"], ["output", "lines", "1"])
    assert sorted((finding["path"], finding["message"]) for finding in error["findings"]) == [
        (["amount"], "amount is missing"),
        (["lines", "1"], "lines.1 should be string, not 3"),
    ]
    assert await messages(engine_pool, task) == 0
    assert told(await completed(ada, task, decision="APPROVED")) == [("ValidationError", ["output"])]
    assert (await completed(ada, task, decision="APPROVED", output={"amount": 3}))["errors"] == []


async def test_who_rejects_may_leave_the_form_empty_but_not_fill_it_in_wrongly(api: Application, ada: Person) -> None:
    task = await asked(api, ada.tenant, ada.email, form=FORM)

    wrong = await completed(ada, task, decision="REJECTED", output={"amount": "much"})
    right = await completed(ada, task, decision="REJECTED")

    assert told(wrong) == [("ValidationError", ["output", "amount"])]
    assert right["task"]["decision"] == "REJECTED"


async def test_an_approval_needs_a_decision_and_a_data_entry_takes_none(api: Application, ada: Person) -> None:
    approval = await asked(api, ada.tenant, ada.email)
    entry = await asked(api, ada.tenant, ada.email, kind=TaskKind.ENTRY, form=FORM)

    undecided = await completed(ada, approval, output=1)
    rejected = await completed(ada, entry, decision="REJECTED", output={"amount": 1})
    entered = await completed(ada, entry, output={"amount": 1})

    assert [told(each) for each in (undecided, rejected)] == [[("ValidationError", ["decision"])]] * 2
    assert (entered["task"]["status"], entered["task"]["decision"]) == ("COMPLETED", "APPROVED")


async def test_too_long_a_comment_and_values_that_cannot_be_stored_are_refused(api: Application, ada: Person) -> None:
    task = await asked(api, ada.tenant, ada.email)

    refused = [
        await completed(ada, task, decision="APPROVED", comment="x" * 10_001),
        await completed(ada, task, decision="APPROVED", output="\0"),
    ]

    assert [told(each) for each in refused] == [
        [("ValidationError", ["comment"])],
        [("ValidationError", ["output"])],
    ]
    assert (await read(ada, task))["status"] == "OPEN"


async def test_another_tenants_task_answers_like_a_missing_one(
    api: Application, ada: Person, stranger: Caller, engine_pool: EnginePool
) -> None:
    task = await asked(api, ada.tenant, "role:developer", ada.email)
    missing = Asked(id="task_00000000000000000000000000", execution_id=task.execution_id)
    ask = """query ($id: ID!, $e: ID!) { task(id: $id) { id } node(id: $id) { id }
      tasks(filter: {executionId: $e}) { totalCount } }"""
    execution = encode("execution", task.execution_id)
    mutations = [
        "taskComplete(id: $id, decision: APPROVED)",
        "taskClaim(id: $id)",
        "taskUnclaim(id: $id)",
        'taskDelegate(id: $id, to: "ada@example.com")',
        "taskEscalate(id: $id)",
        'taskComment(id: $id, text: "x")',
    ]

    assert await stranger.data(ask, id=task.id, e=execution) == {"task": None, "node": None, "tasks": {"totalCount": 0}}
    for mutation in mutations:
        query = f"mutation ($id: ID!) {{ it: {mutation} {{ {ERRORS} }} }}"
        theirs, nobodys = [await stranger.data(query, id=each.id) for each in (task, missing)]
        assert told(theirs["it"]) == [("NotFoundError", ["id"])]
        assert str(theirs).replace(task.id, missing.id) == str(nobodys)
    assert (await read(ada, task))["revision"] == 1
    assert await messages(engine_pool, task) == 0


async def test_an_answer_to_an_execution_that_is_over_is_refused(
    api: Application, ada: Person, engine_pool: EnginePool
) -> None:
    task, withdrawn = await asked(api, ada.tenant, ada.email), await asked(api, ada.tenant, ada.email)
    await engine_pool.execute("UPDATE execution SET finished_at = now() WHERE id = $1", task.execution_id)
    await engine_pool.execute("UPDATE task SET status = 'WITHDRAWN' WHERE execution_id = $1", withdrawn.execution_id)

    for each in (task, withdrawn):
        assert told(await completed(ada, each, decision="APPROVED")) == [("InvalidStateError", ["id"])]
    assert await messages(engine_pool, task) == 0


async def test_a_signature_needs_the_callers_own_password(
    api: Application, http: httpx.AsyncClient, ada: Person, engine_pool: EnginePool
) -> None:
    task = await asked(api, ada.tenant, ada.email, "role:service", signature=True)
    robot = await new_caller(engine_pool, http, ada.tenant, Role.SERVICE)

    refused = [
        await completed(ada, task, decision="APPROVED"),
        await completed(ada, task, decision="APPROVED", password="wrong"),
        await completed(robot, task, decision="APPROVED", password=PASSWORD),
    ]

    assert [told(each) for each in refused] == [[("ForbiddenError", ["signature", "password"])]] * 3
    assert [error["message"] for each in refused for error in each["errors"]] == [
        "This task needs a signature",
        "The password is wrong",
        "This task needs a signature, and an API key cannot sign",
    ]
    assert (await read(ada, task))["status"] == "OPEN"
    assert await messages(engine_pool, task) == 0


async def test_a_signature_ties_the_person_to_the_answer(
    api: Application, ada: Person, engine_pool: EnginePool
) -> None:
    task = await asked(api, ada.tenant, ada.email, signature=True)

    done = await completed(ada, task, decision="APPROVED", output={"b": 1, "a": 2}, password=PASSWORD)

    decided_at = await engine_pool.fetchval("SELECT decided_at FROM task WHERE execution_id = $1", task.execution_id)
    digest = sha256(
        canonical(
            {
                "task": task.id,
                "execution": encode("execution", task.execution_id),
                "path": "review",
                "decision": "approved",
                "data": {"b": 1, "a": 2},
                "by": ada.id,
                "at": decided_at.isoformat(),
            }
        )
    ).hexdigest()
    assert done["task"]["signature"] == {"by": ada.id, "algorithm": "SHA-256", "digest": digest}
    assert (await read(ada, task))["signatureHolds"] is True

    await engine_pool.execute("UPDATE task SET output = '3' WHERE execution_id = $1", task.execution_id)
    assert (await read(ada, task))["signatureHolds"] is False


async def test_a_password_that_no_signature_asks_for_is_not_looked_at(api: Application, ada: Person) -> None:
    task = await asked(api, ada.tenant, ada.email)

    done = await completed(ada, task, decision="APPROVED", password="wrong")

    assert (done["errors"], done["task"]["signature"]) == ([], None)
