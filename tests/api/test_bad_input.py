"""Texts and values that nothing behind the API can hold: each is the caller's error, none a crash of ours."""

import asyncio
from typing import Any

import pytest

from tests.api.application import Caller
from tests.api.operations import PUBLISH, created, published

NUL = "a\x00b"
WORKFLOW = "workflow_00000000000000000000000000"
EXECUTION = "execution_00000000000000000000000000"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("workflow(name: $nul) { id }", ["name"]),
        ("workflows(filter: {search: $nul}) { totalCount }", ["filter", "search"]),
        ("workflows(filter: {category: $nul}) { totalCount }", ["filter", "category"]),
        ("workflows(filter: {tags: [$nul]}) { totalCount }", ["filter", "tags"]),
        ("workflows(after: $nul) { totalCount }", ["after"]),
        ('schedulePreview(cron: $nul, timeZone: "UTC")', ["cron"]),
        ('schedulePreview(cron: "0 0 * * *", timeZone: $nul)', ["timeZone"]),
    ],
)
async def test_a_query_with_a_nul_character_is_refused(developer: Caller, body: str, path: list[str]) -> None:
    answer = await developer.ask(f"query ($nul: String!) {{ {body} }}", nul=NUL)

    assert [error["extensions"].get("path") for error in answer["errors"]] == [path]
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["VALIDATION"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("workflowCreate(input: {name: $nul})", ["name"]),
        ('workflowCreate(input: {name: "n", description: $nul})', ["description"]),
        ('workflowCreate(input: {name: "n", tags: [$nul]})', ["tags"]),
        ('workflowCreate(input: {name: "n", inputSchema: $json})', ["graph"]),
        (f'workflowPublish(id: "{WORKFLOW}", note: $nul)', ["note"]),
        (f'executionStart(input: {{workflowId: "{WORKFLOW}", idempotencyKey: $nul}})', ["idempotencyKey"]),
        (f'executionCancel(id: "{EXECUTION}", reason: $nul)', ["reason"]),
        (f'stepSkip(executionId: "{EXECUTION}", path: $nul)', ["path"]),
        (f'stepSkip(executionId: "{EXECUTION}", path: "a", output: $json)', ["output"]),
        (f'signalSend(executionId: "{EXECUTION}", name: $nul)', ["name"]),
        (f'signalSend(executionId: "{EXECUTION}", name: "go", payload: $json)', ["payload"]),
        ("workflowImport(format: JSON, document: $nul)", ["document"]),
    ],
)
async def test_a_mutation_with_a_nul_character_is_refused(developer: Caller, body: str, path: list[str]) -> None:
    given: dict[str, object] = {"nul": NUL} if "$nul" in body else {"json": {"x": NUL}}
    declared = "$nul: String!" if "$nul" in body else "$json: JSON"
    query = f"mutation ({declared}) {{ it: {body} {{ errors {{ __typename path }} }} }}"

    answer: Any = (await developer.data(query, **given))["it"]

    assert [(error["__typename"], error["path"]) for error in answer["errors"]] == [("ValidationError", path)]


async def test_publishing_at_once_gives_every_version_its_own_number(developer: Caller) -> None:
    workflow_id = await created(developer)

    answers = await asyncio.gather(*(developer.data(PUBLISH, id=workflow_id) for _ in range(4)))

    numbers = [answer["workflowPublish"]["version"]["number"] for answer in answers]
    assert sorted(numbers) == [1, 2, 3, 4]


async def test_the_same_key_at_once_begins_one_execution(developer: Caller) -> None:
    workflow_id = await published(developer)
    query = """mutation ($w: ID!) { executionStart(input: {workflowId: $w, idempotencyKey: "once"}) {
                 execution { id } errors { code } } }"""

    answers = await asyncio.gather(*(developer.data(query, w=workflow_id) for _ in range(8)))

    assert {answer["executionStart"]["execution"]["id"] for answer in answers} == {
        answers[0]["executionStart"]["execution"]["id"]
    }
    assert await developer.data("{ executions { totalCount } }") == {"executions": {"totalCount": 1}}
