"""The sandbox's process: reads calls from standard input, evaluates them in QuickJS, answers on standard output.

Runs in a bare interpreter: standard library and QuickJS only, whatever it needs is imported before the process
is hardened. A frame is its length in four bytes, big-endian, and then JSON.
"""

import json
import os
import re
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import _quickjs

STACK: Final = 1_048_576
_quick: Any = _quickjs  # an extension module without type information

# Everything is taken from the fresh context before the user's code can change it. A promise is waited for.
HARNESS: Final = """
(function () {
    const {parse, stringify} = JSON, evaluate = eval, scope = globalThis, text = String, failure = Error;
    let outcome = "", lines = false;
    function describe(error) {
        if (!(error instanceof failure)) return typeof error === "object" ? stringify(error) : text(error);
        const line = lines && /^[^\\n]*<input>:(\\d+)/.exec(error.stack);
        return text(error.name) + ": " + text(error.message) + (line ? " (line " + line[1] + ")" : "");
    }
    function fail(error) {
        try { outcome = "E" + stringify(describe(error)); }
        catch (_) { outcome = 'E"an error that cannot be described"'; }
    }
    function finish(value) {
        try { const json = stringify(value); outcome = "V" + (json === undefined ? "null" : json); }
        catch (error) { fail(error); }
    }
    function run(source, script) {
        if (script) return evaluate("(async function () {" + source + "\\n})")();
        let expression;
        try { expression = evaluate("(() => (" + source + "\\n))"); }
        catch (_) { return evaluate(source); }
        return expression();
    }
    return function (call) {
        if (call === undefined) return outcome;
        const {source, script, names} = parse(call);
        lines = script;
        for (const name of names) scope[name] = undefined;
        return function (variables) {
            const values = parse(variables);
            for (const name in values) scope[name] = values[name];
            try {
                const value = run(source, script);
                if (value instanceof Promise) value.then(finish, fail); else finish(value);
            } catch (error) { fail(error); }
        };
    };
})()
"""


def main(harden: Callable[[int, int], Sequence[str]], limit_processor: Callable[[float], None]) -> None:
    """Serves calls until standard input ends. The first frame in says how to harden, the first out what holds."""
    start = _receive()
    if start is None:
        return
    _send(list(harden(start["parent"], start["memory"])))
    while (call := _receive()) is not None:
        limit_processor(call["seconds"])
        _send(answer(call))


def answer(call: Mapping[str, Any]) -> list[tuple[str, str]]:
    """For each source what became of it: "value" and JSON, or a kind of failure and its message."""
    end = time.process_time() + call["seconds"]
    return [_evaluate(source, call, end) for source in call["sources"]]


def _evaluate(source: str, call: Mapping[str, Any], end: float) -> tuple[str, str]:
    context = _quick.Context()
    context.set_memory_limit(call["memory"])
    context.set_max_stack_size(STACK)
    try:
        outcome = _run(context, source, call, end)
    except _quick.JSException as error:
        return _stopped(str(error), call)
    except MemoryError:
        return _stopped("out of memory", call)
    except UnicodeDecodeError:
        return "error", "an error that cannot be described"
    if outcome.startswith("V"):
        return _value(outcome[1:], call["output"])
    if outcome.startswith("E"):
        message = _well_formed(json.loads(outcome[1:]))[:1000]
        short = message == "null" or message.startswith("InternalError: out of memory")
        return _stopped(message, call) if short else ("error", message)
    return _stopped("interrupted" if time.process_time() >= end else "", call)


def _run(context: Any, source: str, call: Mapping[str, Any], end: float) -> str:
    harness = context.eval(HARNESS)
    request = {"source": source, "script": call["kind"] == "script", "names": call["names"]}
    apply = harness(json.dumps(request))
    context.set_time_limit(max(end - time.process_time(), 0.001))
    apply(call["scope"])
    while time.process_time() < end:
        context.set_time_limit(max(end - time.process_time(), 0.001))
        if not context.execute_pending_job():
            break
    return cast("str", harness())


def _stopped(message: str, call: Mapping[str, Any]) -> tuple[str, str]:
    if "interrupted" in message:
        return "timeout", f"stopped after {call['seconds']:g} s of processor time"
    if message.startswith("null"):  # what QuickJS throws when no memory is left even for an error
        return "memory", f"needs more than {call['memory'] // 1024:,} KiB of memory, or threw null"
    if "out of memory" in message:
        return "memory", f"needs more than {call['memory'] // 1024:,} KiB of memory"
    if not message:
        return "error", "the promise it gave is never settled"
    return "error", message.partition("\n")[0][:1000]


def _value(text: str, most: int) -> tuple[str, str]:
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


def _receive() -> dict[str, Any] | None:
    head = _read(4)
    body = head and _read(struct.unpack(">I", head)[0])
    return json.loads(body) if body else None


def _read(size: int) -> bytes | None:
    chunks: list[bytes] = []
    while size:
        chunk = os.read(0, min(size, 1_048_576))
        if not chunk:
            return None
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


def _send(message: Sequence[object]) -> None:
    body = json.dumps(message, ensure_ascii=False).encode()
    data = memoryview(struct.pack(">I", len(body)) + body)
    while data:
        data = data[os.write(1, data) :]
