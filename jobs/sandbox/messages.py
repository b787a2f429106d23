"""What parent and sandbox process say to each other, as the parent writes and reads it; see `inside/frames.py`.

Nothing a process says is believed before it is read: it may be in the hands of hostile code.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import orjson

from domain.expressions import ROOTS
from domain.expressions.functions import FAMILIES, sources, zone_table
from domain.expressions.functions.prelude import families_in
from domain.json import JSON, JSONObject
from jobs.sandbox.outcomes import (
    Evaluated,
    Failed,
    FailureKind,
    FetchReply,
    FetchRequest,
    Language,
    Limits,
    Line,
    ProcessCrashed,
    Script,
    Value,
)

MOST_REQUESTS: Final = 50
"""Requests one script may make."""
_NAMES: Final = sorted(ROOTS)
_LEVELS: Final = frozenset({"DEBUG", "INFO", "WARNING", "ERROR"})


def greeting(language: Language, *, parent: int, memory: int) -> bytes:
    """What a process is told first: whose it is, how much memory user code may have, and the functions it may use."""
    library = {"functions": dict(sources()), "zones": zone_table()} if language is Language.JAVASCRIPT else {}
    return _encoded({"parent": parent, "memory": memory, **library})


def evaluation(kind: str, texts: Sequence[str], scope: JSONObject, limits: Limits) -> bytes:
    """The call that evaluates sources; `kind` is `expression` or `each`. Raises RecursionError."""
    families = [_families(text) for text in texts]
    return _encoded({**_call(kind, texts, scope, limits), "families": families, "lines": 0})


def running(script: Script) -> bytes:
    """The call that runs a script. Raises RecursionError."""
    call = _call("script", [script.source], script.scope, script.limits)
    modules = None if script.modules is None else list(script.modules)
    families = [name for name in _families(script.source) if modules is None or name in modules]
    return _encoded(
        {**call, "families": [families], "lines": script.lines, "modules": modules, "requests": MOST_REQUESTS}
    )


def replying(replies: Mapping[int, FetchReply | str] | None) -> bytes:
    """Answers to a script's requests, by number; text says why there is none. None: the time is over."""
    if replies is None:
        return _encoded({"replies": None})
    return _encoded({"replies": [_reply(number, reply) for number, reply in replies.items()]})


def evaluated(reply: bytes, count: int) -> Sequence[Evaluated]:
    """Raises ProcessCrashed for an answer that is none."""
    try:
        outcomes = [_outcome(pair) for pair in orjson.loads(reply)]
    except (ValueError, TypeError) as error:
        raise ProcessCrashed("its answer is not understood") from error
    if len(outcomes) != count:
        raise ProcessCrashed("it answers something else")
    return outcomes


def requested(reply: bytes) -> Sequence[FetchRequest] | None:
    """The requests a script asks for; None when this is its end. Raises ProcessCrashed."""
    try:
        message = orjson.loads(reply)
        if "fetch" not in message:
            return None
        requests = [_request(each) for each in message["fetch"]]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ProcessCrashed("its requests are not understood") from error
    return requests


def finished(reply: bytes, most_lines: int) -> tuple[Evaluated, tuple[Line, ...]]:
    """What came of a script and what it wrote. Raises ProcessCrashed."""
    try:
        message = orjson.loads(reply)
        lines = tuple(_line(each) for each in message["lines"])
        outcome = _outcome(message["outcome"])
    except (ValueError, TypeError, KeyError) as error:
        raise ProcessCrashed("its answer is not understood") from error
    if len(lines) > most_lines + 1:
        raise ProcessCrashed("it writes more than it may")
    return outcome, lines


def _call(kind: str, texts: Sequence[str], scope: JSONObject, limits: Limits) -> dict[str, JSON]:
    return {
        "kind": kind,
        "sources": list(texts),
        "names": _NAMES,
        "scope": _encoded(scope).decode(),
        "seconds": limits.seconds,
        "memory": limits.memory,
        "output": limits.output,
    }


def _families(source: str) -> list[str]:
    used = families_in(source)
    return [name for name in FAMILIES if name in used]


def _encoded(value: JSON) -> bytes:
    try:
        return orjson.dumps(value, default=_plain)
    except TypeError:  # numbers beyond 64 bits, halves of a UTF-16 pair
        return json.dumps(value, default=_plain).encode()


def _plain(value: object) -> JSON:
    if isinstance(value, Mapping):
        return dict(cast("JSONObject", value))
    if isinstance(value, Sequence):
        return list(cast("Sequence[JSON]", value))
    raise TypeError(f"{type(value).__name__} is not JSON")


def _reply(number: int, reply: FetchReply | str) -> JSONObject:
    if isinstance(reply, str):
        return {"id": number, "error": reply}
    return {"id": number, "url": reply.url, "status": reply.status, "headers": dict(reply.headers), "body": reply.body}


def _outcome(pair: Any) -> Evaluated:
    kind, text = pair
    if kind != "value":
        return Failed(message=str(text), kind=FailureKind(kind))
    try:
        return Value(value=orjson.loads(text))
    except orjson.JSONDecodeError:
        return Failed(message="the result is nested too deep", kind=FailureKind.OUTPUT)


def _line(pair: Any) -> Line:
    level, text = map(str, pair)
    if level not in _LEVELS:
        raise ValueError(level)
    return Line(level=level, text=text)


def _request(described: Any) -> FetchRequest:
    body = described["body"]
    return FetchRequest(
        number=int(described["id"]),
        url=str(described["url"]),
        method=str(described["method"]),
        headers={str(name): str(value) for name, value in described["headers"].items()},
        body=None if body is None else str(body),
        json=bool(described["json"]),
    )
