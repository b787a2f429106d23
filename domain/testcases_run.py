"""Running test cases: one execution in test mode for each, and what they have come to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.errors import Invalid, NotFound, Refusal, TooLarge
from domain.executions import Execution
from domain.executions_prepare import Origin, StartRequest
from domain.executions_start import Starting, start_many
from domain.ids import TestCaseId, WorkflowId, encode
from domain.testcases import MAX_CASES, Case, SavedCase, TestCaseReader
from domain.trials_verdict import Shortfall, Verdict
from domain.workflows import WorkflowReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Either some test cases, or all of a workflow."""

    ids: Sequence[TestCaseId] | None = None
    workflow_id: WorkflowId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """`case` None: it was deleted since. `execution` None: it could not begin. `verdict` None: it is not over."""

    case: SavedCase | None
    execution: Execution | None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TestRun:
    results: Sequence[CaseResult]

    @property
    def passed(self) -> int:
        return sum(result.verdict is not None and result.verdict.passed for result in self.results)

    @property
    def failed(self) -> int:
        return sum(result.verdict is not None and not result.verdict.passed for result in self.results)

    @property
    def running(self) -> int:
        return sum(result.verdict is None for result in self.results)


async def run(
    chosen: Chosen, version: int | None, origin: Origin, *, reader: TestCaseReader, given: Starting, now: datetime
) -> TestRun:
    """Begin one execution for each, of the draft or of a version; what cannot begin has failed.

    Raises Invalid unless it is said which, NotFound for a case or workflow that is not there, TooLarge beyond 200.
    """
    cases = await _cases(chosen, reader, given.workflows)
    requests = [request_of(each.case, each.workflow_id, version=version, trial_of=each.id) for each in cases]
    begun = await start_many(requests, origin, given=given, now=now)
    return TestRun(results=[_result(case, answer) for case, answer in zip(cases, begun, strict=True)])


def request_of(
    case: Case, workflow_id: WorkflowId, *, version: int | None = None, trial_of: UUID | None = None
) -> StartRequest:
    """The start of one trial of the case; `version` None: of the draft."""
    return StartRequest(
        workflow_id=workflow_id,
        input=case.input,
        variables=case.variables,
        version=version,
        draft=version is None,
        trial=case.trial,
        timeout=case.timeout,
        trial_of=trial_of,
    )


def refused(refusal: Refusal) -> Verdict:
    """What a case came to that could not begin."""
    what_to_do = f". {refusal.remedy}" if refusal.remedy else ""
    return Verdict(failures=[Shortfall(message=f"It could not begin: {refusal.message}{what_to_do}", expected=None)])


async def _cases(chosen: Chosen, reader: TestCaseReader, workflows: WorkflowReader) -> Sequence[SavedCase]:
    match chosen:
        case Chosen(ids=None, workflow_id=workflow_id) if workflow_id is not None:
            if not await workflows.by_ids([workflow_id]):
                raise NotFound("workflow", encode("workflow", workflow_id), path=("workflowId",))
            return await reader.of_workflow(workflow_id)
        case Chosen(ids=ids, workflow_id=None) if ids is not None:
            return await _named(ids, reader)
        case _:
            raise Invalid("Give either ids or a workflowId", path=("ids",))


async def _named(ids: Sequence[TestCaseId], reader: TestCaseReader) -> Sequence[SavedCase]:
    if len(ids) > MAX_CASES:
        raise TooLarge(f"At most {MAX_CASES} test cases are run at once", path=("ids",))
    found = {each.id: each for each in await reader.by_ids(ids)}
    for case_id in ids:
        if case_id not in found:
            raise NotFound("test case", encode("testcase", case_id), path=("ids",))
    return [found[case_id] for case_id in dict.fromkeys(ids)]


def _result(case: SavedCase, answer: Execution | Refusal) -> CaseResult:
    if isinstance(answer, Refusal):
        return CaseResult(case=case, execution=None, verdict=refused(answer))
    return CaseResult(case=case, execution=answer)
