"""What `weir test-workflow` is asked to do: the cases beside a document, or one of them many times over."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.local_site import LocalFile, local_file
from app.run_request import read_request
from domain.errors import Finding, Invalid
from domain.formats import case_files
from domain.graphs import Definition
from domain.json import JSON
from domain.load_runs_start import LoadSize
from domain.testcases import Case, InvalidCases
from domain.testcases_check import CODE, case_findings
from domain.validation.schemas import did_you_mean

SUFFIX = ".tests.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class CasesRequest:
    """`load`: how often the only case is to run; None: each case once, and to be judged."""

    file: LocalFile
    cases: Sequence[Case]
    load: LoadSize | None = None


def read_cases(file: Path, names: Sequence[str]) -> CasesRequest:
    """The cases of these names, all without any. Raises Refusal: Invalid, InvalidGraph, InvalidCases."""
    source, _ = _document(file)
    return CasesRequest(file=source, cases=chosen(_cases(source), names))


def read_load(file: Path, names: Sequence[str], input_: str | None, load: LoadSize) -> CasesRequest:
    """The one case that is to be repeated: what `--input` says, the case of this name, else the first beside the file.

    Raises as `read_cases`.
    """
    refuse_many(names, input_)
    source, value = _document(file, input_)
    if input_ is not None or (not names and not _beside(source.path).exists()):
        only = Case(name="input", input=value)
        refuse(case_findings(only, source.definition))
        return CasesRequest(file=source, cases=[only], load=load)
    return CasesRequest(file=source, cases=chosen(_cases(source), names)[:1], load=load)


def refuse_many(names: Sequence[str], input_: str | None) -> None:
    """Raises Invalid unless it is said what a load run repeats."""
    if len(names) > 1:
        raise Invalid("A load run repeats one case", path=("case",), remedy="Give --case once.")
    if names and input_ is not None:
        raise Invalid("--case and --input exclude each other", path=("input",), remedy="Give one of them.")


def chosen(cases: Sequence[Case], names: Sequence[str]) -> Sequence[Case]:
    """Those of these names, in the order of the cases; all without names. Raises Invalid for an unknown name."""
    known = [case.name for case in cases]
    for name in names:
        if name not in known:
            raise Invalid(f"There is no case {name!r}", path=("case",), remedy=did_you_mean(name, known))
    return [case for case in cases if not names or case.name in names]


def refuse(findings: Sequence[Finding]) -> None:
    """Raises InvalidCases."""
    if findings:
        raise InvalidCases(findings)


def _document(file: Path, input_: str | None = None) -> tuple[LocalFile, JSON]:
    request = read_request(file, input_=input_, each=None, variables=())
    return local_file(file, request.document), request.inputs[0]


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
    refuse(list(_findings(cases, source.definition)))
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
