"""Test mode, as the API shows it: what a test is to do, where it stands, what it came to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeVar

import strawberry

from domain.errors import Invalid
from domain.executions_read import Overview
from domain.json import JSON as JSONValue
from domain.testcases import SavedCase
from domain.trials import Breakpoint, Pin, Trial
from domain.trials_running import stopped_at
from domain.trials_verdict import Shortfall, Verdict
from resolvers import testcases, trials
from schema.enums import ExecutionStatus, Mark, When
from schema.info import Info
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.testcases import TestCaseType

LazyTestCase = Annotated["TestCaseType", strawberry.lazy("schema.testcases")]
V = TypeVar("V")
_NODE = "Its id; loop.price inside a body, call/price in the workflow that the node call calls."


@strawberry.input(name="BreakpointInput", description="Where a test stops.")
class BreakpointInput:
    node: str = strawberry.field(description=_NODE)
    when: When = When.BEFORE


@strawberry.input(name="PinInput", description="What stands in for a node's run.")
class PinInput:
    node: str = strawberry.field(description=_NODE)
    output: JSON | None = None
    handle: str | None = strawberry.field(default=None, description="The output it takes; the usual one if left out.")


@strawberry.input(name="ExpectedOutputInput", description="What the output of a step is to be.")
class ExpectedOutputInput:
    node: str = strawberry.field(description="A node, loop.price inside a body, or one step's path: loop[3].price.")
    output: JSON | None = None


@strawberry.input(name="ExecutionTestInput", description="Runs in test mode: nothing acts outside unless allowed to.")
class ExecutionTestInput:
    breakpoints: list[BreakpointInput] = strawberry.field(default_factory=list[BreakpointInput])
    stepping: bool = strawberry.field(default=False, description="Stop before every step.")
    pins: list[PinInput] = strawberry.field(default_factory=list[PinInput])
    effects: list[str] = strawberry.field(default_factory=list[str], description="The nodes that may act outside.")
    expected: list[ExpectedOutputInput] = strawberry.field(default_factory=list[ExpectedOutputInput])
    assertions: list[str] = strawberry.field(
        default_factory=list[str], description="Expressions over steps, vars, output, error, status: true at the end."
    )
    status: ExecutionStatus = strawberry.field(default=ExecutionStatus.COMPLETED, description="How it is to end.")

    def trial(self) -> Trial:
        """Raises Invalid for a node that is named twice."""
        return Trial(
            breakpoints=tuple(Breakpoint(node=point.node, when=point.when) for point in self.breakpoints),
            stepping=self.stepping,
            pins=pins_of(self.pins, "test"),
            effects=frozenset(self.effects),
            expected=expected_of(self.expected, "test"),
            assertions=tuple(self.assertions),
            status=self.status,
        )


def pins_of(given: Iterable[PinInput], *path: str) -> Mapping[str, Pin]:
    """By node; `path` leads to what they are in. Raises Invalid for a node that is named twice."""
    return _once([(pin.node, Pin(output=pin.output, handle=pin.handle)) for pin in given], (*path, "pins"))


def expected_of(given: Iterable[ExpectedOutputInput], *path: str) -> Mapping[str, JSONValue]:
    """As `pins_of`."""
    return _once([(each.node, each.output) for each in given], (*path, "expected"))


def _once(pairs: Iterable[tuple[str, V]], path: tuple[str, ...]) -> Mapping[str, V]:
    found: dict[str, V] = {}
    for node, value in pairs:
        if node in found:
            raise Invalid(f"{node[:200]!r} stands there twice", path=(*path, node), remedy="Keep one of them.")
        found[node] = value
    return found


@strawberry.type(name="Breakpoint")
class BreakpointType:
    node: str
    when: When


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    node: str
    pin: Pin


@strawberry.type(name="Pin")
class PinType:
    node: str

    @strawberry.field
    @staticmethod
    def output(root: strawberry.Parent[Pinned]) -> JSON | None:
        return root.pin.output

    @strawberry.field
    @staticmethod
    def handle(root: strawberry.Parent[Pinned]) -> str | None:
        return root.pin.handle


@strawberry.type
class ExpectedOutput:
    node: str
    output: JSON | None


@strawberry.type(description="A step that did not simply run.")
class TestMark:
    path: str
    mark: Mark


@strawberry.type(name="TestFailure", description="One thing that is not as it was to be.")
class TestFailureType:
    message: str
    expected: JSON | None
    actual: JSON | None
    node: str | None
    path: str | None

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Shortfall)


@strawberry.type(name="TestVerdict", description="What a test came to; the same whenever it is asked for.")
class TestVerdictType:
    passed: bool

    @strawberry.field(graphql_type=list[TestFailureType])
    @staticmethod
    def failures(root: strawberry.Parent[Verdict]) -> Sequence[Shortfall]:
        return root.failures


@strawberry.type(description="An execution in test mode.")
class ExecutionTest:
    @strawberry.field(graphql_type=list[BreakpointType])
    @staticmethod
    def breakpoints(root: strawberry.Parent[Overview]) -> Sequence[Breakpoint]:
        return _trial(root).breakpoints

    @strawberry.field(description="Whether it stops before every step from now on.")
    @staticmethod
    def stepping(root: strawberry.Parent[Overview]) -> bool:
        return root.state.stepping

    @strawberry.field(graphql_type=list[PinType])
    @staticmethod
    def pins(root: strawberry.Parent[Overview]) -> Sequence[Pinned]:
        return [Pinned(node=node, pin=pin) for node, pin in _trial(root).pins.items()]

    @strawberry.field(description="The nodes that may act outside.")
    @staticmethod
    def effects(root: strawberry.Parent[Overview]) -> list[str]:
        return sorted(_trial(root).effects)

    @strawberry.field
    @staticmethod
    def expected(root: strawberry.Parent[Overview]) -> list[ExpectedOutput]:
        return [ExpectedOutput(node=node, output=output) for node, output in _trial(root).expected.items()]

    @strawberry.field
    @staticmethod
    def assertions(root: strawberry.Parent[Overview]) -> list[str]:
        return list(_trial(root).assertions)

    @strawberry.field(description="How it is to end.")
    @staticmethod
    def status(root: strawberry.Parent[Overview]) -> ExecutionStatus:
        return _trial(root).status

    @strawberry.field(description="The paths of the steps that wait for executionContinue, the first one first.")
    @staticmethod
    def stopped_at(root: strawberry.Parent[Overview]) -> list[str]:
        return list(stopped_at(root.state))

    @strawberry.field(description="The steps that were pinned, only seemed to act, or were allowed to.")
    @staticmethod
    async def marks(root: strawberry.Parent[Overview], info: Info) -> list[TestMark]:
        found = await trials.marks(info.context, root.execution_id)
        return [TestMark(path=path, mark=mark) for path, mark in found]

    @strawberry.field(graphql_type=LazyTestCase | None, description="The saved test case that it is a run of.")
    @staticmethod
    async def test_case(root: strawberry.Parent[Overview], info: Info) -> SavedCase | None:
        return await testcases.of_execution(info.context, root.execution_id)

    @strawberry.field(graphql_type=TestVerdictType | None, description="Null until it is over.")
    @staticmethod
    async def verdict(root: strawberry.Parent[Overview], info: Info) -> Verdict | None:
        return await trials.verdict(info.context, root)


def _trial(overview: Overview) -> Trial:
    return overview.state.trial or Trial()
