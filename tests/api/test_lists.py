"""Lists by Relay connections: order, filters, both directions, and cursors that belong to one list."""

import pytest

from tests.api.application import Caller
from tests.api.operations import created, graph, published, started

PAGE = """query ($first: Int, $after: String, $last: Int, $before: String,
                $order: WorkflowOrder, $filter: WorkflowFilter) {
  workflows(first: $first, after: $after, last: $last, before: $before, orderBy: $order, filter: $filter) {
    totalCount nodes { name } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
BY_NAME = {"field": "NAME", "direction": "ASC"}


async def five(caller: Caller) -> None:
    for name in ("b", "d", "a", "e", "c"):
        await created(caller, graph(), name, category="even" if name in "bd" else "odd", tags=[name, "all"])


@pytest.mark.parametrize("field", ["NAME", "CREATED_AT", "UPDATED_AT"])
@pytest.mark.parametrize("direction", ["ASC", "DESC"])
async def test_pages_forwards_are_the_whole_list_in_order(developer: Caller, field: str, direction: str) -> None:
    await five(developer)
    order = {"field": field, "direction": direction}

    seen: list[str] = []
    after = None
    while True:
        page = (await developer.data(PAGE, first=2, after=after, order=order))["workflows"]
        seen += [node["name"] for node in page["nodes"]]
        assert page["totalCount"] == 5
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break

    ascending = ["a", "b", "c", "d", "e"] if field == "NAME" else ["b", "d", "a", "e", "c"]
    assert seen == (ascending if direction == "ASC" else ascending[::-1])


async def test_pages_backwards_keep_the_lists_order(developer: Caller) -> None:
    await five(developer)

    end = (await developer.data(PAGE, last=2, order=BY_NAME))["workflows"]
    earlier = (await developer.data(PAGE, last=2, before=end["pageInfo"]["startCursor"], order=BY_NAME))["workflows"]

    assert [node["name"] for node in end["nodes"]] == ["d", "e"]
    assert (end["pageInfo"]["hasPreviousPage"], end["pageInfo"]["hasNextPage"]) == (True, False)
    assert [node["name"] for node in earlier["nodes"]] == ["b", "c"]
    assert (earlier["pageInfo"]["hasPreviousPage"], earlier["pageInfo"]["hasNextPage"]) == (True, True)


async def test_filters_narrow_a_list_and_its_count(developer: Caller) -> None:
    await five(developer)

    async def found(**chosen: object) -> tuple[int, list[str]]:
        page = (await developer.data(PAGE, order=BY_NAME, filter=chosen))["workflows"]
        return page["totalCount"], [node["name"] for node in page["nodes"]]

    assert await found(category="even") == (2, ["b", "d"])
    assert await found(tags=["all", "c"]) == (1, ["c"])
    assert await found(search="E") == (1, ["e"])
    assert await found(status=["ACTIVE"]) == (0, [])
    assert await found(search="%") == (0, [])


async def test_a_cursor_of_another_order_filter_or_list_is_refused(developer: Caller) -> None:
    await five(developer)
    cursor = (await developer.data(PAGE, first=1, order=BY_NAME))["workflows"]["pageInfo"]["endCursor"]

    refused = [
        await developer.ask(PAGE, first=1, after=cursor),
        await developer.ask(PAGE, first=1, after=cursor, order=BY_NAME, filter={"category": "odd"}),
        await developer.ask("query ($c: String) { executions(after: $c) { nodes { id } } }", c=cursor),
        await developer.ask(PAGE, first=1, after="bm9uc2Vuc2U", order=BY_NAME),
        await developer.ask(PAGE, first=1, after="§", order=BY_NAME),
    ]

    told = [
        (answer["errors"][0]["extensions"]["code"], answer["errors"][0]["extensions"]["path"]) for answer in refused
    ]
    assert told == [("VALIDATION", ["after"])] * 5


@pytest.mark.parametrize(
    ("sizes", "path"), [({"first": 101}, "first"), ({"first": -1}, "first"), ({"first": 1, "last": 1}, "last")]
)
async def test_a_size_out_of_range_is_refused(developer: Caller, sizes: dict[str, int], path: str) -> None:
    answer = await developer.ask(PAGE, **sizes)

    assert answer["errors"][0]["extensions"]["path"] == [path]


async def test_executions_are_listed_latest_first_and_filtered(developer: Caller) -> None:
    adding, other = await published(developer, name="Adding"), await published(developer, name="Other")
    ids = [(await started(developer, adding, input={"a": 1, "b": 1}))["id"] for _ in range(3)]
    elsewhere = (await started(developer, other, input={"a": 1, "b": 1}))["id"]
    query = """query ($f: ExecutionFilter, $o: ExecutionOrder, $w: ID!) {
      executions(filter: $f, orderBy: $o) { totalCount nodes { id } }
      workflow(id: $w) { executions(first: 2) { totalCount nodes { id } } } }"""

    everything = await developer.data(query, w=adding)
    filtered = await developer.data(query, f={"workflowId": other}, o={"direction": "ASC"}, w=other)

    assert [node["id"] for node in everything["executions"]["nodes"]] == [elsewhere, *ids[::-1]]
    assert everything["workflow"]["executions"] == {"totalCount": 3, "nodes": [{"id": ids[2]}, {"id": ids[1]}]}
    assert filtered["executions"] == {"totalCount": 1, "nodes": [{"id": elsewhere}]}


async def test_lists_hold_nothing_of_another_tenant(developer: Caller, stranger: Caller) -> None:
    await published(developer)

    theirs = await stranger.data("{ workflows { totalCount nodes { id } } executions { totalCount } }")

    assert theirs == {"workflows": {"totalCount": 0, "nodes": []}, "executions": {"totalCount": 0}}
