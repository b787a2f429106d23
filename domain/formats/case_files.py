"""The file of test cases beside a workflow document: YAML text to cases, refusing a wrong shape with all findings."""

from typing import Annotated, Any, Literal, cast

from pydantic import Field, ValidationError

from domain.engine.ports import ExecutionStatus
from domain.formats import yaml_format
from domain.formats.shapes import Anything, Handle, Name, Seconds, Shape, Text
from domain.testcases import DEFAULT_TIMEOUT, MAX_CASES, Case, InvalidCases
from domain.trials import Pin, Trial
from domain.validation.models import shape_findings


class PinShape(Shape):
    output: Anything = Field(None, description="What stands in for the node's output.")
    handle: Handle | None = Field(None, description="The output it takes; the usual one if left out.")


class CaseShape(Shape):
    name: Annotated[Name, Field(min_length=1)] = Field(description="What the case is called; unique in the file.")
    description: Text = Field("", description="For readers.")
    input: Anything = Field(None, description="The execution's input.")
    variables: dict[str, Anything] = Field(default_factory=dict[str, Anything], description="Over the defaults.")
    pins: dict[str, PinShape] = Field(default_factory=dict[str, PinShape], description="What stands in for nodes.")
    effects: list[str] = Field(default_factory=list[str], description="The nodes that may act outside.")
    expected: dict[str, Anything] = Field(default_factory=dict[str, Anything], description="Outputs, by node or step.")
    assertions: list[str] = Field(default_factory=list[str], description="Expressions that are true at the end.")
    status: Literal["COMPLETED", "FAILED", "CANCELLED"] = Field("COMPLETED", description="How it is to end.")
    timeout: Seconds = Field(DEFAULT_TIMEOUT, description="Seconds after which it has failed.")


class CasesShape(Shape):
    weir: Literal[1] = Field(1, description="The version of this format: 1.")
    cases: Annotated[list[CaseShape], Field(max_length=MAX_CASES)] = Field(description="The test cases.")


def loads(text: bytes | str) -> list[Case]:
    """The cases in the text, in their order.

    Raises TooLarge, Unreadable (no UTF-8 or YAML; says where), InvalidCases (a wrong shape).
    """
    value = yaml_format.parse(text)
    try:
        CasesShape.model_validate(value)
    except ValidationError as error:
        raise InvalidCases(list(shape_findings(CasesShape, error, value))) from None
    trusted = cast("dict[str, Any]", value)
    return [_case(case) for case in trusted["cases"]]


def _case(given: dict[str, Any]) -> Case:
    pins: dict[str, Any] = given.get("pins", {})
    trial = Trial(
        pins={node: Pin(output=pin.get("output"), handle=pin.get("handle")) for node, pin in pins.items()},
        effects=frozenset(given.get("effects", ())),
        expected=given.get("expected", {}),
        assertions=tuple(given.get("assertions", ())),
        status=ExecutionStatus(given.get("status", "COMPLETED")),
    )
    return Case(
        name=given["name"].strip(),
        description=given.get("description", ""),
        input=given.get("input"),
        variables=given.get("variables", {}),
        trial=trial,
        timeout=float(given.get("timeout", DEFAULT_TIMEOUT)),
    )
