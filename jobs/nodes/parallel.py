"""The `parallel` node: several ways at once."""

from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import Field

from domain.engine.outcomes import Completed, Outcome
from domain.errors import Finding
from domain.graphs import ERROR, OUT
from domain.json import JSONObject, as_list
from domain.nodes import NodeCategory
from jobs.nodes.base import NodeConfig, StepContext, define


class ParallelConfig(NodeConfig):
    branches: list[Annotated[str, Field(min_length=1, max_length=64)]] = Field(
        default_factory=list[str], description="The names of the outputs; one output, out, when left out."
    )


async def run(step: StepContext, config: ParallelConfig) -> Outcome:
    return Completed(output=step.input, handles=tuple(config.branches) or (OUT,))


def handles(config: JSONObject) -> Sequence[str]:
    names = [name for name in as_list(config.get("branches")) if isinstance(name, str)]
    return tuple(names) or (OUT,)


def rules(config: JSONObject) -> Iterator[Finding]:
    branches = config.get("branches")
    if isinstance(branches, str):
        remedy = "Write the names; edges refer to them."
        yield Finding(code="BAD_BRANCH", message="Branches cannot be an expression", path=("branches",), remedy=remedy)
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
    documentation="""
Every branch gets the input and runs at the same time as the others. Any node does the same when several edges leave
one of its outputs; `parallel` gives the branches names. Bring them together with a `merge` node.
""",
    examples={"Two checks at once": {"branches": ["stock", "credit"]}},
)
