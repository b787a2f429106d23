"""The `merge` node: brings branches together."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from domain.engine.outcomes import Completed, Outcome
from domain.errors import Finding
from domain.json import JSONObject
from domain.nodes import NodeCategory
from jobs.nodes.base import NodeConfig, StepContext, define


class MergeConfig(NodeConfig):
    mode: Literal["all", "any", "first", "n", "each"] = Field("all", description="How many incoming edges to wait for.")
    n: Annotated[int, Field(ge=1)] | None = Field(None, description="With mode n: this many.")
    cancel: bool = Field(True, description="Whether the rest is cancelled once enough has come.")


async def run(step: StepContext, config: MergeConfig) -> Outcome:
    return Completed(output=step.input)


def rules(config: JSONObject) -> Iterator[Finding]:
    if (config.get("mode") == "n") != ("n" in config):
        yield Finding(
            code="BAD_JOIN",
            message="'n' goes with mode n, and only with it",
            path=("n",),
            remedy="Give mode: n and a number of edges, or neither.",
        )
    if config.get("cancel") is False and config.get("mode", "all") in ("all", "each"):
        message = "'cancel' is about what still runs when enough has come"
        yield Finding(code="BAD_JOIN", message=message, path=("cancel",), remedy="Leave it out.")
    for key in ("mode", "n", "cancel"):
        if isinstance(config.get(key), str) and "{{" in str(config[key]):
            message = f"{key!r} cannot be an expression: how branches join is part of the graph"
            yield Finding(code="BAD_JOIN", message=message, path=(key,), remedy="Write the value.")


KIND = define(
    name="merge",
    title="Merge",
    description="Brings branches together, waiting for all of them or for some.",
    category=NodeCategory.FLOW,
    config=MergeConfig,
    run=run,
    rules=rules,
    merges=True,
    documentation="""
| mode | goes on when | the rest |
|---|---|---|
| `all` | every incoming edge is settled, taken or dead | – |
| `any` | the first branch has finished | is cancelled |
| `first` | the first branch has succeeded; failures before it do not count | is cancelled |
| `n` | `n` branches have finished | is cancelled |
| `each` | any branch has finished: once for every one of them | runs on |

With `cancel: false` the rest runs on; what comes later is not waited for and goes no further.

The output is what came: the value itself from one branch, an object by node id from several.
""",
    examples={
        "Wait for all": {},
        "Whoever answers first": {"mode": "first"},
        "Two of them": {"mode": "n", "n": 2},
    },
)
