"""The `delay` node: goes on later."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field

from domain.engine.outcomes import Cause, Completed, Failed, Outcome, Waiting
from domain.errors import Finding
from domain.json import JSONObject
from domain.nodes import INPUT, NodeCategory
from jobs.nodes.base import NodeConfig, StepContext, define

YEAR = 366 * 24 * 3600.0


class DelayConfig(NodeConfig):
    seconds: Annotated[float, Field(ge=0, le=YEAR)] | None = Field(None, description="How long to wait.")
    until: str | None = Field(None, description="Or a moment in ISO 8601, such as 2030-01-31T09:00:00+01:00.")


async def run(step: StepContext, config: DelayConfig) -> Outcome:
    until = _moment(step.at, config)
    if isinstance(until, Failed):
        return until
    return Waiting(until=until) if until > step.at else Completed(output=step.input)


async def resume(step: StepContext, config: DelayConfig, cause: Cause) -> Outcome:
    return Completed(output=step.input)


def _moment(now: datetime, config: DelayConfig) -> datetime | Failed:
    if config.seconds is not None:
        return now + timedelta(seconds=config.seconds)
    try:
        moment = datetime.fromisoformat(config.until or "")
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        too_late = moment > now + timedelta(seconds=YEAR)
    except (ValueError, OverflowError):
        too_late, moment = False, None
    if moment is None or too_late:
        what = "is more than a year away" if too_late else "is no moment in ISO 8601"
        return Failed(code="CONFIG_INVALID", message=f"until, {config.until!r}, {what}", retryable=False)
    return moment


def rules(config: JSONObject) -> Iterator[Finding]:
    if ("seconds" in config) == ("until" in config):
        yield Finding(
            code="BAD_DELAY",
            message="A delay has either seconds or until",
            remedy="Give exactly one of them.",
        )
    until = config.get("until")
    if isinstance(until, str) and "{{" not in until:
        try:
            datetime.fromisoformat(until)
        except ValueError:
            message = f"{until[:60]!r} is no moment in ISO 8601"
            remedy = "Write it like 2030-01-31T09:00:00+01:00."
            yield Finding(code="BAD_DELAY", message=message, path=("until",), remedy=remedy)


KIND = define(
    name="delay",
    title="Delay",
    description="Goes on after a time, or at a moment.",
    category=NodeCategory.FLOW,
    config=DelayConfig,
    run=run,
    resume=resume,
    rules=rules,
    output=INPUT,
    documentation="""
The input goes on unchanged after `seconds`, or at the moment `until`; a moment in the past means at once. Times without
an offset are UTC. At most a year.

An execution that waits costs nothing but its rows, and survives restarts.
""",
    examples={"Half a minute": {"seconds": 30}, "On a day": {"until": "{{ input.dueDate }}T09:00:00+01:00"}},
)
