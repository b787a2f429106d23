"""Working on tasks before they are completed, and the inbox they stand in: read, paged and watched."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

import httpx
import pytest

from app.clock import utc_now
from app.engine import Engine
from db.connections import EnginePool
from domain.access import Role
from domain.ids import encode
from tests.api.application import Application, Caller, new_caller
from tests.api.operations import graph, published, started
from tests.api.task_world import (
    ERRORS,
    HISTORY,
    PASSWORD,
    TASK,
    Asked,
    Person,
    asked,
    completed,
    messages,
    new_person,
    read,
    told,
)

WATCH = """subscription ($f: TaskFilter) { tasks(filter: $f) {
  refetch listed task { id status title path execution { id } } } }"""
ENDING = """subscription ($id: ID!) { executionEvents(id: $id) {
  __typename ... on StreamEnd { ended: status } } }"""


@pytest.fixture
async def ada(api: Application, http: httpx.AsyncClient, developer: Caller) -> Person:
    """A member who may complete tasks and manages none."""
    return await new_person(api, http, developer.tenant)


@pytest.fixture
async def bob(api: Application, http: httpx.AsyncClient, developer: Caller) -> Person:
    """Another one."""
    return await new_person(api, http, developer.tenant)


async def work(caller: Caller, name: str, task: Asked, **given: str) -> Any:
    """The payload of one of the mutations."""
    declared = "".join(f", ${key}: String!" for key in given)
    passed = "".join(f", {key}: ${key}" for key in given)
    query = f"mutation ($id: ID!{declared}) {{ {name}(id: $id{passed}) {{ task {TASK} {ERRORS} }} }}"
    return (await caller.data(query, id=task.id, **given))[name]


async def history(caller: Caller, task: Asked) -> Any:
    return (await caller.data(HISTORY, id=task.id))["task"]["history"]["nodes"]


async def inbox(caller: Caller, **chosen: Any) -> list[str]:
    query = "query ($f: TaskFilter) { tasks(filter: $f) { totalCount nodes { id } } }"
    found = (await caller.data(query, f={"mine": True, "status": ["OPEN"], **chosen}))["tasks"]
    assert found["totalCount"] == len(found["nodes"])
    return [node["id"] for node in found["nodes"]]


async def test_who_claims_a_task_takes_it_from_the_others_until_they_give_it_back(
    api: Application, ada: Person, bob: Person, engine_pool: EnginePool
) -> None:
    task = await asked(api, ada.tenant, "role:service")
    assert await inbox(ada) == await inbox(bob) == [task.id]

    claimed = [await work(ada, "taskClaim", task), await work(ada, "taskClaim", task)]
    refused = [
        await work(bob, "taskClaim", task),
        await work(bob, "taskUnclaim", task),
        await completed(bob, task, decision="APPROVED"),
    ]

    assert [each["task"]["claimedBy"] for each in claimed] == [ada.id] * 2
    assert [told(each) for each in refused] == [
        [("ConflictError", ["id"])],
        [("ForbiddenError", ["id"])],
        [("ForbiddenError", ["id"])],
    ]
    assert (await inbox(ada), await inbox(bob)) == ([task.id], [])
    assert await messages(engine_pool, task) == 0

    assert (await work(ada, "taskUnclaim", task))["task"]["claimedBy"] is None
    assert await inbox(bob) == [task.id]
    assert (await completed(bob, task, decision="APPROVED"))["errors"] == []
    assert [(line["kind"], line["by"]) for line in await history(ada, task)] == [
        ("CLAIMED", ada.id),
        ("UNCLAIMED", ada.id),
    ]


async def test_of_two_who_claim_at_once_one_has_it(api: Application, ada: Person, bob: Person) -> None:
    task = await asked(api, ada.tenant, "role:service")

    payloads = await asyncio.gather(*(work(each, "taskClaim", task) for each in (ada, bob)))

    assert sorted(len(payload["errors"]) for payload in payloads) == [0, 1]
    assert [error["code"] for payload in payloads for error in payload["errors"]] == ["CONFLICT"]
    assert (await read(ada, task))["claimedBy"] in (ada.id, bob.id)


async def test_a_delegated_task_is_the_other_persons_alone(api: Application, ada: Person, bob: Person) -> None:
    task = await asked(api, ada.tenant, ada.email, "role:admin")

    delegated = await work(ada, "taskDelegate", task, to=bob.email.upper(), comment="You know them")

    assert delegated["task"]["assignees"] == [bob.id]
    assert (await inbox(ada), await inbox(bob)) == ([], [task.id])
    assert told(await completed(ada, task, decision="APPROVED")) == [("ForbiddenError", ["id"])]
    assert (await completed(bob, task, decision="APPROVED"))["errors"] == []
    assert await history(ada, task) == [
        {"kind": "DELEGATED", "by": ada.id, "assignees": [bob.id], "comment": "You know them"}
    ]


async def test_a_task_is_delegated_to_members_of_the_tenant_alone(
    api: Application, http: httpx.AsyncClient, ada: Person, stranger: Caller
) -> None:
    task = await asked(api, ada.tenant, ada.email)
    eve = await new_person(api, http, stranger.tenant)

    payloads = [
        await work(ada, "taskDelegate", task, to=to)
        for to in (eve.email, eve.id, "nobody@example.com", "role:admin", "nonsense")
    ]

    assert [told(payload) for payload in payloads] == [[("ValidationError", ["to"])]] * 5
    known, unknown = payloads[0]["errors"][0]["message"], payloads[2]["errors"][0]["message"]
    assert known.replace(eve.email, "nobody@example.com") == unknown
    assert (await read(ada, task))["revision"] == 1


async def test_a_task_is_escalated_by_hand_once(api: Application, ada: Person, bob: Person, developer: Caller) -> None:
    task = await asked(api, ada.tenant, ada.email, escalate_to=(bob.email,))
    nowhere = await asked(api, ada.tenant, ada.email)

    escalated = await work(ada, "taskEscalate", task, comment="Too large for me")
    refused = [await work(developer, "taskEscalate", task), await work(ada, "taskEscalate", nowhere)]

    assert escalated["task"]["assignees"] == [bob.email]
    assert [told(each) for each in refused] == [[("InvalidStateError", ["id"])]] * 2
    assert await history(ada, task) == [
        {"kind": "ESCALATED", "by": ada.id, "assignees": [bob.email], "comment": "Too large for me"}
    ]


async def test_what_is_completed_is_worked_on_no_more_but_talked_about(api: Application, ada: Person) -> None:
    task = await asked(api, ada.tenant, ada.email, escalate_to=("role:admin",))
    await completed(ada, task, decision="APPROVED")

    refused = [
        await work(ada, "taskClaim", task),
        await work(ada, "taskUnclaim", task),
        await work(ada, "taskDelegate", task, to=ada.email),
        await work(ada, "taskEscalate", task),
    ]
    said = await work(ada, "taskComment", task, text="Well done")

    assert [told(each) for each in refused] == [[("ConflictError", ["id"])]] * 4
    assert said["errors"] == []
    assert told(await work(ada, "taskComment", task, text="")) == [("ValidationError", ["text"])]
    assert await history(ada, task) == [{"kind": "COMMENTED", "by": ada.id, "assignees": [], "comment": "Well done"}]


async def test_a_history_is_paged(api: Application, ada: Person) -> None:
    task = await asked(api, ada.tenant, ada.email)
    for text in "abc":
        await work(ada, "taskComment", task, text=text)
    query = """query ($id: ID!, $after: String) { task(id: $id) { history(first: 2, after: $after) {
      pageInfo { endCursor hasNextPage } nodes { comment } } } }"""

    first = (await ada.data(query, id=task.id))["task"]["history"]
    rest = (await ada.data(query, id=task.id, after=first["pageInfo"]["endCursor"]))["task"]["history"]

    assert [[node["comment"] for node in page["nodes"]] for page in (first, rest)] == [["a", "b"], ["c"]]
    assert [page["pageInfo"]["hasNextPage"] for page in (first, rest)] == [True, False]


async def test_lists_are_filtered_and_paged_by_cursors_of_their_own(
    api: Application, ada: Person, bob: Person, developer: Caller
) -> None:
    late = utc_now() - timedelta(hours=1)
    made = [
        await asked(api, ada.tenant, ada.email, due_at=late),
        await asked(api, ada.tenant, "role:service"),
        await asked(api, ada.tenant, bob.email),
        await asked(api, ada.tenant),
    ]
    ids = [task.id for task in made][::-1]
    query = """query ($first: Int, $after: String, $f: TaskFilter) { tasks(first: $first, after: $after, filter: $f) {
      totalCount pageInfo { endCursor hasNextPage } nodes { id overdue } } }"""

    async def page(**given: Any) -> Any:
        return (await ada.data(query, **given))["tasks"]

    whole, first = await page(), await page(first=3)
    rest = await page(first=3, after=first["pageInfo"]["endCursor"])

    assert [node["id"] for node in whole["nodes"]] == ids
    assert [node["overdue"] for node in whole["nodes"]] == [False, False, False, True]
    assert [node["id"] for node in (*first["nodes"], *rest["nodes"])] == ids
    assert (first["totalCount"], rest["pageInfo"]["hasNextPage"]) == (4, False)
    assert await inbox(ada) == [made[1].id, made[0].id]
    assert await inbox(developer) == [made[3].id]
    assert await inbox(ada, overdue=True) == [made[0].id]
    assert await inbox(ada, executionId=encode("execution", made[1].execution_id)) == [made[1].id]
    other = await ada.ask(query, after=first["pageInfo"]["endCursor"], f={"mine": True})
    assert [error["extensions"]["code"] for error in other["errors"]] == ["VALIDATION"]


async def test_tasks_are_found_by_their_global_ids(api: Application, ada: Person) -> None:
    task = await asked(api, ada.tenant, ada.email)
    query = "query ($id: ID!) { node(id: $id) { __typename id ... on Task { title execution { id } } } }"

    found = await ada.data(query, id=task.id)

    assert found["node"]["__typename"] == "Task"
    assert (found["node"]["id"], found["node"]["title"]) == (task.id, "Release?")


@asynccontextmanager
async def watching(
    api: Application, caller: Caller, query: str, **variables: Any
) -> AsyncGenerator[AsyncIterator[Any]]:
    """The data of each frame; every wait for one is bounded."""
    results = cast(
        "AsyncGenerator[Any, None]",
        await api.schema.subscribe(query, variable_values=variables, context_value=await api.context(caller.key)),
    )

    async def frames() -> AsyncIterator[Any]:
        while True:
            try:
                async with asyncio.timeout(15):
                    result = await anext(results)
            except StopAsyncIteration:
                return
            assert result.errors is None, result.errors
            yield next(iter(result.data.values()))

    try:
        yield frames()
    finally:
        await results.aclose()


@asynccontextmanager
async def watched_inbox(api: Application, caller: Caller, **chosen: Any) -> AsyncGenerator[AsyncGenerator[Any, None]]:
    """The frames of a live inbox that hears everything from now on."""
    async with watching(api, caller, WATCH, f=chosen) as frames:
        first = asyncio.ensure_future(anext(frames))  # nothing is subscribed before somebody asks
        async with api.services.feed.follow_tenant(caller.tenant.id):
            pass

        async def all_frames() -> AsyncGenerator[Any, None]:
            yield await first
            async for frame in frames:
                yield frame

        try:
            yield all_frames()
        finally:
            first.cancel()


def shown(frame: Any) -> tuple[str, str, bool]:
    return frame["task"]["id"], frame["task"]["status"], frame["listed"]


async def test_a_live_inbox_shows_what_comes_into_it_and_what_leaves_it(
    api: Application, ada: Person, bob: Person, stranger: Caller
) -> None:
    async with watched_inbox(api, ada, mine=True, status=["OPEN"]) as frames:
        await asked(api, stranger.tenant, "role:service")
        hers = await asked(api, ada.tenant, ada.email)
        assert shown(await anext(frames)) == (hers.id, "OPEN", True)
        his = await asked(api, ada.tenant, bob.email)
        assert shown(await anext(frames)) == (his.id, "OPEN", False)
        await work(bob, "taskDelegate", his, to=ada.email)
        assert shown(await anext(frames)) == (his.id, "OPEN", True)
        await completed(ada, his, decision="REJECTED")
        assert shown(await anext(frames)) == (his.id, "COMPLETED", False)
        await work(ada, "taskDelegate", hers, to=bob.email)
        assert shown(await anext(frames)) == (hers.id, "OPEN", False)


async def test_a_live_list_of_one_execution_shows_no_other(api: Application, ada: Person) -> None:
    one, other = await asked(api, ada.tenant, ada.email), await asked(api, ada.tenant, ada.email)

    async with watched_inbox(api, ada, executionId=encode("execution", one.execution_id)) as frames:
        await work(ada, "taskComment", other, text="x")
        await work(ada, "taskComment", one, text="y")

        assert shown(await anext(frames)) == (one.id, "OPEN", True)


RELEASE = graph(
    {
        "id": "review",
        "kind": "approval",
        "config": {"title": "Release {{ input.name }}?", "assignees": ["{{ input.by }}"], "signature": True},
    },
    {"id": "yes", "kind": "end", "config": {"output": "{{ steps.review.output }}"}},
    {"id": "no", "kind": "end", "config": {"output": "no"}},
    edges=("start > review", "review.approved > yes", "review.rejected > no", "review.timeout > no"),
)


async def test_an_execution_asks_is_answered_and_goes_on(
    api: Application, worker: Engine, developer: Caller, ada: Person
) -> None:
    workflow_id = await published(developer, RELEASE)
    async with watched_inbox(api, ada, mine=True, status=["OPEN"]) as frames:
        execution = await started(developer, workflow_id, input={"name": "A7", "by": ada.email})
        frame = await anext(frames)
        task = frame["task"]
        assert frame == {
            "refetch": False,
            "listed": True,
            "task": {
                "id": task["id"],
                "status": "OPEN",
                "title": "Release A7?",
                "path": "review",
                "execution": {"id": execution["id"]},
            },
        }
        done = await ada.data(
            f"""mutation ($id: ID!) {{ taskComplete(id: $id, decision: APPROVED, comment: "go",
                  signature: {{password: "{PASSWORD}"}}) {{ task {{ decidedAt signature {{ by algorithm digest }} }}
                  errors {{ message }} }} }}""",
            id=task["id"],
        )
        assert shown(await anext(frames)) == (task["id"], "COMPLETED", False)

    async with watching(api, developer, ENDING, id=execution["id"]) as frames:
        assert [frame async for frame in frames][-1] == {"__typename": "StreamEnd", "ended": "COMPLETED"}
    of = "query ($id: ID!) { execution(id: $id) { output tasks { totalCount nodes { id status } } } }"
    signed = done["taskComplete"]["task"]
    assert await developer.data(of, id=execution["id"]) == {
        "execution": {
            "output": {
                "decision": "approved",
                "data": None,
                "comment": "go",
                "by": ada.id,
                "at": signed["decidedAt"].replace("Z", "+00:00"),
                "signature": signed["signature"],
            },
            "tasks": {"totalCount": 1, "nodes": [{"id": task["id"], "status": "COMPLETED"}]},
        }
    }


async def test_a_task_cannot_be_answered_by_a_signal(
    api: Application, ada: Person, developer: Caller, engine_pool: EnginePool
) -> None:
    task = await asked(api, ada.tenant, ada.email)
    query = f"""mutation ($id: ID!) {{ signalSend(executionId: $id, name: "task:review",
      payload: {{decision: "approved"}}) {{ {ERRORS} }} }}"""

    answer = await developer.data(query, id=encode("execution", task.execution_id))

    assert told(answer["signalSend"]) == [("ValidationError", ["name"])]
    assert await messages(engine_pool, task) == 0


async def test_a_key_works_on_tasks_as_the_role_it_has(
    api: Application, http: httpx.AsyncClient, developer: Caller, engine_pool: EnginePool
) -> None:
    robot = await new_caller(engine_pool, http, developer.tenant, Role.SERVICE)
    task = await asked(api, developer.tenant, "role:service")

    claimed = await work(robot, "taskClaim", task)
    done = await completed(robot, task, decision="APPROVED")

    key = encode("apikey", robot.key_id)
    assert (claimed["task"]["claimedBy"], done["task"]["decidedBy"]) == (key, key)
