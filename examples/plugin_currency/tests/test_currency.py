"""The currency node, run for real against a local service of rates."""

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest
from weir_currency.node import KIND

from weir_kit import Completed, Failed, JSONObject, Outcome, check_config, run_node

asked: list[str] = []


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    target = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
    asked.append(target)
    known = "symbols=USD" in target
    body = json.dumps({"base": "EUR", "rates": {"USD": 1.1}} if known else {"message": "not found"}).encode()
    head = f"HTTP/1.1 {200 if known else 404} x\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    writer.close()


@pytest.fixture
async def host() -> AsyncGenerator[str]:
    asked.clear()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def convert(host: str, **config: str | float) -> Outcome:
    written: JSONObject = {"rates": f"http://{host}", **config}
    return await run_node(KIND, written, input={"total": "19.99"}, allow=[host])


async def test_an_amount_is_converted_at_the_rate_of_the_service(host: str) -> None:
    outcome = await convert(host, amount="{{ input.total }}", **{"from": "EUR", "to": "USD"})

    assert outcome == Completed(output={"amount": 21.99, "currency": "USD", "rate": 1.1})
    assert asked == ["/latest?base=EUR&symbols=USD"]


async def test_the_same_currency_needs_no_service(host: str) -> None:
    outcome = await convert(host, amount=5, **{"from": "EUR", "to": "EUR"})

    assert outcome == Completed(output={"amount": 5.0, "currency": "EUR", "rate": 1.0})
    assert asked == []


async def test_a_currency_without_a_rate_is_an_error_that_is_not_tried_again(host: str) -> None:
    outcome = await convert(host, amount=5, **{"from": "EUR", "to": "XXX"})

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("NO_RATE", False)


async def test_an_editor_is_told_what_is_wrong() -> None:
    findings = check_config(KIND, {"amount": 1, "from": "EUR", "to": "EUR"})

    assert [(finding.code, finding.path) for finding in findings] == [("SAME_CURRENCY", ("to",))]
