"""What stands before every route: headers on every answer, whose pages may call, under which names, how fast."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, Router, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from app.asgi import Parts, application
from app.edge import HEADERS, EdgeRules, guarded
from app.patient_http import HEAD_BYTES, PatientHttp
from app.up import listening, serving
from schema.transport import credentials_in

ORIGIN = "https://app.example.com"
EVERY = {name.lower(): value for name, value in HEADERS.items()}


async def take(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def breaks(request: Request) -> Response:
    raise RuntimeError("the password of the database is hunter2")


class GraphQL:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await JSONResponse({"data": None})(scope, receive, send)


def whole(rules: EdgeRules | None = None, *, assets: bool = True) -> ASGIApp:
    """The application with endpoints that need no servers."""
    checks = {"postgresql": lambda: True}
    return application(
        Parts(graphql=GraphQL(), token=take, resume=breaks, checks=checks, assets=assets, rules=rules or EdgeRules())
    )


def asking(app: ASGIApp, base_url: str = "http://weir.test") -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base_url)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 307),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("POST", "/auth/token", 200),
        ("PUT", "/auth/token", 405),
        ("POST", "/graphql", 200),
        ("POST", "/resume/x", 500),
        ("GET", "/nowhere", 404),
        ("GET", "/static/graphiql/page.js", 200),
        ("GET", "/static/graphiql/../../settings.py", 404),
        ("GET", "/static/graphiql/%2e%2e/%2e%2e/settings.py", 404),
    ],
)
async def test_every_answer_has_the_security_headers(method: str, path: str, status: int) -> None:
    async with asking(whole()) as client:
        answer = await client.request(method, path)

    assert answer.status_code == status
    expected = EVERY if "page.js" not in path else {**EVERY, "cache-control": "no-cache"}
    assert {name: answer.headers.get(name) for name in EVERY} == expected
    assert "strict-transport-security" not in answer.headers
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("rules", "url"), [(EdgeRules(https=True), "http://weir.test"), (EdgeRules(), "https://weir.test")]
)
async def test_behind_https_browsers_are_told_to_stay_there(rules: EdgeRules, url: str) -> None:
    async with asking(whole(rules), url) as client:
        answer = await client.get("/healthz")

    assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_an_unexpected_exception_is_told_by_an_id_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async with asking(whole()) as client:
        answer = await client.post("/resume/x")

    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert answer.json() == {
        "type": "about:blank",
        "title": "Internal error",
        "status": 500,
        "code": "INTERNAL",
        "errorId": answer.json()["errorId"],
    }
    assert answer.json()["errorId"] in record.getMessage()
    assert "hunter2" in str(record.exc_info and record.exc_info[1])


def cors(answer: httpx.Response) -> set[str]:
    return {name for name in answer.headers if name.startswith("access-control-")}


async def test_without_a_list_no_other_origin_may_call() -> None:
    async with asking(whole()) as client:
        asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
        preflight = await client.options("/auth/token", headers=asked)
        answer = await client.post("/auth/token", headers={"Origin": ORIGIN})

    assert (preflight.status_code, cors(preflight), cors(answer)) == (405, set(), set())


async def test_a_listed_origin_may_call_with_credentials_and_no_other_may() -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-api-key"}
    async with asking(whole(EdgeRules(origins=(ORIGIN,)))) as client:
        preflight = await client.options("/graphql", headers={**asked, "Origin": ORIGIN})
        answer = await client.post("/graphql", headers={"Origin": ORIGIN})
        strangers = [
            await client.options("/auth/token", headers={**asked, "Origin": origin})
            for origin in ("https://evil.example", f"{ORIGIN}.evil.example", "null", "http://app.example.com")
        ]
        stranger = await client.post("/graphql", headers={"Origin": "https://evil.example"})

    assert preflight.status_code == 200
    for told in (preflight, answer):
        assert told.headers["access-control-allow-origin"] == ORIGIN
        assert told.headers["access-control-allow-credentials"] == "true"
        assert told.headers["vary"].startswith("Origin")
    assert [cors(each) for each in (*strangers, stranger)] == [set()] * 5
    assert {each.status_code for each in strangers} == {405}
    assert stranger.headers["vary"] == "Origin"


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("weir.example.com", True),
        ("WEIR.example.com:8443", True),
        ("a.example.org", True),
        ("[::1]:8000", True),
        ("example.org", False),
        ("evil.example", False),
        ("weir.example.com.evil.example", False),
        ("evilexample.org", False),
        ("", False),
    ],
)
async def test_only_known_names_are_answered_except_to_probes(host: str, known: bool) -> None:
    rules = EdgeRules(hosts=("weir.example.com", "*.example.org", "[::1]"))
    async with asking(whole(rules)) as client:
        answer = await client.post("/graphql", headers={"Host": host})
        probe = await client.get("/healthz", headers={"Host": host})

    assert (answer.status_code, probe.status_code) == (200 if known else 421, 200)


async def test_graphiql_and_its_files_are_not_served_where_they_are_off() -> None:
    async with asking(whole(assets=False)) as client:
        answer = await client.get("/static/graphiql/page.js")

    assert answer.status_code == 404


async def test_a_cookie_is_no_credential() -> None:
    """So a page of another site can make a browser send a request, and yet nobody is signed in by it."""
    from_cookie = {"Cookie": "authorization=Bearer x; token=x; session=x; x-api-key=x"}
    seen: list[str | None] = []

    async def see(request: Request) -> Response:
        seen.append(credentials_in(request.headers))
        return PlainTextResponse("")

    async with asking(guarded(Router([Route("/", see)]), EdgeRules())) as client:
        await client.get("/", headers=from_cookie)

    assert seen == [None]


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the application on its real server."""
    with listening("127.0.0.1", 0) as bound:
        async with serving(app, bound):
            reader, writer = await asyncio.open_connection("127.0.0.1", bound.getsockname()[1])
            try:
                yield reader, writer
            finally:
                writer.close()


HEAD = b"POST /auth/token HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


async def test_a_body_that_does_not_come_is_answered_with_408_and_hung_up_on() -> None:
    async with served(whole(EdgeRules(body_seconds=0.2))) as (reader, writer), asyncio.timeout(10):
        writer.write(HEAD % 100 + b"a")
        said = await reader.read()

    assert said.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"TIMEOUT"' in said


async def test_a_body_that_trickles_is_cut_off_however_long_it_goes_on() -> None:
    async with served(whole(EdgeRules(body_seconds=0.3))) as (reader, writer), asyncio.timeout(10):
        writer.write(HEAD % 100_000)
        said = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
        while not said.done():
            writer.write(b"a")
            await asyncio.wait({said}, timeout=0.02)

    assert said.result().startswith(b"HTTP/1.1 408 ")


async def test_a_body_that_comes_fast_enough_has_all_the_time_it_needs() -> None:
    """0.1 s and one more for each KiB: it takes longer than the first and is never behind the second."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"a" * 1024
            await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=0.05)

    async with asking(whole(EdgeRules(body_seconds=0.1))) as client:
        answer = await client.post("/auth/token", content=pieces())

    assert (answer.status_code, answer.text) == (200, "4096")


async def test_a_sign_in_that_is_cut_off_is_no_internal_error(caplog: pytest.LogCaptureFixture) -> None:
    async def cut_off(request: Request) -> Response:
        return PlainTextResponse(str(await request.json()))  # raises ClientDisconnect

    app = guarded(Router([Route("/auth/token", cut_off, methods=["POST"])]), EdgeRules(body_seconds=0.1))
    async with served(app) as (reader, writer), asyncio.timeout(10):
        writer.write(HEAD % 100)
        said = await reader.read()

    assert said.startswith(b"HTTP/1.1 408 ")
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX: ", b"\r\n\r\n"])
async def test_a_head_that_does_not_come_is_hung_up_on(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(PatientHttp, "head_seconds", 0.2)
    async with served(whole()) as (reader, writer), asyncio.timeout(10):
        writer.write(sent)
        assert await reader.read() == b""


async def test_a_second_head_that_does_not_come_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatientHttp, "head_seconds", 0.2)
    async with served(whole()) as (reader, writer), asyncio.timeout(10):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        first = await reader.readuntil(b"ok")
        writer.write(b"GET /healthz HTT")
        rest = await reader.read()

    assert (first.startswith(b"HTTP/1.1 200 "), rest) == (True, b"")


async def test_a_body_after_its_answer_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatientHttp, "head_seconds", 0.2)
    async with served(whole()) as (reader, writer), asyncio.timeout(10):
        writer.write(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        first = await reader.readuntil(b"\r\n\r\nNot Found")
        writer.write(b"a")
        rest = await reader.read()

    assert (first.startswith(b"HTTP/1.1 404 "), rest) == (True, b"")


async def test_a_head_without_end_is_hung_up_on() -> None:
    async with served(whole()) as (reader, writer), asyncio.timeout(10):
        writer.write(b"GET / HTTP/1.1\r\nX: " + b"a" * (2 * HEAD_BYTES))
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)


async def test_requests_one_after_another_on_one_connection_are_all_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatientHttp, "head_seconds", 5)
    async with served(whole()) as (reader, writer), asyncio.timeout(10):
        for _ in range(3):
            writer.write(HEAD % 3 + b"abc" + HEAD % 2 + b"ab")  # the second before the first is answered
            assert (await reader.readuntil(b"\r\n\r\n3")).startswith(b"HTTP/1.1 200 ")
            assert (await reader.readuntil(b"\r\n\r\n2")).startswith(b"HTTP/1.1 200 ")


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text)


async def test_a_websocket_outlives_the_patience_with_heads_and_is_opened_under_known_names_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(PatientHttp, "head_seconds", 0.1)
    app = guarded(Router([WebSocketRoute("/", echo)]), EdgeRules(hosts=("127.0.0.1",)))
    with listening("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        async with serving(app, bound), asyncio.timeout(10), connect(f"ws://127.0.0.1:{port}/") as socket:
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"ws://localhost:{port}/", host="127.0.0.1")
            idle, _ = await asyncio.open_connection("127.0.0.1", port)
            assert await idle.read() == b""  # so the patience is over for the socket too
            await socket.send("still here")
            assert await socket.recv() == "still here"

    assert refused.value.response.status_code == 403
