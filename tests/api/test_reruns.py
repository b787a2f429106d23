"""Doing it again: what had finished is kept, what depends on the step runs, and what others did is not redone."""

import pytest

from tests.api.application import Caller
from tests.api.lives import granted, log_of, refusals, until, wish
from tests.api.operations import ADDS, finished, graph, published, started

pytestmark = pytest.mark.usefixtures("worker")


CHARGES = graph(
    {
        "id": "each-line",
        "kind": "loop",
        "config": {
            "items": "{{ input }}",
            "body": {
                "nodes": [
                    {"id": "note", "kind": "set", "config": {"values": {"count": "{{ (vars.count || 0) + 1 }}"}}},
                    {"id": "charge", "kind": "validate", "config": {"schema": {"type": "object", "required": ["ok"]}}},
                    {"id": "broken", "kind": "fail", "config": {"message": "no price"}},
                    {"id": "done", "kind": "end", "config": {"output": "{{ item }}"}},
                ],
                "edges": [
                    {"source": "note", "target": "charge"},
                    {"source": "charge", "target": "done", "sourceHandle": "valid"},
                    {"source": "charge", "target": "broken", "sourceHandle": "invalid"},
                ],
            },
        },
    },
    {"id": "end", "kind": "end", "config": {"output": ["{{ steps['each-line'].output }}", "{{ vars.count }}"]}},
)


async def outcomes(caller: Caller, execution_id: str) -> list[str]:
    """The paths of the steps that this execution itself has run."""
    return [each["path"] for each in await log_of(caller, execution_id, "STEP_COMPLETED", "STEP_FAILED")]


async def test_the_whole_is_repeated_although_a_step_had_failed(developer: Caller) -> None:
    nodes = graph(
        {"id": "note", "kind": "set", "config": {"values": {"seen": 1}}},
        {"id": "stop", "kind": "fail", "config": {"message": "no"}},
    )
    first = await finished(developer, await published(developer, nodes))

    again = await granted(developer, "retry", first["id"], whole=True)

    await until(developer, again["id"], "FAILED")
    assert await outcomes(developer, again["id"]) == ["start", "note", "stop"]
    both = await wish(developer, "retry", first["id"], whole=True, from_="stop")
    assert refusals(both) == [("ValidationError", ["whole"])]


async def test_a_finished_execution_runs_again_from_any_of_its_steps(developer: Caller) -> None:
    first = await finished(developer, await published(developer, ADDS), input={"a": 1, "b": 2})

    again = await granted(developer, "retry with", first["id"], from_="done", value="edited")

    assert (await until(developer, again["id"], "COMPLETED"))["output"] == 3
    assert await outcomes(developer, again["id"]) == ["done"]
    (seeded,) = await log_of(developer, again["id"], "SEEDED")
    assert (seeded["data"]["from"], seeded["data"]["inputs"]) == (first["id"], {"done": "edited"})


async def test_a_loop_goes_on_in_the_iteration_that_failed(developer: Caller) -> None:
    lines = [{"ok": 1}, {"no": 2}, {"ok": 3}]
    first = await finished(developer, await published(developer, CHARGES), input=lines)
    assert (first["status"], first["error"]["message"]) == ("FAILED", "no price")

    mended = await granted(developer, "retry with", first["id"], from_="each-line[1].charge", value={"ok": 2})

    over = await until(developer, mended["id"], "COMPLETED")
    assert over["output"] == [[{"ok": 1}, {"no": 2}, {"ok": 3}], 3]
    assert await outcomes(developer, mended["id"]) == [
        "each-line[1].charge",
        "each-line[1].done",
        "each-line[2].note",
        "each-line[2].charge",
        "each-line[2].done",
        "each-line",
        "end",
    ]


async def test_without_a_path_it_begins_at_the_innermost_step_that_failed(developer: Caller) -> None:
    item = {
        "id": "price",
        "kind": "code",
        "config": {"source": "if (input > 1) throw new Error('no'); return input;"},
        "each": "{{ input }}",
    }
    nodes = graph(item, {"id": "end", "kind": "end", "config": {"output": "{{ steps.price.output }}"}})
    first = await finished(developer, await published(developer, nodes), input=[1, 2, 1])
    assert first["status"] == "FAILED"

    again = await granted(developer, "retry with", first["id"], value=0)

    assert (await until(developer, again["id"], "COMPLETED"))["output"] == [1, 0, 1]
    assert await outcomes(developer, again["id"]) == ["price[1]", "price[2]", "price", "end"]


async def test_a_retry_of_a_retry_is_linked_to_it_and_keeps_what_both_had_finished(developer: Caller) -> None:
    lines = [{"ok": 1}, {"no": 2}, {"no": 3}]
    first = await finished(developer, await published(developer, CHARGES), input=lines)
    second = await granted(developer, "retry with", first["id"], from_="each-line[1].charge", value={"ok": 2})
    await until(developer, second["id"], "FAILED")
    third = await granted(developer, "retry with", second["id"], from_="each-line[2].charge", value={"ok": 3})

    over = await until(developer, third["id"], "COMPLETED")
    assert over["output"] == [lines, 3]
    assert third["retryOf"] == {"id": second["id"]}
    assert (await outcomes(developer, third["id"]))[0] == "each-line[2].charge"


async def test_a_child_that_had_finished_is_not_called_again(developer: Caller) -> None:
    await published(developer, ADDS, name="Child")
    nodes = graph(
        {"id": "call", "kind": "subworkflow", "config": {"workflow": "Child", "input": "{{ input }}"}},
        {"id": "gate", "kind": "wait", "config": {"signal": "go"}},
        {"id": "stop", "kind": "fail", "config": {"message": "no"}},
    )
    first = await started(developer, await published(developer, nodes, name="Parent"), input={"a": 1, "b": 2})
    await until(developer, first["id"], "WAITING", waiting="gate")
    await granted(developer, "signal", first["id"], name="go")
    await until(developer, first["id"], "FAILED")

    from_stop = await granted(developer, "retry", first["id"])
    await until(developer, from_stop["id"], "FAILED")
    from_call = await granted(developer, "retry", first["id"], from_="call")
    await until(developer, from_call["id"], "WAITING", waiting="gate")

    children = "query ($id: ID!) { execution(id: $id) { children { totalCount } } }"
    counts = [
        (await developer.data(children, id=each))["execution"]["children"]["totalCount"]
        for each in (first["id"], from_stop["id"], from_call["id"])
    ]
    assert counts == [1, 0, 1], "a child is called by the execution that runs the step"


async def test_a_child_that_failed_is_called_anew_and_its_own_retry_stands_alone(developer: Caller) -> None:
    failing = graph({"id": "stop", "kind": "fail", "config": {"message": "child failed"}})
    await published(developer, failing, name="Child")
    nodes = graph({"id": "call", "kind": "subworkflow", "config": {"workflow": "Child"}})
    first = await finished(developer, await published(developer, nodes, name="Parent"))
    query = """query ($id: ID!) { execution(id: $id) {
      parent { id } retries { totalCount } children { nodes { id parent { id } } } } }"""
    ((child,),) = [(await developer.data(query, id=first["id"]))["execution"]["children"]["nodes"]]

    again = await granted(developer, "retry", first["id"])
    alone = await granted(developer, "retry", child["id"])
    await until(developer, again["id"], "FAILED")
    await until(developer, alone["id"], "FAILED")

    ((other,),) = [(await developer.data(query, id=again["id"]))["execution"]["children"]["nodes"]]
    assert other["id"] != child["id"]
    assert (await developer.data(query, id=alone["id"]))["execution"] == {
        "parent": None,
        "retries": {"totalCount": 0},
        "children": {"nodes": []},
    }
    assert await outcomes(developer, first["id"]) == ["start", "call"], "the parent hears nothing of it"


async def test_what_was_undone_is_done_again_and_what_was_not_is_kept(developer: Caller) -> None:
    undo = {"kind": "set", "config": {"values": {"undone": True}}}
    nodes = graph(
        {"id": "note", "kind": "set", "config": {"values": {"noted": True}}},
        {"id": "charge", "kind": "set", "config": {"values": {"charged": True}}, "compensation": undo},
        {"id": "ship", "kind": "fail", "config": {"message": "no stock"}},
    )
    workflow_id = await published(developer, nodes, settings={"onError": {"strategy": "COMPENSATE"}})
    first = await finished(developer, workflow_id)
    assert await outcomes(developer, first["id"]) == ["start", "note", "charge", "ship", "charge:undo"]

    again = await granted(developer, "retry", first["id"])

    await until(developer, again["id"], "FAILED")
    assert await outcomes(developer, again["id"]) == ["charge", "ship", "charge:undo"]


async def test_an_answer_that_was_given_is_not_asked_for_again(developer: Caller) -> None:
    nodes = graph(
        {"id": "review", "kind": "approval", "config": {"title": "Release?", "assignees": ["role:developer"]}},
        {"id": "stop", "kind": "fail", "config": {"message": "after the answer"}},
        edges=("start > review", "review.approved > stop"),
    )
    first = await started(developer, await published(developer, nodes))
    await until(developer, first["id"], "WAITING", waiting="review")
    tasks = "query ($id: ID!) { execution(id: $id) { tasks { nodes { id status } } } }"
    ((task,),) = [(await developer.data(tasks, id=first["id"]))["execution"]["tasks"]["nodes"]]
    complete = "mutation ($id: ID!) { taskComplete(id: $id, decision: APPROVED) { errors { message } } }"
    assert (await developer.data(complete, id=task["id"]))["taskComplete"]["errors"] == []
    await until(developer, first["id"], "FAILED")

    kept = await granted(developer, "retry", first["id"])
    asked = await granted(developer, "retry", first["id"], from_="review")

    await until(developer, kept["id"], "FAILED")
    await until(developer, asked["id"], "WAITING", waiting="review")
    assert (await developer.data(tasks, id=kept["id"]))["execution"]["tasks"]["nodes"] == []
    ((new,),) = [(await developer.data(tasks, id=asked["id"]))["execution"]["tasks"]["nodes"]]
    assert (new["status"], new["id"] != task["id"]) == ("OPEN", True)


async def test_variables_changed_by_hand_are_taken_over(developer: Caller) -> None:
    nodes = graph(
        {"id": "hold", "kind": "wait", "config": {"signal": "go"}},
        {"id": "stop", "kind": "fail", "config": {"message": "{{ vars.rate }}"}},
    )
    workflow_id = await published(developer, nodes, variables={"rate": {"default": 1}})
    first = await started(developer, workflow_id)
    await until(developer, first["id"], "WAITING")
    await granted(developer, "set", first["id"], name="rate", value=2)
    await granted(developer, "signal", first["id"], name="go")
    await until(developer, first["id"], "FAILED")

    again = await granted(developer, "retry", first["id"])

    over = await until(developer, again["id"], "FAILED")
    assert (over["variables"]["rate"], over["error"]["message"]) == (2, "2")


async def test_an_input_that_no_step_would_get_is_refused(developer: Caller) -> None:
    body = {"nodes": [{"id": "price", "kind": "set", "config": {"values": {"priced": 1}}}]}
    nodes = graph(
        {"id": "lines", "kind": "loop", "config": {"items": [1], "body": body}},
        {"id": "count", "kind": "set", "config": {"values": {"passes": "{{ (vars.passes || 0) + 1 }}"}}},
        {"id": "more", "kind": "if", "config": {"condition": "{{ vars.passes < 2 }}"}},
        {"id": "done", "kind": "end"},
        edges=("start > lines", "lines > count", "count > more", "more.true > lines", "more.false > done"),
    )
    nodes["edges"][3]["maxIterations"] = 5
    first = await finished(developer, await published(developer, nodes))
    assert "lines#2[0].price" in await outcomes(developer, first["id"])

    refused = await wish(developer, "retry with", first["id"], from_="lines#2[0].price", value=1)
    again = await granted(developer, "retry", first["id"], from_="lines#2[0].price")

    (error,) = refused["errors"]
    assert (error["path"], error["remedy"]) == (["input"], "Leave the input out, or edit that of lines#2.")
    await until(developer, again["id"], "COMPLETED")
    assert (await outcomes(developer, again["id"]))[0] == "lines[0].price", "it begins with the container"
