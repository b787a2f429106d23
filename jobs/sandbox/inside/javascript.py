"""The process that runs JavaScript: reads calls from standard input, evaluates them in QuickJS, answers on standard
output.

Runs in a bare interpreter: standard library and QuickJS only, whatever it needs is read before it is hardened.
"""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import _quickjs

from .frames import fetched, receive, send
from .hardening import harden, limit_processor, stand_apart
from .lines import Lines

_STACK: Final = 1_048_576
_HERE: Final = Path(__file__).parent
_HARNESS: Final = (_HERE / "harness.js").read_text("utf-8")
_SCRIPT_HARNESS: Final = _HARNESS.replace("/* script.js */", (_HERE / "script.js").read_text("utf-8"))
_quick: Any = _quickjs  # an extension module without type information

Call = Mapping[str, Any]
Outcome = tuple[str, str]
"""`value` and JSON, or a kind of failure and its message."""


def main() -> None:
    """Serves calls until standard input ends. The first frame in says how to harden, the first out what holds."""
    start = receive()
    if start is None:
        return
    stand_apart()
    library = Library(start["functions"], start["zones"])
    send(harden(start["parent"], start["memory"]))
    while (call := receive()) is not None:
        limit_processor(call["seconds"])
        send(_answer(call, library))


class Library:
    """The functions of the expression language, which code has as globals: each family that it names."""

    def __init__(self, sources: Mapping[str, str], zones: str) -> None:
        self._sources = sources
        self._zones = zones
        self._preludes: dict[tuple[str, ...], str] = {}

    def load(self, context: Any, families: Sequence[str]) -> None:
        """Defines these families, given in the order of their sources, in a fresh context."""
        if not families:
            return
        if (key := tuple(families)) not in self._preludes:
            code = "".join(self._sources[name] for name in ("core", *families))
            self._preludes[key] = f"(function (zones) {{{code}}})"
        context.eval(self._preludes[key])(self._zones)


def _answer(call: Call, library: Library) -> object:
    end = time.process_time() + call["seconds"]
    evaluations = [
        _Evaluation(source, families, call, library, end)
        for source, families in zip(call["sources"], call["families"], strict=True)
    ]
    outcomes = [each.run() for each in evaluations]
    if call["kind"] == "script":
        return {"outcome": outcomes[0], "lines": evaluations[0].lines.all()}
    return outcomes


class _Evaluation:
    """One source in a context of its own; `end` is when it must be over, in processor time."""

    def __init__(self, source: str, families: Sequence[str], call: Call, library: Library, end: float) -> None:
        self._call = call
        self._families = families
        self._library = library
        self._end = end
        self._source = source
        self.lines = Lines(call["lines"])

    def run(self) -> Outcome:
        context = _quick.Context()
        context.set_memory_limit(self._call["memory"])
        context.set_max_stack_size(_STACK)
        harness: Any = None
        try:
            self._library.load(context, self._families)
            harness = context.eval(_SCRIPT_HARNESS if self._call["kind"] == "script" else _HARNESS)
            outcome = self._drive(context, harness)
        except _quick.JSException as error:
            return _stopped(str(error), self._call)
        except MemoryError:
            return _stopped("out of memory", self._call)
        except UnicodeDecodeError:
            return "error", "an error that cannot be described"
        finally:
            self._keep_lines(context, harness)
        return self._judged(outcome, harness)

    def _drive(self, context: Any, harness: Callable[..., Any]) -> str:
        """Runs the source, then whatever its promises wait for, until there is an outcome or nothing left to do."""
        program = {key: self._call[key] for key in ("kind", "names")} | {"source": self._source}
        script = self._call["kind"] == "script"
        if script:
            program |= {"families": self._families, "requests": self._call["requests"]}
        harness("prepare", json.dumps(program))
        self._limit(context)
        harness("start", self._call["scope"])
        unanswered = 0
        while time.process_time() < self._end:
            self._limit(context)
            if context.execute_pending_job():
                continue
            if not script or harness("outcome"):
                break
            requests = json.loads(harness("requests"))
            unanswered += len(requests)
            if not unanswered:
                break
            replies = fetched(requests)
            if replies is None:
                self._end = 0.0
                break
            unanswered -= len(replies)
            self._limit(context)
            harness("settle", json.dumps(replies))
        return cast("str", harness("outcome"))

    def _limit(self, context: Any) -> None:
        context.set_time_limit(max(self._end - time.process_time(), 0.001))

    def _keep_lines(self, context: Any, harness: Callable[..., Any] | None) -> None:
        """What it wrote, unless no memory is left even for that."""
        if self._call["kind"] != "script" or harness is None:
            return
        context.set_memory_limit(self._call["memory"] + _STACK)
        context.set_time_limit(0.05)
        try:
            for level, text in json.loads(harness("lines")):
                self.lines.add(str(level), _well_formed(str(text)))
        except (_quick.JSException, MemoryError, UnicodeDecodeError, ValueError, TypeError):
            self.lines.add("WARNING", "what it wrote is lost")

    def _judged(self, outcome: str, harness: Callable[..., Any]) -> Outcome:
        call = self._call
        if outcome.startswith("V"):
            return _value(outcome[1:], call["output"])
        if outcome.startswith("I"):
            return "invalid", _well_formed(json.loads(outcome[1:]))[:1000]
        if outcome.startswith("E"):
            message = _well_formed(json.loads(outcome[1:]))[:1000]
            if message == "null" or message.startswith("InternalError: out of memory"):
                return _stopped(message, call)
            at = harness("at")
            return "error", message if at < 0 else f"{message} for the element at {at:g}"
        return _stopped("interrupted" if time.process_time() >= self._end else "", call)


def _stopped(message: str, call: Call) -> Outcome:
    if "interrupted" in message:
        return "timeout", f"stopped after {call['seconds']:g} s"
    if message.startswith("null"):  # what QuickJS throws when no memory is left even for an error
        return "memory", f"needs more than {call['memory'] // 1024:,} KiB of memory, or threw null"
    if "out of memory" in message:
        return "memory", f"needs more than {call['memory'] // 1024:,} KiB of memory"
    if not message:
        return "error", "the promise it gave is never settled"
    return "error", message.partition("\n")[0][:1000]


def _value(text: str, most: int) -> Outcome:
    if "\\ud" in text:  # half of a pair: JSON.stringify escapes it, strict readers refuse it
        try:
            text = _well_formed(json.dumps(json.loads(text), ensure_ascii=False))
        except RecursionError:
            return "output", "the result is nested too deep"
    size = len(text.encode())
    if size > most:
        return "output", f"the result has {size:,} bytes, the most is {most:,}"
    return "value", text


def _well_formed(text: str) -> str:
    return re.sub("[\ud800-\udfff]", "\ufffd", text)
