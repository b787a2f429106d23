"""What `weir test-workflow` is asked to do: the cases beside a document, or one of them many times over."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.cases_chosen import chosen, only_case
from app.local_site import LocalFile, local_file
from app.run_request import read_request
from domain.errors import Finding, Invalid
from domain.formats import case_files
from domain.graphs import Definition
from domain.testcases import Case, InvalidCases
from domain.testcases_check import CODE, case_findings

SUFFIX = ".tests.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class CasesRequest:
    """A workflow file, and which of the cases beside it are to run."""

    file: LocalFile
    cases: Sequence[Case]


def read_cases(file: Path, names: Sequence[str]) -> CasesRequest:
    """The cases of these names, all without any. Raises Refusal: Invalid, InvalidGraph, InvalidCases."""
    source = _document(file)
    return CasesRequest(file=source, cases=chosen(_cases(source), names))


def read_load(file: Path, names: Sequence[str], input_: str | None) -> CasesRequest:
    """The one case that is to be repeated: what `--input` says, the case of this name, else the first beside the file.

    Raises as `read_cases`.
    """
    only = only_case(names, input_)
    source = _document(file)
    if only is None and not names and not _beside(file).exists():
        only = Case(name="no input")
    if only is None:
        return CasesRequest(file=source, cases=chosen(_cases(source), names)[:1])
    _refuse(case_findings(only, source.definition))
    return CasesRequest(file=source, cases=[only])


def _refuse(findings: Sequence[Finding]) -> None:
    """Raises InvalidCases."""
    if findings:
        raise InvalidCases(findings)


def _document(file: Path) -> LocalFile:
    return local_file(file, read_request(file, input_=None, each=None, variables=()).document)


def _cases(source: LocalFile) -> Sequence[Case]:
    beside = _beside(source.path)
    try:
        raw = beside.read_bytes()
    except OSError as error:
        raise Invalid(
            f"{beside} cannot be read: {error.strerror}",
            path=("file",),
            remedy="Write its test cases there; docs/testing-workflows.md says how.",
        ) from error
    cases = case_files.loads(raw)
    if not cases:
        raise Invalid(f"{beside.name} has no test case", path=("cases",), remedy="Add one to `cases`.")
    _refuse(list(_findings(cases, source.definition)))
    return cases


def _beside(file: Path) -> Path:
    return file.with_suffix(SUFFIX)


def _findings(cases: Sequence[Case], definition: Definition) -> Iterator[Finding]:
    times = Counter(case.name for case in cases)
    for at, case in enumerate(cases):
        yield from case_findings(case, definition, "cases", str(at))
        if times[case.name] > 1:
            message = f"{case.name!r} is the name of {times[case.name]} cases"
            yield Finding(code=CODE, message=message, path=("cases", str(at), "name"), remedy="Give each its own.")
