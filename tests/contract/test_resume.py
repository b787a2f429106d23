"""Links that continue a step: who holds one may, and nobody learns anything from one that does not hold."""

import base64
from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

import httpx
import pytest
import uuid_utils.compat as uuid
from starlette.responses import PlainTextResponse

from app.asgi import Parts, application
from app.resume import ResumeEndpoint
from app.secrets import derived
from db.inbox import PostgresInbox
from domain.callbacks import Callback, make_token
from domain.engine.events import EventKind
from domain.ids import ExecutionId, TenantId, encode
from domain.json import as_object
from tests.contract.engine_room import MASTER_KEY, URL, EngineRoom
from tests.contract.flows import flow, http, step
from tests.contract.local_server import LocalServer

pytest_plugins = ["tests.contract.engine_fixture"]

SECRET = derived(MASTER_KEY, "resume token")
HOLD = flow(step("hold", "wait", callback=True), step("done", "end"), "start > hold > done")
NOBODY = Callback(tenant_id=TenantId(uuid.uuid7()), execution_id=ExecutionId(uuid.uuid7()), path="hold")


@pytest.fixture
async def visitor(room: EngineRoom) -> AsyncGenerator[httpx.AsyncClient]:
    """Somebody without credentials, at the application's own routes."""
    resume = ResumeEndpoint(
        secrets=lambda: [SECRET], inbox=PostgresInbox(room.pool), doorbell=room.doorbell, ids=uuid.uuid7
    )
    elsewhere = PlainTextResponse("elsewhere")
    app = application(Parts(graphql=elsewhere, token=resume.__call__, resume=resume.__call__, checks={}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL) as client:
        yield client


async def waiting(engine: EngineRoom) -> tuple[ExecutionId, str]:
    """An execution that waits for its link, and the path of that link."""
    published = await engine.publish(HOLD)
    execution = await engine.start(published)
    await engine.let_go(execution)
    callback = Callback(tenant_id=published.tenant_id, execution_id=execution, path="hold")
    return execution, f"/resume/{make_token(SECRET, callback)}"


async def test_the_link_an_earlier_step_sent_out_continues_the_wait(
    engine: EngineRoom, server: LocalServer, visitor: httpx.AsyncClient
) -> None:
    execution = await engine.run(
        flow(
            http("mail", f"{server.url}/mail", method="POST", body={"link": "{{ execution.callbacks.hold }}"}),
            step("hold", "wait", callback=True),
            step("done", "end"),
            "start > mail > hold > done",
        )
    )
    await engine.event(execution, EventKind.WAITING, "hold")
    link = urlsplit(server.asked[0].body.decode().removeprefix('{"link":"').removesuffix('"}'))

    answer = await visitor.post(
        f"{link.path}?by=Ada&by=Bob",
        json={"ok": True},
        headers={"Authorization": "Bearer secret", "Cookie": "secret", "X-Note": "seen"},
    )

    assert f"{link.scheme}://{link.netloc}" == URL
    assert (answer.status_code, answer.json()) == (
        202,
        {"execution": encode("execution", execution), "status": "accepted"},
    )
    ending = await engine.ending(execution)
    output = as_object(ending.output)
    assert (ending.status, output["method"], output["query"], output["body"]) == (
        "COMPLETED",
        "POST",
        {"by": "Bob"},
        {"ok": True},
    )
    headers = as_object(output["headers"])
    assert headers["x-note"] == "seen"
    assert "secret" not in str(await engine.log(execution))


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_any_method_continues_it(engine: EngineRoom, visitor: httpx.AsyncClient, method: str) -> None:
    execution, link = await waiting(engine)

    assert (await visitor.request(method, link)).status_code == 202

    output = as_object((await engine.ending(execution)).output)
    assert (output["method"], output["body"]) == (method, None)


@pytest.mark.parametrize(
    ("kind", "sent", "body"),
    [
        ("application/json", b'{"n": 1}', {"n": 1}),
        ("application/vnd.api+json; charset=utf-8", b"[null]", [None]),
        ("application/x-www-form-urlencoded", b"a=1&b=%C3%A4&b=&c", {"a": "1", "b": "", "c": ""}),
        ("text/plain", "ä".encode(), "ä"),
    ],
    ids=["json", "a kind of json", "form", "text"],
)
async def test_the_body_is_what_its_content_type_says(
    engine: EngineRoom, visitor: httpx.AsyncClient, kind: str, sent: bytes, body: object
) -> None:
    execution, link = await waiting(engine)

    await visitor.post(link, content=sent, headers={"Content-Type": kind})

    assert as_object((await engine.ending(execution)).output)["body"] == body


@pytest.mark.parametrize(
    ("kind", "sent", "status"),
    [
        ("application/json", b"{", 422),
        ("application/json", b'"\xff"', 422),
        ("application/json", b'"\\ud800"', 422),
        ("application/json", b'"\\u0000"', 422),
        ("application/json", b"[" * 900 + b"]" * 900, 413),
        ("application/json", b"[" * 100_000, 422),
        ("text/plain", b"\xff", 422),
        ("text/plain", b"\x00", 422),
        ("text/plain", b"x" * (1024 * 1024 + 1), 413),
        ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 1_001), 422),
        ("application/x-www-form-urlencoded", b"a=%00", 422),
    ],
    ids=[
        "torn",
        "no UTF-8",
        "half a pair",
        "NUL",
        "deep",
        "bottomless",
        "text",
        "NUL text",
        "large",
        "fields",
        "NUL field",
    ],
)
async def test_a_body_that_cannot_be_taken_is_refused_and_the_wait_goes_on(
    engine: EngineRoom, visitor: httpx.AsyncClient, kind: str, sent: bytes, status: int
) -> None:
    execution, link = await waiting(engine)

    answer = await visitor.post(link, content=sent, headers={"Content-Type": kind})

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["path"] == ["body"]
    assert await engine.pool.fetchval("SELECT count(*) FROM execution_inbox WHERE execution_id = $1", execution) == 0


async def test_a_query_that_cannot_be_stored_is_refused(engine: EngineRoom, visitor: httpx.AsyncClient) -> None:
    _, link = await waiting(engine)

    assert (await visitor.get(f"{link}?a=%00")).status_code == 422


async def test_links_that_do_not_hold_all_answer_alike(room: EngineRoom, visitor: httpx.AsyncClient) -> None:
    published = await room.publish(HOLD)
    execution = await room.start(published, ring=False)
    good = Callback(tenant_id=published.tenant_id, execution_id=execution, path="hold")
    raw = base64.urlsafe_b64decode(make_token(SECRET, good) + "==")
    tokens = [
        "x",
        "%00",
        "%C3%A4",
        "A" * 4_000,
        make_token(b"another secret", good),
        base64.urlsafe_b64encode(raw[:-1] + bytes([raw[-1] ^ 1])).decode().rstrip("="),
        base64.urlsafe_b64encode(bytes([raw[0] ^ 1]) + raw[1:]).decode().rstrip("="),
        make_token(SECRET, NOBODY),
        make_token(SECRET, Callback(tenant_id=NOBODY.tenant_id, execution_id=execution, path="hold")),
    ]

    answers = [await visitor.post(f"/resume/{token}", json=1) for token in tokens]

    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
    assert await room.pool.fetchval("SELECT count(*) FROM execution_inbox WHERE execution_id = $1", execution) == 0


async def test_a_link_of_an_execution_that_is_over_says_so(engine: EngineRoom, visitor: httpx.AsyncClient) -> None:
    execution, link = await waiting(engine)
    await visitor.post(link)
    await engine.over(execution)

    answer = await visitor.post(link)

    assert (answer.status_code, answer.json()["code"]) == (409, "INVALID_STATE")


async def test_a_request_repeated_under_one_idempotency_key_is_one(
    engine: EngineRoom, visitor: httpx.AsyncClient
) -> None:
    published = await engine.publish(
        flow(
            step("hold", "wait", callback=True),
            step("more", "wait", signal="more"),
            "start > hold > more",
        )
    )
    execution = await engine.start(published)
    await engine.let_go(execution)
    link = make_token(SECRET, Callback(tenant_id=published.tenant_id, execution_id=execution, path="hold"))

    answers = [await visitor.post(f"/resume/{link}", headers={"Idempotency-Key": "one"}) for _ in range(2)]
    await engine.event(execution, EventKind.WAITING, "more")
    answers.append(await visitor.post(f"/resume/{link}", headers={"Idempotency-Key": "one"}))

    assert [answer.json()["status"] for answer in answers] == ["accepted", "repeated", "repeated"]
    signals = [each for each in await engine.log(execution) if each.kind is EventKind.SIGNAL_RECEIVED]
    assert len(signals) == 1
