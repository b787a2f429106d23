"""The `wait` node: goes on when something outside says so."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from domain.engine.outcomes import Cause, Completed, Failed, Outcome, SignalArrived, TimerDue, Waiting
from domain.errors import Finding
from domain.graphs import OUT
from domain.json import JSONObject
from domain.nodes import NodeCategory
from jobs.nodes.base import NodeConfig, StepContext, define, unexpected

YEAR = 366 * 24 * 3600.0
TIMEOUT = "timeout"


class WaitConfig(NodeConfig):
    signal: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="The name of the signal to wait for."
    )
    signals: dict[str, Annotated[str, Field(min_length=1, max_length=64)]] = Field(
        default_factory=dict[str, str], description="Several signals, each with the output it takes; the first counts."
    )
    callback: bool = Field(False, description="Or wait for a request to this step's own link.")
    timeout: Annotated[float, Field(gt=0, le=YEAR)] | None = Field(
        None, description="Seconds after which the timeout output is taken; forever when left out."
    )


async def run(step: StepContext, config: WaitConfig) -> Outcome:
    if config.signal is None and not config.signals and not config.callback:
        return Failed(code="CONFIG_INVALID", message="There is neither a signal nor a callback", retryable=False)
    until = step.at + timedelta(seconds=config.timeout) if config.timeout is not None else None
    return Waiting(until=until, signal=config.signal, signals=tuple(config.signals), callback=config.callback)


async def resume(step: StepContext, config: WaitConfig, cause: Cause) -> Outcome:
    match cause:
        case SignalArrived(payload=payload, name=name):
            return Completed(output=payload, handles=(config.signals.get(name, OUT),))
        case TimerDue():
            return Completed(output=step.input, handles=(TIMEOUT,))
        case _:
            return unexpected(cause)


def rules(config: JSONObject) -> Iterator[Finding]:
    given = ("signal" in config, "signals" in config, config.get("callback", False) is not False)
    if sum(given) != 1:
        yield Finding(
            code="BAD_WAIT",
            message="A wait has either a signal, signals, or callback: true",
            remedy="Give exactly one of them.",
        )
    if isinstance(config.get("signals"), str):
        message = "'signals' cannot be an expression: it names the node's outputs"
        yield Finding(code="BAD_WAIT", message=message, path=("signals",), remedy="Write {signal: output}.")
    if isinstance(config.get("callback"), str):
        message = "'callback' cannot be an expression: links are made before the node runs"
        yield Finding(code="BAD_WAIT", message=message, path=("callback",), remedy="Write true or false.")


def handles(config: JSONObject) -> Sequence[str]:
    signals = config.get("signals")
    if not isinstance(signals, Mapping):
        return (OUT, TIMEOUT)
    return (*dict.fromkeys(str(output) for output in signals.values()), TIMEOUT)


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
    handles=handles,
    documentation="""
With `signal`, the node goes on when a signal of that name is sent to the execution (`signalSend`); its output is the
signal's payload. A signal that came earlier is kept and taken at once.

With `signals`, the first of several signals decides: each names the output that is taken. The others are not waited for
any more.

With `callback: true` it goes on when somebody calls the link `{{ execution.callbacks.<node id> }}`, which any earlier
step may send out; its output is `{method, query, headers, body}` of that request.

After `timeout` seconds without either, `timeout` is taken with the node's input.
""",
    examples={
        "Paid or cancelled": {"signals": {"payment-received": "paid", "order-cancelled": "cancelled"}},
        "A signal": {"signal": "payment-received", "timeout": 86400},
        "A link in a mail": {"callback": True, "timeout": 604800},
    },
)
