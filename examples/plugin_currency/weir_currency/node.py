"""The `currency` node: an amount in another currency, at the European Central Bank's rates."""

import json
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Annotated

from pydantic import Field

from weir_kit import (
    ERROR,
    OUT,
    Completed,
    Failed,
    Finding,
    JSONObject,
    NodeCategory,
    NodeConfig,
    Outcome,
    OutgoingError,
    OutgoingRequest,
    StepContext,
    define,
)

RATES = "https://api.frankfurter.dev/v1"
Code = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class CurrencyConfig(NodeConfig):
    amount: float | int | str = Field(description="How much; a text such as '19.99' keeps every digit.")
    source: Code = Field(alias="from", description="The currency it is in, such as EUR.")
    target: Code = Field(alias="to", description="The currency wanted.")
    rates: str = Field(RATES, description="Where the rates are read: a service with the API of frankfurter.dev.")


async def run(step: StepContext, config: CurrencyConfig) -> Outcome:
    try:
        amount = Decimal(str(config.amount))
    except InvalidOperation:
        return Failed(code="NOT_A_NUMBER", message=f"The amount is {config.amount!r}", retryable=False)
    if config.source == config.target:
        return Completed(output=_output(amount, Decimal(1), config))
    url = f"{config.rates}/latest?base={config.source}&symbols={config.target}"
    try:
        response = await step.services.http.send(OutgoingRequest(method="GET", url=url))
    except OutgoingError as error:
        return Failed(code=error.code, message=error.message, retryable=error.retryable, remedy=error.remedy)
    if response.status != 200:
        return Failed(
            code="NO_RATE",
            message=f"The service answers {response.status} to {config.source} in {config.target}",
            retryable=response.status >= 500 or response.status == 429,
            remedy="Check the currencies' codes.",
        )
    rate = json.loads(response.content, parse_float=Decimal, parse_int=Decimal)["rates"][config.target]
    return Completed(output=_output(amount, rate, config))


def _output(amount: Decimal, rate: Decimal, config: CurrencyConfig) -> JSONObject:
    converted = (amount * rate).quantize(Decimal("0.01"))
    return {"amount": float(converted), "currency": config.target, "rate": float(rate)}


def rules(config: JSONObject) -> Iterator[Finding]:
    if config.get("from") is not None and config.get("from") == config.get("to"):
        yield Finding(
            code="SAME_CURRENCY", message="'from' and 'to' are the same", path=("to",), remedy="Drop the node."
        )


KIND = define(
    name="currency",
    title="Currency",
    description="Converts an amount of money into another currency.",
    category=NodeCategory.DATA,
    config=CurrencyConfig,
    run=run,
    rules=rules,
    outputs=(OUT, ERROR),
    output={
        "type": "object",
        "properties": {
            "amount": {"type": "number", "description": "In the target currency."},
            "currency": {"type": "string", "description": "The target's code."},
            "rate": {"type": "number", "description": "What one unit of the source costs in it."},
        },
        "additionalProperties": False,
    },
    documentation="""
The output is `{amount, currency, rate}`, the amount rounded to two places. The rates are those of the European Central
Bank, of the last working day. `NO_RATE` is a currency that the Bank has no rate for.
""",
    examples={"A price in dollars": {"amount": "{{ input.total }}", "from": "EUR", "to": "USD"}},
)
