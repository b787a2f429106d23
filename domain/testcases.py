"""Test cases: what a workflow is tried with and what is to come of it, saved with it or in a file beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from domain.errors import Conflict, Finding, Invalid
from domain.ids import ExecutionId, TestCaseId, WorkflowId
from domain.json import JSON, JSONObject
from domain.paging import Page, Place, Slice
from domain.trials import Trial

MAX_CASES = 200
"""Of one workflow, or in one file."""
DEFAULT_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`trial` has no breakpoints: nobody stands by. `timeout`: seconds from its start after which it has failed."""

    name: str
    description: str = ""
    input: JSON = None
    variables: JSONObject = field(default_factory=dict[str, JSON])
    trial: Trial = field(default_factory=Trial)
    timeout: float = DEFAULT_TIMEOUT


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedCase:
    """A case of a workflow. `revision` counts changes from 1. People are `Actor.person`."""

    id: TestCaseId
    workflow_id: WorkflowId
    case: Case
    revision: int = 1
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


class InvalidCases(Invalid):
    """Test cases are not as they must be; all findings at once. `path` leads to the first."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        first = findings[0]
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        super().__init__(f"{first.message}{more}", path=first.path, remedy=first.remedy)
        self.findings = tuple(findings)


class TestCaseNameTaken(Conflict):
    """Another test case of the workflow has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The workflow has a test case named {name!r} already", path=("name",), remedy="Choose another name."
        )


class StaleTestCase(Conflict):
    """The test case was changed since the caller read it."""

    def __init__(self, current_revision: int) -> None:
        super().__init__(
            f"The test case has changed: its revision is {current_revision}",
            current_revision=current_revision,
            path=("expectedRevision",),
            remedy="Read it again, apply your change to what is there now, and send that revision.",
        )


class TestCaseReader(Protocol):
    """Born with a tenant; another tenant's test cases are not there."""

    async def by_ids(self, ids: Sequence[TestCaseId]) -> Sequence[SavedCase]:
        """Those that exist, in any order."""
        ...

    async def of_workflow(self, workflow_id: WorkflowId) -> Sequence[SavedCase]:
        """All of them, the oldest first."""
        ...

    async def page(self, workflow_id: WorkflowId, page: Page) -> Slice[SavedCase]:
        """The oldest first; `Place.value` is None."""
        ...

    async def count(self, workflow_id: WorkflowId) -> int: ...

    async def last_executions(self, ids: Sequence[TestCaseId]) -> Mapping[TestCaseId, ExecutionId]:
        """The latest execution of each that has one."""
        ...


class TestCaseWriter(Protocol):
    """Born with a tenant."""

    async def insert(self, saved: SavedCase) -> None:
        """Raises TestCaseNameTaken."""
        ...

    async def save(self, saved: SavedCase, *, expected_revision: int) -> bool:
        """Write its case if the stored revision is the expected one; False when it is not. Raises TestCaseNameTaken."""
        ...

    async def delete(self, case_id: TestCaseId) -> bool:
        """Its executions stay. False when there is none."""
        ...


def place(saved: SavedCase) -> Place:
    return Place(id=saved.id)
