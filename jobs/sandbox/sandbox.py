"""The sandbox: user code runs here, bounded, and harms nobody else.

Every source runs in a context of its own (QuickJS) or a session of its own (Monty), inside hardened processes; a
process serves one call at a time. What a call breaks is replaced, and only that call hears of it.
"""

from collections.abc import Sequence
from typing import Final, Literal, Self

from domain.json import JSONObject
from jobs.sandbox.conversation import Conversation
from jobs.sandbox.messages import evaluated, evaluation, running
from jobs.sandbox.meter import Meter
from jobs.sandbox.outcomes import (
    MEBIBYTE,
    Evaluated,
    Failed,
    FailureKind,
    Fetch,
    Finished,
    Language,
    Limits,
    ProcessCrashed,
    ProcessOverran,
    SandboxError,
    Script,
    Usage,
)
from jobs.sandbox.pool import Pool
from jobs.sandbox.process import GRACE_SECONDS
from jobs.sandbox.turns import Turns

SourceKind = Literal["expression", "each"]
_MOST_RESIDENT: Final = 128 * MEBIBYTE
"""A process that holds more memory after a script is not used again."""


class Sandbox:
    """An async context manager, one per process of ours; the first call starts the first sandbox process.

    Expressions, JavaScript and Python have `size` places each, of which one tenant has at most `each` at a time.
    """

    def __init__(self, *, size: int = 6, each: int = 2, limits: Limits = Limits()) -> None:  # noqa: B008 - immutable
        self._limits = limits
        self._expressions = Turns(size, each)
        self._scripts = {language: Turns(size, each) for language in Language}
        self._pool = Pool()

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

        An "expression" gives its value, statements the value of the last one; "each" gives the list of its values
        for the elements of `items`, which it sees as `item`, at `index`. Promises are awaited. `limits` replace the
        sandbox's own. Tenants that wait for a process are served in turn. Raises SandboxError when the sandbox
        cannot run.
        """
        limits = limits or self._limits
        try:
            request = evaluation(kind, sources, scope, limits)
        except RecursionError:
            return [_TOO_DEEP] * len(sources)
        if len(request) > limits.memory:
            return [_too_large(request)] * len(sources)
        try:
            async with self._pool.process(tenant, self._expressions, Language.JAVASCRIPT) as process:
                most = 4096 + len(sources) * (2 * limits.output + 8192)  # JSON in JSON: quotes double
                reply = await process.ask(request, seconds=limits.seconds + GRACE_SECONDS, most=most)
                return evaluated(reply, len(sources))
        except (ProcessOverran, ProcessCrashed) as error:
            return [self._lost(error, limits)] * len(sources)

    async def run(self, tenant: str, script: Script, fetch: Fetch | None = None) -> Finished:
        """Runs a script; `fetch` carries out its requests, without it there are none.

        Tenants that wait for a place are served in turn. Raises SandboxError when the sandbox cannot run.
        """
        try:
            request = running(script)
        except RecursionError:
            return Finished(outcome=_TOO_DEEP, usage=_NOTHING)
        if len(request) > script.limits.memory:
            return Finished(outcome=_too_large(request), usage=_NOTHING)
        usage = _NOTHING
        try:
            async with self._pool.process(tenant, self._scripts[script.language], script.language) as process:
                meter = Meter(process.pid)
                try:
                    outcome, lines = await Conversation(process=process, script=script, fetch=fetch).hold(request)
                finally:
                    usage = meter.read()
                    process.worn = meter.resident() > _MOST_RESIDENT
                if isinstance(outcome, Failed) and outcome.kind is FailureKind.CRASHED:
                    raise ProcessCrashed(outcome.message)
                return Finished(outcome=outcome, lines=lines, usage=usage)
        except (ProcessOverran, ProcessCrashed) as error:
            return Finished(outcome=self._lost(error, script.limits), usage=usage)

    def layers(self) -> tuple[str, ...]:
        """The protections the platform granted to the process started last; none before the first call."""
        return self._pool.layers

    async def close(self) -> None:
        """Ends all processes; calls in flight and later ones raise SandboxError."""
        await self._pool.close()

    def _lost(self, error: ProcessOverran | ProcessCrashed, limits: Limits) -> Failed:
        if self._pool.closed:
            raise SandboxError("The sandbox is closed") from error
        if isinstance(error, ProcessOverran):
            return Failed(message=f"stopped after {limits.seconds + GRACE_SECONDS:g} s", kind=FailureKind.TIMEOUT)
        message = "SANDBOX_CRASHED: the process that ran it ended unexpectedly"
        return Failed(message=message, kind=FailureKind.CRASHED)


_TOO_DEEP: Final = Failed(message="its input is nested too deep", kind=FailureKind.ERROR)
_NOTHING: Final = Usage(wall_ms=0.0, cpu_ms=None, memory=None)


def _too_large(request: bytes) -> Failed:
    message = f"its input has {len(request):,} bytes, more than its memory"
    return Failed(message=message, kind=FailureKind.MEMORY)
