"""Node kinds as plug-ins bring them, good and bad, for the tests of their loading."""

from typing import Annotated, Any

from pydantic import Field

from jobs.nodes.base import DefinedKind
from weir_kit import Completed, ConnectionOf, NodeCategory, NodeConfig, Outcome, StepContext, define


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


class Booking(NodeConfig):
    ledger: Annotated[str, ConnectionOf("postgresql")] | None = Field(None, description="Where it is booked.")
    connection: str | None = Field(None, description="Who is told.")


async def book(step: StepContext, config: Booking) -> Outcome:
    return Completed(output={"ledger": config.ledger, "told": config.connection})


BOOK = define(
    name="book",
    title="Book",
    description="Books an amount.",
    category=NodeCategory.INTEGRATION,
    config=Booking,
    run=book,
    output={
        "type": "object",
        "properties": {"ledger": {"type": "string"}, "told": {"type": "string"}},
        "additionalProperties": False,
    },
    documentation="The output is `{ledger, told}`.",
    examples={"An amount": {"ledger": "books"}},
)
GOOD, TWIN, HTTP, ODD = kind("nothing"), kind("nothing"), kind("http"), kind("No Name")
NO_KIND = "nothing"
