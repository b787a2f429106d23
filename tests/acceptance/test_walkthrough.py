"""The README's walk through GraphQL, step by step, against a real server."""

import re
from collections.abc import AsyncGenerator

import pytest

from app.settings import PROJECT
from tests.acceptance.commands import new_data_directory
from tests.acceptance.served import Api, served

pytestmark = pytest.mark.acceptance

STEPS = dict(
    re.findall(r"<!-- walkthrough: (\w+) -->\n```graphql\n(.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL)
)


@pytest.fixture(scope="module")
async def api() -> AsyncGenerator[Api]:
    with new_data_directory() as data_dir:
        async with served(data_dir) as up:
            yield up.api


async def test_the_walk_leads_from_an_idea_to_a_live_execution(api: Api) -> None:
    assert list(STEPS) == ["create", "publish", "start", "subscribe"]

    created = (await api.data(STEPS["create"]))["workflowCreate"]
    workflow = created["workflow"].pop("id")
    assert created == {"workflow": {"name": "Greeting", "status": "DRAFT", "revision": 1}, "errors": []}

    published = (await api.data(STEPS["publish"], workflow=workflow))["workflowPublish"]
    assert published == {"workflow": {"activeVersion": {"number": 1}}, "errors": []}

    first = (await api.data(STEPS["start"], workflow=workflow))["executionStart"]
    again = (await api.data(STEPS["start"], workflow=workflow))["executionStart"]
    assert (first["execution"]["status"], first["errors"]) == ("PENDING", [])
    assert again["execution"]["id"] == first["execution"]["id"], "the same key, the same execution"

    frames = [
        each["executionEvents"] for each in await api.results(STEPS["subscribe"], execution=first["execution"]["id"])
    ]
    events = [event for frame in frames for event in frame.get("events", ())]
    assert [event["seq"] for event in events] == [str(number) for number in range(1, len(events) + 1)]
    assert [(event["kind"], event["nodeId"]) for event in events if event["kind"] != "ADOPTED"] == [
        ("EXECUTION_STARTED", None),
        ("STEP_COMPLETED", "start"),
        ("STEP_COMPLETED", "hello"),
        ("EXECUTION_COMPLETED", None),
    ]
    assert events[-1]["data"]["output"] == "Hello, Ada!"
    assert frames[-1] == {"__typename": "StreamEnd", "cursor": frames[-1]["cursor"], "status": "COMPLETED"}


async def test_every_mistake_of_a_graph_comes_back_at_once(api: Api) -> None:
    wrong = STEPS["create"].replace('kind: "trigger"', 'kind: "triger"').replace('target: "hello"', 'target: "helo"')

    answer = (await api.data(wrong))["workflowCreate"]

    assert answer["workflow"] is None
    [error] = answer["errors"]
    assert (error["code"], error["path"]) == ("VALIDATION", ["graph"])
