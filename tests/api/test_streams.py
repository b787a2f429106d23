"""Streams over GraphQL: what workflows have published is found and read, by those of the tenant."""

from typing import Any

import pytest

from tests.api.application import Caller
from tests.api.operations import finished, graph, published

pytestmark = pytest.mark.usefixtures("worker")

TELLS = graph(
    {
        "id": "tell",
        "kind": "publish",
        "config": {"stream": "orders", "key": "{{ input.key }}", "message": "{{ input }}"},
    }
)
READ = """query ($name: String, $id: ID, $first: Int, $after: String, $last: Int) {
  stream(name: $name, id: $id) {
    id name head
    messages(first: $first, after: $after, last: $last) {
      nodes { seq key payload publishedBy } pageInfo { hasNextPage endCursor }
    }
  }
}"""


async def tell(caller: Caller, *keys: str) -> list[str]:
    workflow_id = await published(caller, TELLS, name="Telling")
    return [(await finished(caller, workflow_id, input={"key": key}))["id"] for key in keys]


async def test_messages_are_read_page_by_page_in_their_order(developer: Caller) -> None:
    ids = await tell(developer, "a", "b", "c")

    first = (await developer.data(READ, name="orders", first=2))["stream"]
    after = first["messages"]["pageInfo"]["endCursor"]
    rest = (await developer.data(READ, id=first["id"], first=2, after=after))["stream"]
    latest = (await developer.data(READ, name="orders", last=1))["stream"]

    assert (first["name"], first["head"]) == ("orders", "3")
    assert [message["seq"] for message in first["messages"]["nodes"]] == ["1", "2"]
    assert rest["messages"] == {
        "nodes": [{"seq": "3", "key": "c", "payload": {"key": "c"}, "publishedBy": ids[2]}],
        "pageInfo": {"hasNextPage": False, "endCursor": rest["messages"]["pageInfo"]["endCursor"]},
    }
    assert latest["messages"]["nodes"] == rest["messages"]["nodes"]


async def test_streams_are_listed_by_name_and_found_as_nodes(developer: Caller) -> None:
    await tell(developer, "a")
    listed: list[Any] = (await developer.data("{ streams { nodes { id name } } }"))["streams"]["nodes"]

    assert [each["name"] for each in listed] == ["orders"]
    found = await developer.data("query ($id: ID!) { node(id: $id) { id } }", id=listed[0]["id"])
    assert found["node"] == {"id": listed[0]["id"]}


async def test_another_tenant_s_stream_is_not_there(developer: Caller, stranger: Caller) -> None:
    await tell(developer, "a")
    theirs = (await developer.data(READ, name="orders"))["stream"]["id"]
    missing = "stream_00000000000000000000000000"

    assert await stranger.ask(READ, name="orders") == await stranger.ask(READ, name="nothing")
    assert await stranger.ask(READ, id=theirs) == await stranger.ask(READ, id=missing)
    assert (await stranger.data("{ streams { nodes { id } } }"))["streams"]["nodes"] == []
