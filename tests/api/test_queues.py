"""Executions that have not begun: where they stand, when they are to begin, and starts that are one start."""

from datetime import timedelta

import pytest

from app.clock import utc_now
from tests.api.application import Caller
from tests.api.operations import WAITS, finished, published, start, started
from tests.api.test_executions import until

pytestmark = pytest.mark.usefixtures("worker")

QUEUE = "query ($id: ID!) { execution(id: $id) { status queue { position reason limit startsAt } } }"
SIGNAL = 'mutation ($id: ID!) { signalSend(executionId: $id, name: "go") { errors { code message } } }'


async def test_one_that_waits_for_a_limit_says_so_and_begins_when_there_is_room(developer: Caller) -> None:
    workflow_id = await published(developer, WAITS, settings={"concurrency": {"max": 1}})
    first, second, third = [(await started(developer, workflow_id))["id"] for _ in range(3)]
    await until(developer, first, "WAITING")

    waiting = (await developer.data(QUEUE, id=third))["execution"]
    assert waiting == {
        "status": "PENDING",
        "queue": {"position": 2, "reason": "WORKFLOW_CONCURRENCY", "limit": 1, "startsAt": None},
    }
    assert (await developer.data(QUEUE, id=first))["execution"] == {"status": "WAITING", "queue": None}

    await developer.data(SIGNAL, id=first)
    await until(developer, first, "COMPLETED")
    await until(developer, second, "WAITING")
    assert (await developer.data(QUEUE, id=third))["execution"]["queue"]["position"] == 1


async def test_another_tenants_queue_is_not_there(developer: Caller, stranger: Caller) -> None:
    workflow_id = await published(developer, WAITS, settings={"concurrency": {"max": 1}})
    _, second = [(await started(developer, workflow_id))["id"] for _ in range(2)]

    assert (await stranger.data(QUEUE, id=second))["execution"] is None


async def test_a_start_for_later_waits_for_its_time(developer: Caller) -> None:
    workflow_id = await published(developer)
    moment = (utc_now() + timedelta(hours=1)).isoformat()

    later = await started(developer, workflow_id, startAt=moment, input={"a": 1, "b": 1})

    found = (await developer.data(QUEUE, id=later["id"]))["execution"]
    assert (found["status"], found["queue"]["reason"], found["queue"]["position"]) == ("PENDING", "START_TIME", 1)
    assert found["queue"]["startsAt"][:19] == moment[:19]


async def test_a_start_for_now_begins_when_its_time_has_come(developer: Caller) -> None:
    workflow_id = await published(developer)
    soon = (utc_now() + timedelta(seconds=0.2)).isoformat()

    assert (await finished(developer, workflow_id, startAt=soon, input={"a": 1, "b": 1}))["output"] == 2
    past = (utc_now() - timedelta(days=1)).isoformat()
    assert (await finished(developer, workflow_id, startAt=past, input={"a": 2, "b": 1}))["output"] == 3


async def test_a_start_too_far_ahead_is_refused(developer: Caller) -> None:
    workflow_id = await published(developer)

    payload = await start(developer, workflow_id, startAt=(utc_now() + timedelta(days=400)).isoformat())

    assert [(error["code"], error["path"]) for error in payload["errors"]] == [("VALIDATION", ["startAt"])]


async def test_starts_under_one_key_in_the_window_are_one_start(developer: Caller) -> None:
    workflow_id = await published(developer)
    window = {"key": "order 7", "window": 60}

    first = await started(developer, workflow_id, deduplicate=window, input={"a": 1, "b": 1})
    again = await started(developer, workflow_id, deduplicate=window, input={"a": 5, "b": 5})
    other = await started(developer, workflow_id, deduplicate={"key": "order 8", "window": 60})

    assert first["id"] == again["id"] != other["id"]


async def test_after_the_window_the_key_begins_another(developer: Caller) -> None:
    workflow_id = await published(developer)
    window = {"key": "order 7", "window": 1e-6}

    ids = {(await started(developer, workflow_id, deduplicate=window))["id"] for _ in range(2)}

    assert len(ids) == 2


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"deduplicate": {"key": "", "window": 1}}, ["deduplicate"]),
        ({"deduplicate": {"key": "a", "window": 0}}, ["deduplicate", "window"]),
        ({"deduplicate": {"key": "a", "window": 1e9}}, ["deduplicate", "window"]),
        ({"deduplicate": {"key": "a", "window": 1}, "idempotencyKey": "b"}, ["deduplicate"]),
    ],
)
async def test_a_window_that_makes_no_sense_is_refused(
    developer: Caller, given: dict[str, object], path: list[str]
) -> None:
    workflow_id = await published(developer)

    payload = await start(developer, workflow_id, **given)

    assert [(error["code"], error["path"]) for error in payload["errors"]] == [("VALIDATION", path)]
