"""The pool of sandbox processes: user code runs here, bounded, and harms nobody else.

Every source runs in a fresh QuickJS context inside a hardened process of its own pool; a process serves one
call at a time. What a call breaks is replaced, and only that call hears of it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final, Literal, Self, cast

import orjson

from domain.expressions import ROOTS
from domain.json import JSON, JSONObject
from jobs.sandbox.outcomes import Evaluated, Failed, FailureKind, Limits, SandboxError, Value
from jobs.sandbox.process import GRACE_SECONDS, ProcessCrashed, ProcessOverran, SandboxProcess
from jobs.sandbox.turns import Turns

SourceKind = Literal["expression", "script"]
_NAMES: Final = sorted(ROOTS)


class Sandbox:
    """An async context manager, one per process of ours; the first call starts the first sandbox process."""

    def __init__(self, *, size: int = 2, limits: Limits = Limits()) -> None:  # noqa: B008 - immutable
        self._limits = limits
        self._turns = Turns(size)
        self._idle: list[SandboxProcess] = []
        self._busy: set[SandboxProcess] = set()
        self._layers: tuple[str, ...] = ()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def evaluate(
        self,
        tenant: str,
        sources: Sequence[str],
        scope: JSONObject,
        *,
        kind: SourceKind = "expression",
        limits: Limits | None = None,
    ) -> Sequence[Evaluated]:
        """Evaluates each source, in order, each with the scope's names as its only globals of ours.

        An "expression" gives its value, statements the value of the last one; a "script" is the body of an
        async function and gives what it returns. Promises are awaited. `limits` replace the sandbox's own.
        Tenants that wait for a process are served in turn. Raises SandboxError when the sandbox cannot run.
        """
        limits = limits or self._limits
        try:
            request = _request(sources, scope, kind, limits)
        except RecursionError:
            return [Failed(message="its input is nested too deep", kind=FailureKind.ERROR)] * len(sources)
        if len(request) > limits.memory:
            message = f"its input has {len(request):,} bytes, more than its memory"
            return [Failed(message=message, kind=FailureKind.MEMORY)] * len(sources)
        async with self._turns.turn(tenant):
            process = await self._process()
            self._busy.add(process)
            try:
                outcomes = await _exchange(process, request, len(sources), limits)
                self._idle.append(process)
            except (ProcessOverran, ProcessCrashed) as error:
                await process.end()
                if self._closed:
                    raise SandboxError("The sandbox is closed") from error
                return [_lost(error, limits)] * len(sources)
            except BaseException:  # cancelled in the middle: its answer would be taken for the next call's
                await process.end()
                raise
            finally:
                self._busy.discard(process)
            return outcomes

    def layers(self) -> tuple[str, ...]:
        """The protections the platform granted to the process started last; none before the first call."""
        return self._layers

    async def close(self) -> None:
        """Ends all processes; calls in flight and later ones raise SandboxError."""
        self._closed = True
        for process in (*self._idle, *self._busy):
            await process.end()
        self._idle.clear()

    async def _process(self) -> SandboxProcess:
        while self._idle and not self._closed:
            process = self._idle.pop()
            if process.alive:
                return process
        if not self._closed:
            process = await SandboxProcess.start()
            self._layers = process.layers
            if not self._closed:
                return process
            await process.end()
        raise SandboxError("The sandbox is closed")


async def _exchange(process: SandboxProcess, request: bytes, count: int, limits: Limits) -> Sequence[Evaluated]:
    most = 4096 + count * (2 * limits.output + 8192)  # JSON in JSON: quotes double
    reply = await process.ask(request, seconds=limits.seconds + GRACE_SECONDS, most=most)
    return _outcomes(reply, count)


def _lost(error: ProcessOverran | ProcessCrashed, limits: Limits) -> Failed:
    if isinstance(error, ProcessOverran):
        return Failed(message=f"stopped after {limits.seconds + GRACE_SECONDS:g} s", kind=FailureKind.TIMEOUT)
    message = "SANDBOX_CRASHED: the process that ran it ended unexpectedly"
    return Failed(message=message, kind=FailureKind.CRASHED)


def _request(sources: Sequence[str], scope: JSONObject, kind: SourceKind, limits: Limits) -> bytes:
    call: dict[str, JSON] = {
        "kind": kind,
        "sources": list(sources),
        "names": _NAMES,
        "scope": _json(scope),
        "seconds": limits.seconds,
        "memory": limits.memory,
        "output": limits.output,
    }
    return _json(call).encode()


def _json(value: JSON) -> str:
    try:
        return orjson.dumps(value, default=_plain).decode()
    except TypeError:  # numbers beyond 64 bits, halves of a UTF-16 pair
        return json.dumps(value, default=_plain)


def _plain(value: object) -> JSON:
    if isinstance(value, Mapping):
        return dict(cast("JSONObject", value))
    if isinstance(value, Sequence):
        return list(cast("Sequence[JSON]", value))
    raise TypeError(f"{type(value).__name__} is not JSON")


def _outcomes(reply: bytes, count: int) -> Sequence[Evaluated]:
    """The process's answer, which is not believed before it is read."""
    try:
        pairs = [(str(kind), str(text)) for kind, text in orjson.loads(reply)]
        outcomes = [_outcome(kind, text) for kind, text in pairs]
    except (ValueError, TypeError) as error:
        raise ProcessCrashed("its answer is not understood") from error
    if len(outcomes) != count:
        raise ProcessCrashed("it answers something else")
    return outcomes


def _outcome(kind: str, text: str) -> Evaluated:
    if kind != "value":
        return Failed(message=text, kind=FailureKind(kind))
    try:
        return Value(value=orjson.loads(text))
    except orjson.JSONDecodeError:
        return Failed(message="the result is nested too deep", kind=FailureKind.OUTPUT)
