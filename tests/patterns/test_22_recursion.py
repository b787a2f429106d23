"""Recursion: a task can invoke itself, or one in which it is contained, while it is being done."""

from domain.graphs import Definition
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import step
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import drawn

PATTERN = Pattern(
    number=22,
    name="Recursion",
    support=Support.SUPPORTED,
    how="`subworkflow` may name the workflow it stands in, directly or by way of others, up to 20 deep.",
)


def factorial() -> Definition:
    return drawn(
        step("more", "if", condition="{{ input.n > 1 }}"),
        step("smaller", "subworkflow", workflow="Factorial", input={"n": "{{ trigger.n - 1 }}"}),
        step("product", "end", output="{{ trigger.n * input }}"),
        step("one", "end", output=1),
        "start > more:true > smaller > product",
        "more:false > one",
    )


async def test_a_workflow_calls_itself_and_goes_on_with_what_comes_back(engine: EngineRoom) -> None:
    published = await engine.publish(factorial(), name="Factorial")
    execution = await engine.start(published, {"n": 6})

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=720)
    depth = await engine.pool.fetchval(
        """WITH RECURSIVE below AS (
             SELECT id, 1 AS depth FROM execution WHERE id = $1
             UNION ALL SELECT e.id, b.depth + 1 FROM execution e JOIN below b ON e.parent_id = b.id)
           SELECT max(depth) FROM below""",
        execution,
    )
    assert depth == 6


async def test_endless_recursion_ends_with_a_failure(engine: EngineRoom) -> None:
    again = step("again", "subworkflow", workflow="Endless")
    published = await engine.publish(drawn(again, "start > again"), name="Endless")
    execution = await engine.start(published)

    ending = await engine.ending(execution)
    assert (ending.status, ending.output) == ("FAILED", None)
    count = await engine.pool.fetchval("SELECT count(*) FROM execution WHERE tenant_id = $1", published.tenant_id)
    assert count == 21
