"""What began an execution, what it began, and what repeats it: as a tree, page by page, within the tenant."""

import asyncio
from typing import Any

import pytest

from tests.api.application import Caller
from tests.api.lives import granted, until
from tests.api.operations import ADDS, WAITS, finished, graph, published, started

pytestmark = pytest.mark.usefixtures("worker")

TREE = """query ($id: ID!, $depth: Int! = 5) { execution(id: $id) {
  tree(depth: $depth) { truncated nodes { depth execution { id parentPath workflow { name } } } } } }"""


def calling(name: str, times: int) -> dict[str, Any]:
    """Calls this workflow so many times at once."""
    nodes = [{"id": f"call-{n}", "kind": "subworkflow", "config": {"workflow": name}} for n in range(times)]
    return graph(*nodes, edges=tuple(f"start > call-{n}" for n in range(times)))


async def family(caller: Caller) -> str:
    """The id of an execution with two children, each of which has one."""
    await published(caller, WAITS, name="Grandchild")
    await published(caller, calling("Grandchild", 1), name="Child")
    top = await started(caller, await published(caller, calling("Child", 2), name="Top"))
    for each in (await shown(caller, top["id"], 2))["nodes"]:
        await until(caller, each["execution"]["id"], "WAITING")
    return top["id"]


async def shown(caller: Caller, execution_id: str, leaves: int = 0, **given: Any) -> Any:
    """The tree, once it has so many executions of the third generation."""
    async with asyncio.timeout(10):
        while True:
            await until(caller, execution_id, "WAITING")
            tree = (await caller.data(TREE, id=execution_id, **given))["execution"]["tree"]
            if sum(each["depth"] == 2 for each in tree["nodes"]) >= leaves:
                return tree


async def test_a_tree_shows_each_execution_before_those_it_began(developer: Caller) -> None:
    top = await family(developer)

    tree = await shown(developer, top)

    nodes = [
        (each["depth"], each["execution"]["workflow"]["name"], each["execution"]["parentPath"])
        for each in tree["nodes"]
    ]
    leaf = (2, "Grandchild", "call-0")
    assert nodes[0] == (0, "Top", None)
    assert sorted([nodes[1:3], nodes[3:]]) == [[(1, "Child", f"call-{n}"), leaf] for n in range(2)]
    assert not tree["truncated"]


async def test_a_tree_that_goes_deeper_says_so(developer: Caller) -> None:
    top = await family(developer)

    shallow = [await shown(developer, top, depth=depth) for depth in (0, 1, 2)]
    refused = await developer.ask(TREE, id=top, depth=21)

    assert [len(tree["nodes"]) for tree in shallow] == [1, 3, 5]
    assert [tree["truncated"] for tree in shallow] == [True, True, False]
    assert refused["errors"][0]["extensions"]["path"] == ["depth"]


async def test_everybody_in_a_tree_knows_the_way_up(developer: Caller) -> None:
    top = await family(developer)
    leaf = (await shown(developer, top))["nodes"][2]["execution"]["id"]

    found = await developer.data(
        """query ($leaf: ID!, $top: ID!) {
             leaf: execution(id: $leaf) { parent { id parent { id parent { id } } } root { id } }
             top: execution(id: $top) { parent { id } root { id } } }""",
        leaf=leaf,
        top=top,
    )

    assert found["leaf"]["parent"]["parent"] == {"id": top, "parent": None}
    assert (found["leaf"]["root"], found["top"]) == ({"id": top}, {"parent": None, "root": {"id": top}})


async def test_children_are_paged_in_the_order_they_began(developer: Caller) -> None:
    await published(developer, ADDS, name="Child")
    nodes = calling("Child", 3)
    for node in nodes["nodes"][1:]:
        node["config"]["input"] = {"a": 1, "b": 2}
    top = await finished(developer, await published(developer, nodes, name="Top"))
    query = """query ($id: ID!, $first: Int, $after: String) { execution(id: $id) {
      children(first: $first, after: $after) { totalCount nodes { id } pageInfo { hasNextPage endCursor } } }
      executions(filter: {parentId: $id}) { totalCount } }"""

    whole = await developer.data(query, id=top["id"])
    page = (await developer.data(query, id=top["id"], first=2))["execution"]["children"]
    rest = await developer.data(query, id=top["id"], first=2, after=page["pageInfo"]["endCursor"])

    ids = [node["id"] for node in whole["execution"]["children"]["nodes"]]
    assert (len(ids), ids) == (3, sorted(ids))
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"], whole["executions"]) == (3, True, {"totalCount": 3})
    assert [node["id"] for node in page["nodes"] + rest["execution"]["children"]["nodes"]] == ids


async def test_retries_are_listed_with_what_they_repeat(developer: Caller) -> None:
    first = await finished(developer, await published(developer), input={"a": 1, "b": 2})
    one = await granted(developer, "retry", first["id"])
    two = await granted(developer, "retry", first["id"])
    await until(developer, one["id"], "COMPLETED")
    of_one = await granted(developer, "retry", one["id"])

    query = "query ($id: ID!) { execution(id: $id) { retries { totalCount nodes { id } } } }"
    found = [(await developer.data(query, id=each))["execution"]["retries"] for each in (first["id"], one["id"])]

    assert found == [
        {"totalCount": 2, "nodes": [{"id": one["id"]}, {"id": two["id"]}]},
        {"totalCount": 1, "nodes": [{"id": of_one["id"]}]},
    ]


async def test_another_tenants_family_is_not_there(developer: Caller, stranger: Caller) -> None:
    top = await family(developer)

    found = await stranger.data(
        "query ($id: ID!) { execution(id: $id) { id } executions(filter: {parentId: $id}) { totalCount } }", id=top
    )

    assert found == {"execution": None, "executions": {"totalCount": 0}}
