"""Tasks that nobody needs to answer any more leave every inbox at once."""

import httpx
import pytest

from app.engine import Engine
from tests.api.application import Application, Caller
from tests.api.lives import granted, until
from tests.api.operations import graph, published, started
from tests.api.task_world import Person, new_person
from tests.api.test_tasks_inbox import shown, watched_inbox

RACE = graph(
    {"id": "review", "kind": "approval", "config": {"title": "Release?", "assignees": ["{{ input }}"]}},
    {"id": "other", "kind": "wait", "config": {"signal": "other"}},
    {"id": "first", "kind": "merge", "config": {"mode": "any"}},
    {"id": "hold", "kind": "wait", "config": {"signal": "go"}},
    edges=("start > review", "start > other", "review.approved > first", "other > first", "first > hold"),
)


@pytest.fixture
async def ada(api: Application, http: httpx.AsyncClient, developer: Caller) -> Person:
    return await new_person(api, http, developer.tenant)


@pytest.mark.parametrize("how", ["cancelled", "skipped", "race lost"])
async def test_a_withdrawn_task_leaves_a_live_inbox_at_once(
    api: Application, worker: Engine, developer: Caller, ada: Person, how: str
) -> None:
    workflow_id = await published(developer, RACE)
    async with watched_inbox(api, ada, mine=True, status=["OPEN"]) as frames:
        execution = (await started(developer, workflow_id, input=ada.email))["id"]
        task, status, listed = shown(await anext(frames))
        assert (status, listed) == ("OPEN", True)
        await until(developer, execution, "WAITING", waiting="review")

        match how:
            case "cancelled":
                await granted(developer, "cancel", execution)
            case "skipped":
                await granted(developer, "skip", execution, path="review")
            case _:
                await granted(developer, "signal", execution, name="other")

        assert shown(await anext(frames)) == (task, "WITHDRAWN", False)
