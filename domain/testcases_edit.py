"""The life of a saved test case: it is made, changed, taken away; each time the draft it is for is looked at."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from domain.errors import Conflict, NotFound
from domain.ids import TestCaseId, WorkflowId, encode
from domain.sources import Ids
from domain.tenancy import Principal
from domain.testcases import MAX_CASES, Case, SavedCase, StaleTestCase, TestCaseReader, TestCaseWriter
from domain.testcases_check import refuse_wrong
from domain.workflows import WorkflowReader
from domain.workflows_edit import load as load_workflow

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Casework:
    """What keeping test cases needs: bound to one tenant."""

    cases: TestCaseReader
    writer: TestCaseWriter
    workflows: WorkflowReader
    ids: Ids


async def load(case_id: TestCaseId, reader: TestCaseReader) -> SavedCase:
    """Raises NotFound."""
    found = await reader.by_ids([case_id])
    if not found:
        raise _missing(case_id)
    return found[0]


async def create(workflow_id: WorkflowId, case: Case, *, by: Principal, given: Casework, now: datetime) -> SavedCase:
    """Of revision 1. Raises NotFound, InvalidCases, TestCaseNameTaken, Conflict when the workflow has 200 already."""
    workflow = await load_workflow(workflow_id, given.workflows)
    refuse_wrong(case, workflow.draft)
    if await given.cases.count(workflow_id) >= MAX_CASES:
        raise Conflict(f"The workflow has {MAX_CASES} test cases already, the most it may have", path=("workflowId",))
    person = by.actor.person
    saved = SavedCase(
        id=TestCaseId(given.ids()),
        workflow_id=workflow_id,
        case=case,
        created_at=now,
        created_by=person,
        updated_at=now,
        updated_by=person,
    )
    await given.writer.insert(saved)
    return saved


async def update(
    case_id: TestCaseId,
    change: Callable[[Case], Case],
    expected_revision: int | None,
    *,
    by: Principal,
    given: Casework,
    now: datetime,
) -> SavedCase:
    """The changed case, its revision one higher unless nothing is other. A concurrent change is no error unless a
    revision was expected.

    Raises NotFound, InvalidCases, TestCaseNameTaken, StaleTestCase.
    """
    for _ in range(_ATTEMPTS):
        current = await _expected(case_id, expected_revision, given.cases)
        case = change(current.case)
        if case == current.case:
            return current
        workflow = await load_workflow(current.workflow_id, given.workflows)
        refuse_wrong(case, workflow.draft)
        new = replace(current, case=case, revision=current.revision + 1, updated_at=now, updated_by=by.actor.person)
        if await given.writer.save(new, expected_revision=current.revision):
            return new
    raise StaleTestCase((await load(case_id, given.cases)).revision)


async def delete(case_id: TestCaseId, expected_revision: int | None, *, given: Casework) -> SavedCase:
    """What it was. Raises NotFound, StaleTestCase."""
    current = await _expected(case_id, expected_revision, given.cases)
    if not await given.writer.delete(case_id):
        raise _missing(case_id)
    return current


async def _expected(case_id: TestCaseId, expected_revision: int | None, reader: TestCaseReader) -> SavedCase:
    current = await load(case_id, reader)
    if expected_revision not in (None, current.revision):
        raise StaleTestCase(current.revision)
    return current


def _missing(case_id: TestCaseId) -> NotFound:
    return NotFound("test case", encode("testcase", case_id))
