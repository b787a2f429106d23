"""What `weir test-workflow` prints of test cases, and how it ends: for people, as JSON, as JUnit's XML."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from app.live_view import duration
from app.run_result import INTERRUPTED
from domain.engine.ports import ExecutionStatus
from domain.json import JSON, JSONObject
from domain.trials_verdict import Shortfall, Verdict

_SHOWN = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseReport:
    """`verdict` None: it was not over when the command ended. `execution`: its TypeID, None when it could not begin."""

    name: str
    execution: str | None = None
    status: ExecutionStatus | None = None
    seconds: float = 0.0
    verdict: Verdict | None = None

    @property
    def passed(self) -> bool:
        return self.verdict is not None and self.verdict.passed


@dataclass(frozen=True, slots=True, kw_only=True)
class CasesReport:
    workflow: str
    cases: Sequence[CaseReport]
    interrupted: bool = False

    @property
    def passed(self) -> int:
        return sum(case.passed for case in self.cases)

    @property
    def exit_status(self) -> int:
        if self.interrupted:
            return INTERRUPTED
        return 0 if self.passed == len(self.cases) else 1


def as_text(report: CasesReport) -> str:
    """A line for each case, what is not as it was to be below it, and how many passed."""
    lines = [line for case in report.cases for line in _lines(case)]
    failed = len(report.cases) - report.passed
    return "\n".join([*lines, f"{report.workflow}: {report.passed} passed, {failed} failed"])


def as_json(report: CasesReport) -> str:
    described: JSONObject = {
        "workflow": report.workflow,
        "passed": report.passed,
        "failed": len(report.cases) - report.passed,
        "cases": [_described(case) for case in report.cases],
    }
    return json.dumps(described, indent=2, ensure_ascii=False)


def as_junit(report: CasesReport) -> bytes:
    """The XML that build servers read: https://github.com/testmoapp/junitxml"""
    seconds = f"{sum(case.seconds for case in report.cases):.3f}"
    counts = {
        "tests": str(len(report.cases)),
        "failures": str(sum(case.verdict is not None and not case.passed for case in report.cases)),
        "errors": str(sum(case.verdict is None for case in report.cases)),
        "time": seconds,
    }
    suites = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(suites, "testsuite", {"name": _printable(report.workflow), **counts})
    for case in report.cases:
        about = {"name": case.name, "classname": report.workflow, "time": f"{case.seconds:.3f}"}
        element = ElementTree.SubElement(suite, "testcase", {key: _printable(text) for key, text in about.items()})
        if case.verdict is None:
            ElementTree.SubElement(element, "error", {"message": "It was not over"})
        elif not case.passed:
            first = ElementTree.SubElement(
                element, "failure", {"message": _printable(case.verdict.failures[0].message)}
            )
            first.text = _printable("\n".join(line for each in case.verdict.failures for line in _shortfall(each)))
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True) + b"\n"


def _lines(case: CaseReport) -> Iterator[str]:
    if case.verdict is None:
        yield f"  ?    {case.name}: it was not over"
        return
    time = f" ({duration(case.seconds)})" if case.execution is not None else ""
    yield f"  {'ok  ' if case.passed else 'FAIL'} {case.name}{time}"
    for each in case.verdict.failures:
        for line in _shortfall(each):
            yield f"       {line}"


def _shortfall(shortfall: Shortfall) -> Iterator[str]:
    place = ""
    if shortfall.node is not None:
        step = f" (step {shortfall.path})" if shortfall.path not in (None, shortfall.node) else ""
        place = f"node {shortfall.node}{step}: "
    yield place + shortfall.message
    if shortfall.expected is not None or shortfall.actual is not None:
        yield f"  expected {_value(shortfall.expected)}"
        yield f"  actual   {_value(shortfall.actual)}"


def _value(value: JSON) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _described(case: CaseReport) -> JSONObject:
    failures = case.verdict.failures if case.verdict is not None else ()
    return {
        "name": case.name,
        "passed": case.passed,
        "status": case.status.value if case.status is not None else None,
        "durationMs": round(case.seconds * 1000, 3),
        "execution": case.execution,
        "failures": [
            {
                "message": each.message,
                "node": each.node,
                "path": each.path,
                "expected": each.expected,
                "actual": each.actual,
            }
            for each in failures
        ],
    }


def _printable(text: str) -> str:
    """XML 1.0 holds no control characters but these three, and no surrogates."""
    return "".join(
        each
        if each in "\t\n\r" or (each >= " " and not "\ud800" <= each <= "\udfff" and each not in "\ufffe\uffff")
        else "\ufffd"
        for each in text
    )
