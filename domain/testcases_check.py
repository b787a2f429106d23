"""What can be wrong with a test case before it is kept or run: everything at once, each place named."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from domain.errors import Finding, Invalid, Refusal, ValidationLevel
from domain.executions_prepare import merged
from domain.graphs import Definition
from domain.storable import checked, checked_text
from domain.testcases import Case, InvalidCases
from domain.trials import node_name, trial_to_json
from domain.trials_check import MAX_BYTES, problems
from domain.validation.inputs import check_input

CODE = "WRONG_TEST_CASE"
MAX_NAME = 200
MAX_TEXT = 10_000
MAX_TIMEOUT = 86_400.0
_OF_NODES = ("pins", "effects", "expected")


def refuse_wrong(case: Case, definition: Definition) -> None:
    """Raises InvalidCases with every finding; their paths lead from the case."""
    findings = case_findings(case, definition)
    if findings:
        raise InvalidCases(findings)


def case_findings(case: Case, definition: Definition, *path: str) -> Sequence[Finding]:
    """What is wrong with the case for a workflow of this definition; `path` leads to the case."""
    found = [_finding(refusal) for refusal in _refusals(case, definition)]
    found += [
        replace(finding, path=("input", *finding.path), message=f"The input does not fit its schema: {finding.message}")
        for finding in check_input(definition.input_schema, case.input)
    ]
    return [replace(finding, path=(*path, *finding.path)) for finding in found]


def _refusals(case: Case, definition: Definition) -> Iterator[Refusal]:
    yield from _texts(case)
    if not 0 < case.timeout <= MAX_TIMEOUT:
        yield Invalid(f"A timeout is more than 0 and at most {MAX_TIMEOUT:,.0f} seconds", path=("timeout",))
    if case.trial.breakpoints or case.trial.stepping:
        yield Invalid(
            "A test case has no breakpoints", path=("breakpoints",), remedy="Start the draft with executionStart."
        )
    try:
        checked(case.input, "input", most=MAX_BYTES)
        checked(case.variables, "variables", most=MAX_BYTES)
        checked(trial_to_json(case.trial), most=MAX_BYTES)
    except Refusal as refusal:
        yield refusal
        return
    try:
        merged(definition.variables, case.variables)
    except Invalid as refusal:
        yield refusal
    yield from problems(case.trial, definition.graph)


def _texts(case: Case) -> Iterator[Refusal]:
    for name, text, least, most in (("name", case.name, 1, MAX_NAME), ("description", case.description, 0, MAX_TEXT)):
        try:
            checked_text(text, name, least=least, most=most)
        except Invalid as refusal:
            yield refusal


def _finding(refusal: Refusal) -> Finding:
    part, *names = refusal.path or ("",)
    return Finding(
        level=ValidationLevel.SEMANTIC,
        code=CODE,
        message=refusal.message,
        node_id=node_name(names[0]) if part in _OF_NODES and names else None,
        path=refusal.path,
        remedy=refusal.remedy,
    )
