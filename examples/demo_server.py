"""What the demo servers of these examples share: routes, idempotency keys, counters, people who click links.

Standard library only. A demo names its routes and calls `serve`; started as `python shop.py --port 0` it prints
`ready http://127.0.0.1:PORT` once it answers, and it ends with the process that started it.

A request with an `Idempotency-Key` that was answered before is not carried out again: it gets the first answer and is
counted as repeated. `GET /statistics` tells the counts.
"""

import argparse
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit
from zlib import crc32

Fields = dict[str, Any]
Handler = Callable[[Fields], object]
LARGEST_BODY = 1 << 20


class Refusal(Exception):
    """A route refuses: the HTTP status and what to tell the caller."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass
class Demo:
    """Routes such as `POST /payments` or `GET /vendors/{id}`, called with path, query and body fields in one dict."""

    routes: dict[str, Handler] = field(default_factory=dict[str, Handler])
    pause: float = 0.08
    calls: Counter[str] = field(default_factory=Counter[str])
    repeated: Counter[str] = field(default_factory=Counter[str])
    answers: dict[str, tuple[int, object]] = field(default_factory=dict[str, tuple[int, object]])
    locks: dict[str, threading.Lock] = field(default_factory=dict[str, threading.Lock])
    guard: threading.Lock = field(default_factory=threading.Lock)

    def route(self, pattern: str) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            self.routes[pattern] = handler
            return handler

        return register

    def answer(self, method: str, target: str, body: Fields, key: str | None) -> tuple[int, object]:
        """The status and JSON for one request; with a key known already, those of the first time."""
        url = urlsplit(target)
        if method == "GET" and url.path == "/statistics":
            return 200, self.statistics()
        found = self._find(method, url.path)
        if found is None:
            return 404, {"error": f"There is no {method} {url.path} here"}
        pattern, handler, parameters = found
        request = body | dict(parse_qsl(url.query)) | parameters
        if key is None:
            return self._carry_out(pattern, handler, request)
        with self._lock(key):
            if key in self.answers:
                with self.guard:
                    self.repeated[pattern] += 1
                return self.answers[key]
            answer = self._carry_out(pattern, handler, request)
            if answer[0] < 400:
                self.answers[key] = answer
            return answer

    def statistics(self) -> Fields:
        """Requests carried out and requests repeated with a known key, by route."""
        with self.guard:
            return {"calls": dict(self.calls), "repeated": dict(self.repeated)}

    def click(self, url: str, decision: Fields, *, after: float) -> None:
        """Like a person who opens a link in a message `after` seconds, and again if the page does not load."""
        timer = threading.Timer(after, _post, (url, decision))
        timer.daemon = True
        timer.start()

    def _carry_out(self, pattern: str, handler: Handler, request: Fields) -> tuple[int, object]:
        with self.guard:
            self.calls[pattern] += 1
        # Work takes time, and not always the same time.
        time.sleep(self.pause * (1 + crc32(f"{pattern}{request}".encode()) % 3))
        try:
            return 200, handler(request)
        except Refusal as refusal:
            return refusal.status, {"error": refusal.message}
        except (KeyError, TypeError, ValueError) as error:
            return 422, {"error": f"The request cannot be understood: {error!r}"}

    def _find(self, method: str, path: str) -> tuple[str, Handler, Fields] | None:
        parts = path.strip("/").split("/")
        for pattern, handler in self.routes.items():
            verb, _, template = pattern.partition(" ")
            names = template.strip("/").split("/")
            if verb != method or len(names) != len(parts):
                continue
            pairs = list(zip(names, parts, strict=True))
            if all(name == part or name.startswith("{") for name, part in pairs):
                return pattern, handler, {n[1:-1]: unquote(p) for n, p in pairs if n.startswith("{")}
        return None

    def _lock(self, key: str) -> threading.Lock:
        with self.guard:
            return self.locks.setdefault(key, threading.Lock())


def serve(demo: Demo) -> None:
    """Read the command line, serve until stopped."""
    arguments = argparse.ArgumentParser(description="A demo server for one of the examples.")
    arguments.add_argument("--port", type=int, default=0, help="0 takes a free one")
    arguments.add_argument("--pause", type=float, default=demo.pause, help="seconds a request takes at least")
    options = arguments.parse_args()
    demo.pause = options.pause
    server = _Server(("127.0.0.1", options.port), _handler(demo))
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    print(f"ready http://127.0.0.1:{server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(130)


class _Server(ThreadingHTTPServer):
    request_queue_size = 128


def _handler(demo: Demo) -> type[BaseHTTPRequestHandler]:
    class RequestHandler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._reply(*demo.answer("GET", self.path, {}, None))

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if length > LARGEST_BODY:
                self.close_connection = True
                return self._reply(413, {"error": "The body is too large"})
            try:
                body: object = json.loads(self.rfile.read(length) or b"{}")
            except ValueError:
                body = None
            if not isinstance(body, dict):
                return self._reply(400, {"error": "The body is not a JSON object"})
            key = self.headers.get("Idempotency-Key")
            self._reply(*demo.answer("POST", self.path, cast("Fields", body), key))

        def _reply(self, status: int, value: object) -> None:
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *values: object) -> None:
            print(format % values, file=sys.stderr, flush=True)

    return RequestHandler


def _post(url: str, decision: Fields, attempts: int = 10) -> None:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(decision).encode(), headers, method="POST")  # noqa: S310  # http(s) only: the link Weir gave
    for _ in range(attempts):
        try:
            with urllib.request.urlopen(request, timeout=5):  # noqa: S310  # as above
                return
        except urllib.error.HTTPError as error:
            print(f"clicking {url}: {error}", file=sys.stderr, flush=True)
            if error.code < 500:
                return
        except OSError as error:
            print(f"clicking {url}: {error}", file=sys.stderr, flush=True)
        time.sleep(0.5)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)
