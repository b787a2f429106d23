"""URLs that try to reach this machine or its network: none opens a connection, whoever sends it and at whatever hop."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address

import pytest

from domain.destinations import destination
from jobs.outgoing import Outgoing, OutgoingError, OutgoingRequest
from tests.unit.http_server import Answer, http_server

ANYWHERE = str(IPv4Address(0))
LOOPBACK = (
    "127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "2130706433", "0x7f000001", "0x7F.0.0.1", "0x7f.1",
    "017700000001", "0177.0.0.1", "0177.1", "0x7f.0.0x0.01", "127.0.0.1.", "%31%32%37.0.0.1", "①②⑦.⓪.⓪.①",
    "１２７.０.０.１", "127。0。0。1", "127.0.0\u00ad.1", "localhost", "LOCALHOST", "localhost.", "0", ANYWHERE, "0x0",
    "[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:1]",
    "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "user@127.0.0.1", "example.com@127.0.0.1",
    "example.com%40@127.0.0.1",
)  # fmt: skip
"""What stands between `http://` and `:PORT/`."""
NETWORK = (
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "169.254.169.254", "2852039166",
    "0xa9fea9fe", "0251.0376.0251.0376", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]", "[fd00:ec2::254]", "[fe80::1]", "[fec0::1]", "[fc00::1]", "[ff02::1]", "224.0.0.1",
    "255.255.255.255", "192.0.0.192", "198.18.0.1", "168.63.129.16", "240.0.0.1", "[2001:db8::1]",
)  # fmt: skip
SCHEMES = (
    "file:///etc/passwd", "gopher://127.0.0.1:{port}/_x", "ftp://127.0.0.1:{port}/", "dict://127.0.0.1:{port}/d",
    "ldap://127.0.0.1:{port}/", "data:text/plain,x", "//127.0.0.1:{port}/", "127.0.0.1:{port}/", "javascript:1",
    "unix:///var/run/docker.sock", "http:127.0.0.1:{port}", "http:///127.0.0.1:{port}/",
)  # fmt: skip


@dataclass(slots=True)
class Doorkeeper:
    """Listens on every address of this machine and counts who comes."""

    port: int = 0
    came: int = 0


@asynccontextmanager
async def doorkeeper() -> AsyncGenerator[Doorkeeper]:
    keeper = Doorkeeper()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        keeper.came += 1
        writer.close()

    listening = await asyncio.start_server(take, None, 0)
    keeper.port = listening.sockets[0].getsockname()[1]
    try:
        yield keeper
    finally:
        listening.close()


async def refusal(url: str, outgoing: Outgoing | None = None) -> OutgoingError:
    sender = outgoing or Outgoing()
    try:
        with pytest.raises(OutgoingError) as caught:
            await sender.send(OutgoingRequest(method="GET", url=url, timeout=5))
    finally:
        await sender.close()
    return caught.value


@pytest.mark.parametrize("host", LOOPBACK)
async def test_no_spelling_of_this_machine_opens_a_connection(host: str) -> None:
    async with doorkeeper() as keeper:
        error = await refusal(f"http://{host}:{keeper.port}/")

    assert keeper.came == 0
    # A host that is no name either is not even looked up.
    assert error.code in ("ADDRESS_REFUSED", "REQUEST_INVALID", "CONNECTION_FAILED")
    if error.code == "CONNECTION_FAILED":
        assert "cannot be resolved" in error.message


@pytest.mark.parametrize("host", NETWORK)
async def test_no_spelling_of_a_private_or_special_network_is_reached(host: str) -> None:
    error = await refusal(f"http://{host}/")

    assert error.code == ("REQUEST_INVALID" if host == "0251.0376.0251.0376" else "ADDRESS_REFUSED")


@pytest.mark.parametrize("url", SCHEMES)
async def test_nothing_but_http_is_spoken(url: str) -> None:
    async with doorkeeper() as keeper:
        error = await refusal(url.format(port=keeper.port))

    assert (error.code, keeper.came) == ("REQUEST_INVALID", 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "[::ffff:127.0.0.1]", "localhost"])
@pytest.mark.parametrize("hops", [1, 3])
async def test_a_redirect_at_any_hop_to_this_machine_is_refused(host: str, hops: int) -> None:
    async with doorkeeper() as keeper, http_server() as server:
        for hop in range(hops):
            onward = f"/{hop + 1}" if hop + 1 < hops else f"http://{host}:{keeper.port}/"
            server.answers[f"/{hop}"] = Answer(status=307, headers={"location": onward})
        error = await refusal(f"{server.url}/0", Outgoing(allow=[server.host]))

    assert (error.code, keeper.came, len(server.received)) == ("ADDRESS_REFUSED", 0, hops)


async def test_a_redirect_to_another_scheme_is_refused() -> None:
    async with http_server() as server:
        server.answers["/"] = Answer(status=302, headers={"location": "file:///etc/passwd"})
        error = await refusal(f"{server.url}/", Outgoing(allow=[server.host]))

    assert error.code == "REQUEST_INVALID"


async def test_a_name_that_changes_its_mind_is_asked_once_for_each_connection() -> None:
    """The first answer is what is checked and what is connected to; the second would be this machine."""
    answers = [["192.0.2.1"], ["127.0.0.1"]]

    async def rebinding(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    async with doorkeeper() as keeper:
        error = await refusal(f"http://rebinding.example:{keeper.port}/", Outgoing(resolve=rebinding))

    assert (error.code, keeper.came, answers) == ("ADDRESS_REFUSED", 0, [["127.0.0.1"]])


async def test_a_name_that_leads_to_this_machine_after_a_redirect_is_checked_again() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    async with http_server() as server, doorkeeper() as keeper:
        location = f"http://rebinding.example:{keeper.port}/"
        server.answers["/"] = Answer(status=302, headers={"location": location})
        sender = Outgoing(allow=[f"good.example:{server.port}"], resolve=resolve)
        error = await refusal(f"http://good.example:{server.port}/", sender)

    assert (error.code, keeper.came) == ("ADDRESS_REFUSED", 0)


@pytest.mark.parametrize("denied", ["127.0.0.1", "127.0.0.0/8", "denied.example", "example"])
async def test_what_is_denied_is_not_reached_though_it_is_allowed(denied: str) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    async with doorkeeper() as keeper:
        for block_private in (True, False):
            sender = Outgoing(
                allow=["denied.example"],
                deny=[destination(denied)],
                block_private=block_private,
                resolve=resolve,
            )
            error = await refusal(f"http://denied.example:{keeper.port}/", sender)
            assert (error.code, error.message) == (
                "ADDRESS_REFUSED",
                f"denied.example:{keeper.port} is denied on this installation",
            )

    assert keeper.came == 0
