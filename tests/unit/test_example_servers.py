"""The demo servers of the examples: they honour idempotency keys and count, so that a run can be held against them."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from app.demo import demo_server
from examples.demo_server import Demo, Fields, Refusal

EXAMPLES = Path(__file__).parents[2] / "examples"


def shop() -> Demo:
    demo = Demo(pause=0)
    sold: list[str] = []

    @demo.route("POST /articles/{name}/sales")
    def sell(request: Fields) -> object:
        if request["pieces"] > 10:
            raise Refusal(409, "So many are not there")
        sold.append(request["name"])
        return {"number": len(sold)}

    return demo


def test_a_request_with_a_known_key_is_answered_as_before_and_not_carried_out_again() -> None:
    demo = shop()
    target = "/articles/oak%20desk/sales"

    first = demo.answer("POST", target, {"pieces": 1}, "key-1")
    again = demo.answer("POST", target, {"pieces": 1}, "key-1")
    other = demo.answer("POST", target, {"pieces": 1}, "key-2")

    assert (first, again, other) == ((200, {"number": 1}), (200, {"number": 1}), (200, {"number": 2}))
    assert demo.statistics() == {
        "calls": {"POST /articles/{name}/sales": 2},
        "repeated": {"POST /articles/{name}/sales": 1},
    }


def test_a_refused_request_may_be_tried_again_with_its_key() -> None:
    demo = shop()

    assert demo.answer("POST", "/articles/lamp/sales", {"pieces": 11}, "key") == (
        409,
        {"error": "So many are not there"},
    )
    assert demo.answer("POST", "/articles/lamp/sales", {"pieces": 10}, "key") == (200, {"number": 1})


def test_an_unknown_route_and_a_missing_field_are_told() -> None:
    demo = shop()

    assert demo.answer("GET", "/articles", {}, None) == (404, {"error": "There is no GET /articles here"})
    assert demo.answer("POST", "/articles/lamp/sales", {}, None) == (
        422,
        {"error": "The request cannot be understood: KeyError('pieces')"},
    )


def test_a_person_clicks_again_when_the_page_does_not_load() -> None:
    clicked: list[bytes] = []
    enough = threading.Event()

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            clicked.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(503 if len(clicked) == 1 else 200)
            self.end_headers()
            if len(clicked) == 2:
                enough.set()

        def log_message(self, format: str, *args: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        Demo().click(f"http://127.0.0.1:{server.server_port}/resume/x", {"decision": "approved"}, after=0)

        assert enough.wait(5)
        assert clicked == [b'{"decision": "approved"}'] * 2
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("script", ["shop.py", "accounting.py", "helpdesk.py", "people.py", "cloud.py", "authority.py"])
async def test_every_demo_starts_as_a_run_starts_it_and_tells_its_counts(tmp_path: Path, script: str) -> None:
    document = EXAMPLES / "any.yaml"

    async with (
        demo_server(document, script, log=tmp_path / "demo.log", say=lambda _: None) as demo,
        httpx.AsyncClient(base_url=demo.url) as client,
    ):
        bad = await client.post("/messages", content=b"[]")
        told = await client.post("/messages", json={"to": "a@b.example", "text": "hello"})
        statistics = await client.get("/statistics")

    assert (bad.status_code, bad.json()) == (400, {"error": "The body is not a JSON object"})
    assert (told.status_code, told.json()) == (200, {"delivered": True, "to": "a@b.example"})
    assert statistics.json() == {"calls": {"POST /messages": 1}, "repeated": {}}
