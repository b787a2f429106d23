"""Outgoing requests: what is refused, what is followed, and that nothing of one tenant stays for another."""

import asyncio
import gzip
from collections.abc import AsyncGenerator, Sequence

import pytest

from jobs.outgoing import Outgoing, OutgoingError, OutgoingRequest, OutgoingResponse
from tests.unit.http_server import Answer, Received, Server, http_server


@pytest.fixture
async def server() -> AsyncGenerator[Server]:
    async with http_server() as server:
        yield server


async def send(outgoing: Outgoing, url: str, **how: object) -> OutgoingResponse:
    try:
        return await outgoing.send(OutgoingRequest(method="GET", url=url, **how))  # pyright: ignore[reportArgumentType]
    finally:
        await outgoing.close()


async def refusal(outgoing: Outgoing, url: str, **how: object) -> OutgoingError:
    with pytest.raises(OutgoingError) as caught:
        await send(outgoing, url, **how)
    return caught.value


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"]
)
async def test_no_spelling_of_the_own_machine_is_reached(server: Server, host: str) -> None:
    error = await refusal(Outgoing(), f"http://{host}:{server.port}/")

    assert (error.code, error.retryable) == ("ADDRESS_REFUSED", False)
    assert server.received == []


async def test_the_refusal_names_the_address_and_who_may_allow_it(server: Server) -> None:
    error = await refusal(Outgoing(), f"http://localhost:{server.port}/")

    assert f"localhost:{server.port} leads to the address" in error.message
    assert error.remedy == f"An administrator may allow it: WEIR_HTTP_ALLOW=localhost:{server.port}"


async def test_an_allowed_host_and_port_is_reached_and_no_other_port(server: Server) -> None:
    server.answers["/"] = Answer(body=b"hello")

    response = await send(Outgoing(allow=[server.host]), server.url)
    error = await refusal(Outgoing(allow=["127.0.0.1:1"]), server.url)

    assert (response.status, response.content) == (200, b"hello")
    assert error.code == "ADDRESS_REFUSED"


async def test_an_allowed_host_without_port_is_reached_on_every_port(server: Server) -> None:
    response = await send(Outgoing(allow=["127.0.0.1"]), server.url)

    assert response.status == 404


async def test_an_installation_may_allow_private_addresses_altogether(server: Server) -> None:
    assert (await send(Outgoing(block_private=False), server.url)).status == 404


async def test_a_redirect_to_a_private_address_is_refused(server: Server) -> None:
    async with http_server() as inside:
        server.answers["/"] = Answer(status=302, headers={"location": f"{inside.url}/secret"})

        error = await refusal(Outgoing(allow=[server.host]), server.url)

        assert error.code == "ADDRESS_REFUSED"
        assert inside.received == []


async def test_a_name_is_resolved_once_and_the_connection_goes_to_that_address(server: Server) -> None:
    """A name that changes between check and connection (DNS rebinding) gains nothing; `.example` exists nowhere."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    outgoing = Outgoing(allow=["rebinding.example"], resolve=resolve)
    response = await send(outgoing, f"http://rebinding.example:{server.port}/")

    assert (response.status, asked) == (404, ["rebinding.example"])


async def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["93.184.216.34", "10.0.0.1"]

    assert (await refusal(Outgoing(resolve=resolve), "http://mixed.example/")).code == "ADDRESS_REFUSED"


async def test_the_next_address_is_tried_when_one_does_not_answer(server: Server) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.2", "127.0.0.1"]

    response = await send(Outgoing(allow=["two.example"], resolve=resolve), f"http://two.example:{server.port}/")

    assert response.status == 404
    assert server.received[0].headers["host"] == f"two.example:{server.port}"


async def test_a_name_that_does_not_exist_and_a_closed_port_are_worth_another_try(server: Server) -> None:
    async def nowhere(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    unknown = await refusal(Outgoing(resolve=nowhere), "http://nowhere.example/")
    closed = await refusal(Outgoing(allow=["127.0.0.1:1"]), "http://127.0.0.1:1/")

    assert (unknown.code, unknown.retryable) == ("CONNECTION_FAILED", True)
    assert (closed.code, closed.retryable) == ("CONNECTION_FAILED", True)


async def test_redirects_are_followed_up_to_a_limit_and_only_when_wanted(server: Server) -> None:
    server.answers |= {
        "/a": Answer(status=302, headers={"location": "/b"}),
        "/b": Answer(body=b"there"),
        "/round": Answer(status=302, headers={"location": "/round"}),
    }

    followed = await send(Outgoing(allow=[server.host]), f"{server.url}/a")
    left = await send(Outgoing(allow=[server.host]), f"{server.url}/a", follow_redirects=False)
    error = await refusal(Outgoing(allow=[server.host]), f"{server.url}/round")

    assert (followed.status, followed.content) == (200, b"there")
    assert (left.status, left.headers["location"]) == (302, "/b")
    assert error.code == "TOO_MANY_REDIRECTS"


@pytest.mark.parametrize("compressed", [False, True])
async def test_a_response_beyond_the_limit_is_refused_even_when_compressed(server: Server, compressed: bool) -> None:
    body = b"x" * 100_001
    headers = {"content-encoding": "gzip"} if compressed else {}
    server.answers["/"] = Answer(body=gzip.compress(body) if compressed else body, headers=headers)

    error = await refusal(Outgoing(allow=[server.host], max_response_bytes=100_000), server.url)

    assert (error.code, error.message) == ("RESPONSE_TOO_LARGE", "The response has more than 100,000 bytes")


async def test_the_timeout_is_for_everything_together(server: Server) -> None:
    given_up = asyncio.Event()

    async def never(request: Received) -> Answer:
        await given_up.wait()
        return Answer()

    server.answers["/"] = never
    error = await refusal(Outgoing(allow=[server.host]), server.url, timeout=0.05)
    given_up.set()

    assert (error.code, error.retryable) == ("TIMEOUT", True)


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("ftp://example.com/", {}),
        ("file:///etc/passwd", {}),
        ("/relative", {}),
        ("http://", {}),
        ("http://[::1", {}),
        ("http://127.0.0.1:99999/", {}),
        ("http://allowed.example/", {"näme": "x"}),
        ("http://allowed.example/", {"a": "x\r\nb: y"}),
    ],
)
async def test_a_request_that_cannot_be_sent_is_not_tried_again(
    server: Server, url: str, headers: dict[str, str]
) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    local = url.replace("allowed.example", f"allowed.example:{server.port}")
    error = await refusal(Outgoing(allow=["allowed.example"], resolve=resolve), local, headers=headers)

    assert (error.code, error.retryable) == ("REQUEST_INVALID", False)
    assert server.received == []


async def test_no_cookie_of_one_request_is_sent_with_the_next(server: Server) -> None:
    server.answers["/"] = Answer(headers={"set-cookie": "session=secret; Path=/"})
    outgoing = Outgoing(allow=[server.host])

    await outgoing.send(OutgoingRequest(method="GET", url=server.url))
    await send(outgoing, server.url)

    assert len(server.received) == 2
    assert all("cookie" not in request.headers for request in server.received)


async def test_an_error_message_does_not_tell_what_may_be_secret_in_the_url() -> None:
    error = await refusal(Outgoing(allow=["127.0.0.1:1"]), "http://user:password@127.0.0.1:1/path?token=secret")

    assert "http://127.0.0.1:1/path" in error.message
    assert not any(word in error.message for word in ("user", "password", "secret"))
