"""The process in charge of Monty: reads calls from standard input, has Monty run them, answers on standard output.

Monty interprets a subset of Python in a worker process of its own, below this one and hardened further. A call whose
worker dies is answered, then this process ends too: its parent starts another.
"""

import ast
import contextlib
import json
import math
import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import PurePath
from typing import Any, Final, cast

from pydantic_monty import (
    Monty,
    MontyClassProxy,
    MontyConversionError,
    MontyCrashedError,
    MontyRuntimeError,
    MontySyntaxError,
)

from .frames import fetched, receive, send
from .hardening import harden_server, leave_network, limit_processor, stand_apart
from .lines import Lines

_ADDRESS_SPACE: Final = 512 * 1_048_576
"""What Monty's own threads and arenas reserve, beside the memory of the user's code."""
_SUSPENSIONS: Final = 1_000
_DEEPEST: Final = 500
_TOO_DEEP: Final = "the result is nested too deep"

Call = Mapping[str, Any]
Outcome = tuple[str, str]
"""`value` and JSON, or a kind of failure and its message."""


def main(program: str) -> None:
    """Serves calls until standard input ends; `program` is the path of the monty executable."""
    start = receive()
    if start is None:
        return
    stand_apart()
    network = leave_network()
    layers, into = os.pipe()
    launcher = _launcher(program, into, start["memory"] + _ADDRESS_SPACE)
    with Monty(binary_path=f"/proc/self/fd/{launcher}", min_processes=1, max_processes=1) as pool:
        with pool.checkout() as session:
            session.feed_run("1")  # it runs: from now on nothing is started here
        os.close(into)
        reported = json.loads(os.read(layers, 4096))
        own = harden_server(start["parent"], start["memory"] + _ADDRESS_SPACE)
        send([*network, *(layer for layer in reported if layer in own or layer == "no files")])
        while (call := receive()) is not None:
            limit_processor(call["seconds"])
            run = _Run(call)
            outcome = run.outcome(pool)
            send({"outcome": outcome, "lines": run.lines.all()})
            if outcome[0] == "crashed":
                return


def _launcher(program: str, report: int, memory: int) -> int:
    """A script in memory, which has the interpreter become the program: the pool takes nothing but a path."""
    place = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    source = f"import sys; sys.path.insert(0, {place!r}); from inside.launch import main; "
    command = [sys.executable, "-I", "-S", "-c", f"{source}main({program!r}, {report}, {memory})"]
    script = os.memfd_create("monty", 0)
    os.write(script, f"#!/bin/sh\nexec {shlex.join(command)}\n".encode())
    os.set_inheritable(report, True)
    return script


class _Run:
    """One call: a session of its own in the worker."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._asked = 0
        self._over = False
        self._unfinished = {"stdout": "", "stderr": ""}
        self.lines = Lines(call["lines"])

    def outcome(self, pool: Monty) -> Outcome:
        [source] = self._call["sources"]
        try:
            _check_modules(source, self._call["modules"])
            value = self._value(pool, source)
            text = json.dumps(_plain(value, _DEEPEST), ensure_ascii=False)
        except _Refused as refused:
            return refused.kind, refused.message
        except MontyCrashedError:
            return "crashed", "the process that ran it ended unexpectedly"
        except (MontyRuntimeError, MontySyntaxError, MontyConversionError) as error:
            return self._told(error)
        except RecursionError:
            return "output", _TOO_DEEP
        except MemoryError:
            return "memory", f"needs more than {self._call['memory'] // 1024:,} KiB of memory"
        finally:
            for stream in self._unfinished:
                self._print(stream, "\n" if self._unfinished[stream] else "")
        size = len(text.encode(errors="replace"))
        if size > self._call["output"]:
            return "output", f"the result has {size:,} bytes, the most is {self._call['output']:,}"
        return "value", text

    def _value(self, pool: Monty, source: str) -> object:
        seconds = self._call["seconds"]
        session = pool.checkout(
            script_name="code.py",
            limits={
                "max_feed_duration_secs": seconds,
                "max_memory": self._call["memory"],
                "max_suspensions": _SUSPENSIONS,
                "max_total_sleep_secs": seconds,
            },
            os_policy={"sleep_system_max": math.inf},
        )
        with session:
            names = dict.fromkeys(self._call["names"])
            return session.feed_run(
                source,
                inputs=names | json.loads(self._call["scope"]),
                external_lookup={"fetch": self._fetch},
                print_callback=self._print,
            )

    def _fetch(
        self, url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: object = None
    ) -> object:
        """What `fetch` is in the user's code. Raises OSError when there is no answer."""
        if self._asked >= self._call["requests"]:
            raise OSError(f"no more than {self._asked} requests are allowed")
        self._asked += 1
        text = body if body is None or isinstance(body, str) else json.dumps(_plain(body, _DEEPEST))
        named = {str(name): str(value) for name, value in (headers or {}).items()}
        request = {"id": self._asked, "url": str(url), "method": str(method), "headers": named, "body": text}
        replies = fetched([{**request, "json": text is not body}])
        if replies is None:
            self._over = True
            raise TimeoutError(f"stopped after {self._call['seconds']:g} s")
        [reply] = replies
        if "error" in reply:
            raise OSError(reply["error"])
        return _response(reply)

    def _print(self, stream: str, text: str) -> None:
        *whole, rest = (self._unfinished[stream] + text).split("\n")
        self._unfinished[stream] = rest[:20_000]
        for line in whole:
            self.lines.add("INFO" if stream == "stdout" else "ERROR", line)

    def _told(self, error: MontyRuntimeError | MontySyntaxError | MontyConversionError) -> Outcome:
        if isinstance(error, MontyConversionError):
            return "error", str(error)[:1000]
        message = error.display("type-msg")
        if self._over or message.startswith(("TimeoutError: feed time limit", "TimeoutError: sleep")):
            return "timeout", f"stopped after {self._call['seconds']:g} s"
        if message.startswith("MemoryError: memory limit"):
            return "memory", f"needs more than {self._call['memory'] // 1024:,} KiB of memory"
        kind = "invalid" if isinstance(error, MontySyntaxError) else "error"
        frames = error.traceback()
        return kind, f"{message[:1000]} (line {frames[-1].line})" if frames else message[:1000]


class _Refused(Exception):
    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


def _check_modules(source: str, allowed: Sequence[str] | None) -> None:
    """Monty's own modules reach nothing outside; a workflow may still want fewer of them."""
    if allowed is None:
        return
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _Refused("invalid", f"SyntaxError: {error}"[:1000]) from None
    for name, line in _imported(tree):
        if name.partition(".")[0] not in allowed:
            raise _Refused("error", f"ImportError: the module {name} is not among those allowed (line {line})")


def _imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The modules a program imports, and the functions by which it could import others."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from ((alias.name, node.lineno) for alias in node.names)
            case ast.ImportFrom():
                yield node.module or ".", node.lineno
            case ast.Name(id="exec" | "eval" as name):
                yield name, node.lineno
            case _:
                pass


def _response(reply: Mapping[str, Any]) -> object:
    """A dict: status, ok, headers, text, and json where the body is JSON."""
    answer = {key: reply[key] for key in ("url", "status", "headers")}
    answer |= {"ok": 200 <= reply["status"] < 300, "text": reply["body"], "json": None}
    with contextlib.suppress(ValueError, RecursionError):
        answer["json"] = json.loads(reply["body"])
    return answer


def _plain(value: object, depth: int) -> object:
    """The value as JSON. Raises _Refused for what is none."""
    if depth == 0:
        raise _Refused("output", _TOO_DEEP)
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case list() | tuple() | set() | frozenset():
            return [_plain(each, depth - 1) for each in cast("Sequence[object]", value)]
        case dict():
            members = cast("Mapping[object, object]", value)
            return {_key(key): _plain(each, depth - 1) for key, each in members.items()}
        case datetime() | date() | time():
            return value.isoformat()
        case Decimal() | PurePath():
            return str(value)
        case MontyClassProxy():
            return _plain(value.attributes, depth - 1)
        case _:
            raise _Refused("output", f"the result has a {type(value).__name__}, which is not JSON")


def _key(key: object) -> str:
    match key:
        case str():
            return key
        case None | bool() | int() | float():
            return json.dumps(key)
        case _:
            return str(_plain(key, _DEEPEST))
