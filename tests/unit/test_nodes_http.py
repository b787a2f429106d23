"""The http node against a real server: what it sends, what it makes of the answer, and how it fails."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.message import Message
from email.utils import format_datetime
from typing import cast

import pytest

from domain.engine.outcomes import Completed, Failed
from domain.graphs import Node
from domain.json import JSON, JSONObject
from jobs.nodes import CATALOG
from jobs.outgoing import Outgoing
from tests.unit.http_server import Answer, Received, Server, http_server
from tests.unit.node_world import NOW, NodeWorld, node_world

JSON_HEADERS = {"content-type": "application/json; charset=utf-8"}


@pytest.fixture(scope="module")
async def server() -> AsyncGenerator[Server]:
    async with http_server() as server:
        yield server


@pytest.fixture(scope="module")
async def world(server: Server) -> AsyncGenerator[NodeWorld]:
    async with node_world(allow=(server.host,)) as world:
        yield world


@pytest.fixture(autouse=True)
def forget(server: Server) -> None:
    server.received.clear()
    server.answers.clear()


async def failed(world: NodeWorld, config: JSONObject) -> Failed:
    outcome = await world.run("http", config)
    assert isinstance(outcome, Failed)
    return outcome


async def test_a_json_answer_is_parsed(world: NodeWorld, server: Server) -> None:
    server.answers["/orders/7"] = Answer(headers=JSON_HEADERS, body=b'{"total": 12.5}')

    outcome = await world.run("http", {"url": server.url + "/orders/{{ input.id }}"}, input={"id": 7})

    assert outcome == Completed(
        output={
            "status": 200,
            "headers": {"content-length": "15", "connection": "close", **JSON_HEADERS},
            "body": {"total": 12.5},
        }
    )


async def test_a_body_is_sent_as_json_with_the_same_idempotency_key_each_time(world: NodeWorld, server: Server) -> None:
    server.answers["/orders"] = Answer(status=201)
    config: JSONObject = {
        "method": "POST",
        "url": f"{server.url}/orders",
        "headers": {"X-Source": "weir", "x-count": 3, "x-none": None},
        "body": {"sku": "{{ input.sku }}", "quantity": "{{ input.quantity }}"},
    }

    await world.run("http", config, input={"sku": "a", "quantity": 2})
    await world.run("http", config, input={"sku": "a", "quantity": 2})

    first, second = server.received
    sent = {
        name: first.headers[name] for name in ("content-type", "x-source", "x-count", "idempotency-key", "user-agent")
    }
    assert (first.method, first.target, json.loads(first.body)) == ("POST", "/orders", {"sku": "a", "quantity": 2})
    assert sent == {
        "content-type": "application/json",
        "x-source": "weir",
        "x-count": "3",
        "idempotency-key": "execution_x:node",
        "user-agent": "weir",
    }
    assert "x-none" not in first.headers
    assert second.headers["idempotency-key"] == first.headers["idempotency-key"]


async def test_a_read_carries_no_idempotency_key_and_no_body(world: NodeWorld, server: Server) -> None:
    await world.run("http", {"url": server.url})

    [request] = server.received
    assert "idempotency-key" not in request.headers
    assert (request.method, request.body) == ("GET", b"")


@pytest.mark.parametrize(
    ("content_type", "body", "sent"),
    [
        ("application/x-www-form-urlencoded", {"a": "1 2", "b": [1, True], "c": None}, b"a=1+2&b=1&b=true"),
        ("application/x-www-form-urlencoded", "a=1", b"a=1"),
        ("text/plain; charset=utf-8", "Grüße", "Grüße".encode()),
        ("text/csv", {"a": 1}, b'{"a":1}'),
        ("application/ld+json", ["x"], b'["x"]'),
        (None, "text", b'"text"'),
        (None, 0, b"0"),
    ],
)
async def test_the_content_type_decides_how_a_body_is_written(
    world: NodeWorld, server: Server, content_type: str | None, body: JSON, sent: bytes
) -> None:
    await world.run(
        "http", {"method": "PUT", "url": server.url, "headers": {"Content-Type": content_type}, "body": body}
    )

    [request] = server.received
    assert (request.headers["content-type"], request.body) == (content_type or "application/json", sent)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("/find", "/find?q=a+b&tag=x&tag=1"),
        ("/find?a=1", "/find?a=1&q=a+b&tag=x&tag=1"),
        ("/find#top", "/find?q=a+b&tag=x&tag=1"),
    ],
)
async def test_query_parameters_are_added_to_the_url(world: NodeWorld, server: Server, url: str, target: str) -> None:
    await world.run("http", {"url": server.url + url, "query": {"q": "a b", "tag": ["x", 1], "none": None}})

    assert [request.target for request in server.received] == [target]


@pytest.mark.parametrize(
    ("headers", "content", "response_type", "body"),
    [
        ({"content-type": "text/plain"}, b'{"a": 1}', "auto", '{"a": 1}'),
        ({"content-type": "text/plain"}, b'{"a": 1}', "json", {"a": 1}),
        (JSON_HEADERS, b'{"a": 1}', "text", '{"a": 1}'),
        ({"content-type": "application/problem+json"}, b"[1]", "auto", [1]),
        (JSON_HEADERS, b"", "auto", None),
        ({}, b"", "auto", ""),
        ({"content-type": "text/plain; charset=latin-1"}, b"Gr\xfc\xdfe", "auto", "Grüße"),
        ({"content-type": "text/plain; charset=martian"}, b"x", "auto", "x"),
        ({"content-type": "text/plain"}, b"a\x00\xff", "auto", "a\ufffd\ufffd"),
        ({"content-type": "application/octet-stream"}, b"a\x00\xff", "text", "a\ufffd\ufffd"),
        ({"content-type": "application/octet-stream"}, b"", "auto", None),
        ({"content-type": "application/xml"}, b"<a/>", "auto", "<a/>"),
        ({}, b'<a x="1"><b>1</b><b/>t</a>', "xml", {"a": {"@x": "1", "b": ["1", None], "#text": "t"}}),
        (JSON_HEADERS, b"[1]", "none", None),
    ],
)
async def test_an_answer_is_read_by_its_content_type_or_as_told(
    world: NodeWorld, server: Server, headers: dict[str, str], content: bytes, response_type: str, body: JSON
) -> None:
    server.answers["/"] = Answer(headers=headers, body=content)

    outcome = await world.run("http", {"url": f"{server.url}/", "responseType": response_type})

    assert isinstance(outcome, Completed)
    assert isinstance(outcome.output, dict)
    assert outcome.output["body"] == body


@pytest.mark.parametrize(
    ("body_type", "body", "content_type", "sent"),
    [
        ("json", "text", "application/json", b'"text"'),
        ("form", {"a": "1 2", "b": [1, None, True]}, "application/x-www-form-urlencoded", b"a=1+2&b=1&b=true"),
        ("text", {"a": 1}, "text/plain; charset=utf-8", b'{"a":1}'),
        ("xml", {"a": {"@x": 1, "b": [1, "<&>"]}}, "application/xml",
         b'<?xml version="1.0" encoding="utf-8"?>\n<a x="1"><b>1</b><b>&lt;&amp;&gt;</b></a>'),
        ("xml", "<a/>", "application/xml", b"<a/>"),
        ("none", {"a": 1}, None, b""),
    ],
)  # fmt: skip
async def test_the_body_type_decides_how_a_body_is_written(
    world: NodeWorld, server: Server, body_type: str, body: JSON, content_type: str | None, sent: bytes
) -> None:
    await world.run("http", {"method": "POST", "url": server.url, "bodyType": body_type, "body": body})

    [request] = server.received
    assert (request.headers.get("content-type"), request.body) == (content_type, sent)


async def test_a_multipart_body_is_a_form_that_no_value_breaks_out_of(world: NodeWorld, server: Server) -> None:
    hostile = 'x"\r\nContent-Type: text/html\r\n\r\n'
    body: JSONObject = {"a": ["1", 2, None], hostile: "--weir-\r\n", "data": {"n": [1]}}

    await world.run("http", {"method": "POST", "url": server.url, "bodyType": "multipart", "body": body})

    [request] = server.received
    message = message_from_bytes(f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode() + request.body)
    parts = cast("list[Message]", message.get_payload())
    assert [
        (part.get_param("name", header="content-disposition"), part.get_content_type(), part.get_payload(decode=True))
        for part in parts
    ] == [
        ("a", "text/plain", b"1"),
        ("a", "text/plain", b"2"),
        ("x%22%0D%0AContent-Type: text/html%0D%0A%0D%0A", "text/plain", b"--weir-\r\n"),
        ("data", "application/json", b'{"n":[1]}'),
    ]


@pytest.mark.parametrize(
    ("body_type", "body"),
    [("multipart", "text"), ("binary", "text"), ("xml", {"a": 1, "b": 2}), ("xml", [1]), ("xml", {"a b": 1}),
     ("json", 10**30), ("binary", {"$file": "nonsense"})],
)  # fmt: skip
async def test_a_body_that_cannot_be_written_is_not_sent(
    world: NodeWorld, server: Server, body_type: str, body: JSON
) -> None:
    outcome = await failed(world, {"method": "POST", "url": server.url, "bodyType": body_type, "body": body})

    assert (outcome.code, outcome.retryable, server.received) == ("BODY_INVALID", False, [])


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1/x.dtd"><a/>',
        b"<a>" * 101 + b"</a>" * 101,
        b"<a>" + b"<b/>" * 50_001 + b"</a>",
        b"<a>",
        b"",
        b"\xff\xfe<",
    ],
)
async def test_xml_that_is_none_or_hostile_is_refused(world: NodeWorld, server: Server, document: bytes) -> None:
    server.answers["/"] = Answer(body=document)

    outcome = await failed(world, {"url": f"{server.url}/", "responseType": "xml"})

    assert (outcome.code, outcome.retryable) == ("RESPONSE_NOT_XML", False)


@pytest.mark.parametrize("response_type", ["auto", "json"])
async def test_json_that_is_none_fails_for_good(world: NodeWorld, server: Server, response_type: str) -> None:
    server.answers["/"] = Answer(headers=JSON_HEADERS, body=b"<html>")

    outcome = await failed(world, {"url": f"{server.url}/", "responseType": response_type})

    assert (outcome.code, outcome.retryable) == ("RESPONSE_NOT_JSON", False)


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(300, False), (400, False), (404, False), (408, True), (429, True), (500, True), (503, True)],
)
async def test_an_unexpected_status_is_an_error_with_what_came(
    world: NodeWorld, server: Server, status: int, retryable: bool
) -> None:
    server.answers["/"] = Answer(status=status, body=b"no")

    outcome = await failed(world, {"url": f"{server.url}/"})

    assert (outcome.code, outcome.message, outcome.retryable, outcome.details) == (
        "HTTP_STATUS",
        f"The answer has the status {status}",
        retryable,
        {"status": status, "body": "no"},
    )


@pytest.mark.parametrize(
    ("status", "expect", "fine"),
    [
        (404, ["4xx"], True),
        (500, ["4xx"], False),
        (250, ["200-250"], True),
        (251, ["200-250", 404], False),
        (404, ["200-250", 404], True),
        (299, [], True),
    ],
)
async def test_ranges_of_statuses_may_be_expected(
    world: NodeWorld, server: Server, status: int, expect: JSON, fine: bool
) -> None:
    server.answers["/"] = Answer(status=status)

    outcome = await world.run("http", {"url": f"{server.url}/", "expect": expect})

    assert isinstance(outcome, Completed) is fine


async def test_expected_statuses_are_no_error_and_others_are(world: NodeWorld, server: Server) -> None:
    server.answers |= {"/missing": Answer(status=404), "/there": Answer(status=200)}

    missing = await world.run("http", {"url": f"{server.url}/missing", "expect": [404]})
    there = await failed(world, {"url": f"{server.url}/there", "expect": [404]})

    assert isinstance(missing, Completed)
    assert there.code == "HTTP_STATUS"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (format_datetime(NOW + timedelta(seconds=90)), 90.0),
        (format_datetime(NOW - timedelta(seconds=90)), 0.0),
        ("soon", None),
        ("", None),
    ],
)
async def test_retry_after_is_honoured_as_seconds_or_a_date(
    world: NodeWorld, server: Server, header: str, seconds: float | None
) -> None:
    server.answers["/"] = Answer(status=503, headers={"retry-after": header})

    assert (await failed(world, {"url": f"{server.url}/"})).retry_after == seconds


async def test_redirects_are_followed_unless_told_otherwise(world: NodeWorld, server: Server) -> None:
    server.answers |= {"/old": Answer(status=301, headers={"location": "/new"}), "/new": Answer(body=b"here")}

    followed = await world.run("http", {"url": f"{server.url}/old"})
    kept = await world.run("http", {"url": f"{server.url}/old", "followRedirects": False, "expect": [301]})

    assert isinstance(followed, Completed)
    assert isinstance(kept, Completed)
    assert isinstance(followed.output, dict)
    assert isinstance(kept.output, dict)
    assert (followed.output["body"], kept.output["status"]) == ("here", 301)


async def test_the_nodes_timeout_bounds_the_request(world: NodeWorld, server: Server) -> None:
    given_up = asyncio.Event()

    async def never(request: Received) -> Answer:
        await given_up.wait()
        return Answer()

    server.answers["/"] = never
    outcome = await failed(replace(world, timeout=0.05), {"url": f"{server.url}/"})
    given_up.set()

    assert (outcome.code, outcome.retryable) == ("TIMEOUT", True)


async def test_a_private_address_is_refused_for_good_with_a_remedy(world: NodeWorld, server: Server) -> None:
    strict = Outgoing()
    outcome = await failed(replace(world, supplies=replace(world.supplies, http=strict)), {"url": server.url})
    await strict.close()

    assert (outcome.code, outcome.retryable) == ("ADDRESS_REFUSED", False)
    assert outcome.remedy == f"An administrator may allow it: WEIR_HTTP_ALLOW={server.host}"
    assert server.received == []


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, ["config.url"]),
        ({"url": "example.com"}, ["config.url"]),
        ({"url": "https://x", "headers": {"Host": "y", "Idempotency-Key": "z", "a": [1]}},
         ["config.headers.a", "config.headers.Host", "config.headers.Idempotency-Key"]),
        ({"url": "https://x", "method": "FETCH", "expect": [99, "6xx", "4xx"], "query": {"a": {}}},
         ["config.method", "config.query.a", "config.expect.0", "config.expect.1"]),
        ({"url": "orders", "connection": "shop"}, []),
        ({"url": "https://x", "bodyType": "yaml", "responseType": "yaml"},
         ["config.bodyType", "config.responseType"]),
    ],
)  # fmt: skip
def test_a_request_that_makes_no_sense_is_found_before_it_is_sent(config: JSONObject, expected: list[str]) -> None:
    findings = CATALOG.check(Node(id="a", kind="http", config=config))

    assert [".".join(finding.path) for finding in findings] == expected
