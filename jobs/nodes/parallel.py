"""The `parallel` node: several ways at once."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from domain.engine.outcomes import Completed, ErrorHandling, Outcome
from domain.errors import Finding
from domain.graphs import ERROR, OUT
from domain.json import JSONObject, as_list
from domain.nodes import INPUT, NodeCategory
from domain.validation.nodes import MAX_SECONDS
from jobs.nodes.base import NodeConfig, StepContext, define


class ParallelConfig(NodeConfig):
    branches: list[Annotated[str, Field(min_length=1, max_length=64)]] = Field(
        default_factory=list[str], description="The names of the outputs; one output, out, when left out."
    )
    timeout: Annotated[float, Field(gt=0, le=MAX_SECONDS)] | None = Field(
        None, description="Seconds in which the branches must come together."
    )
    error_handling: ErrorHandling = Field(
        ErrorHandling.STOP,
        strict=False,
        description="A failed branch stops the others (stop), is left out (continue), or gives its error (collect).",
    )


async def run(step: StepContext, config: ParallelConfig) -> Outcome:
    deadline = step.at + timedelta(seconds=config.timeout) if config.timeout is not None else None
    return Completed(output=step.input, handles=tuple(config.branches) or (OUT,), deadline=deadline)


def handles(config: JSONObject) -> Sequence[str]:
    names = [name for name in as_list(config.get("branches")) if isinstance(name, str)]
    return tuple(names) or (OUT,)


def rules(config: JSONObject) -> Iterator[Finding]:
    branches = config.get("branches")
    if isinstance(branches, str):
        remedy = "Write the names; edges refer to them."
        yield Finding(code="BAD_BRANCH", message="Branches cannot be an expression", path=("branches",), remedy=remedy)
    for key in ("timeout", "errorHandling"):
        if isinstance(config.get(key), str) and "{{" in str(config[key]):
            message = f"{key!r} cannot be an expression: it is part of the graph"
            yield Finding(code="BAD_BRANCH", message=message, path=(key,), remedy="Write the value.")
    names = as_list(branches)
    for at, name in enumerate(names):
        if name == ERROR or name in names[:at]:
            message = f"The branch name {str(name)[:64]!r} is taken"
            path = ("branches", str(at))
            yield Finding(code="BAD_BRANCH", message=message, path=path, remedy="Choose another name.")


KIND = define(
    name="parallel",
    title="Parallel",
    description="Takes several ways at once.",
    category=NodeCategory.FLOW,
    config=ParallelConfig,
    run=run,
    handles=handles,
    rules=rules,
    forks=True,
    output=INPUT,
    documentation="""
Every branch gets the input and runs at the same time as the others. Any node does the same when several edges leave
one of its outputs; `parallel` gives the branches names. Bring them together with a `merge` node.

`errorHandling` says what a failure between here and the node where the branches meet means. `stop`: the execution
fails, or whatever its settings say. `continue`: the branch ends, the others go on; when none is left, the failure
counts. `collect`: the same, and the node where they meet gets `{error}` under the id of the step that failed, even when
nothing else came.

`timeout` is for all of it: what still runs after so many seconds is cancelled and counts as failed with
`PARALLEL_TIMEOUT`.
""",
    examples={
        "Two checks at once": {"branches": ["stock", "credit"]},
        "Offers within ten seconds": {"branches": ["a", "b", "c"], "timeout": 10, "errorHandling": "collect"},
    },
)
