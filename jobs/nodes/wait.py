"""The `wait` node: goes on when something outside says so."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, assert_never

from pydantic import Field

from domain.engine.outcomes import Cause, Completed, Failed, Outcome, SignalArrived, TimerDue, Waiting
from domain.errors import Finding
from domain.graphs import OUT
from domain.json import JSONObject
from domain.nodes import NodeCategory
from jobs.nodes.base import NodeConfig, StepContext, define

YEAR = 366 * 24 * 3600.0
TIMEOUT = "timeout"


class WaitConfig(NodeConfig):
    signal: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="The name of the signal to wait for."
    )
    callback: bool = Field(False, description="Or wait for a request to this step's own link.")
    timeout: Annotated[float, Field(gt=0, le=YEAR)] | None = Field(
        None, description="Seconds after which the timeout output is taken; forever when left out."
    )


async def run(step: StepContext, config: WaitConfig) -> Outcome:
    if config.signal is None and not config.callback:
        return Failed(code="CONFIG_INVALID", message="There is neither a signal nor a callback", retryable=False)
    until = step.at + timedelta(seconds=config.timeout) if config.timeout is not None else None
    return Waiting(until=until, signal=config.signal, callback=config.callback)


async def resume(step: StepContext, config: WaitConfig, cause: Cause) -> Outcome:
    match cause:
        case SignalArrived(payload=payload):
            return Completed(output=payload, handles=(OUT,))
        case TimerDue():
            return Completed(output=step.input, handles=(TIMEOUT,))
        case _:
            assert_never(cause)


def rules(config: JSONObject) -> Iterator[Finding]:
    if ("signal" in config) == (config.get("callback", False) is not False):
        yield Finding(
            code="BAD_WAIT",
            message="A wait has either a signal or callback: true",
            remedy="Give exactly one of them.",
        )
    if isinstance(config.get("callback"), str):
        message = "'callback' cannot be an expression: links are made before the node runs"
        yield Finding(code="BAD_WAIT", message=message, path=("callback",), remedy="Write true or false.")


KIND = define(
    name="wait",
    title="Wait",
    description="Waits for a signal or a callback, or until a time has passed.",
    category=NodeCategory.HUMAN,
    config=WaitConfig,
    run=run,
    resume=resume,
    rules=rules,
    outputs=(OUT, TIMEOUT),
    documentation="""
With `signal`, the node goes on when a signal of that name is sent to the execution (`signalSend`); its output is the
signal's payload. A signal that came earlier is kept and taken at once.

With `callback: true` it goes on when somebody calls the link `{{ execution.callbacks.<node id> }}`, which any earlier
step may send out; its output is `{method, query, headers, body}` of that request.

After `timeout` seconds without either, `timeout` is taken with the node's input.
""",
    examples={
        "A signal": {"signal": "payment-received", "timeout": 86400},
        "A link in a mail": {"callback": True, "timeout": 604800},
    },
)
