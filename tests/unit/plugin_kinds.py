"""Node kinds as plug-ins bring them, good and bad, for the tests of their loading."""

from typing import Any

from jobs.nodes.base import DefinedKind
from weir_kit import Completed, NodeCategory, NodeConfig, Outcome, StepContext, define


class Nothing(NodeConfig):
    pass


async def run(step: StepContext, config: Nothing) -> Outcome:
    return Completed(output="done")


def kind(name: str) -> DefinedKind[Any]:
    return define(
        name=name,
        title="Nothing",
        description="Does nothing.",
        category=NodeCategory.DATA,
        config=Nothing,
        run=run,
        documentation="Nothing.",
        examples={"Nothing": {}},
    )


GOOD, TWIN, HTTP, ODD = kind("nothing"), kind("nothing"), kind("http"), kind("No Name")
NO_KIND = "nothing"
