"""Test cases: files of them, what is wrong with them, and how what they came to is told."""

from pathlib import Path

import pytest
from defusedxml.ElementTree import fromstring

from app.cases_chosen import chosen, only_case
from app.cases_report import CaseReport, CasesReport, as_json, as_junit, as_text
from app.cases_request import read_cases
from app.settings import PROJECT
from domain.engine.ports import ExecutionStatus
from domain.errors import Invalid
from domain.formats import case_files
from domain.graphs import Definition, Edge, Graph, Node
from domain.testcases import Case, InvalidCases
from domain.testcases_check import case_findings
from domain.trials import Breakpoint, Pin, Trial
from domain.trials_verdict import Shortfall, Verdict

FILE = """
weir: 1
cases:
  - name: " First "
    description: All there is
    input: &input { n: 1 }
    variables: { limit: 5 }
    pins: { price: { output: [1], handle: error }, stock: {} }
    effects: [pay]
    expected: { price: null }
    assertions: [output == 1]
    status: FAILED
    timeout: 3
  - name: Second
    input: *input
"""
GRAPH = Graph(
    nodes=(Node(id="start", kind="trigger"), Node(id="price", kind="set"), Node(id="done", kind="end")),
    edges=(Edge(source="start", target="price"), Edge(source="price", target="done")),
)
DEFINITION = Definition(graph=GRAPH, input_schema={"type": "object", "required": ["n"]})
WRONG = Shortfall(message="output is 1, not 2", expected=2, actual=1, node="loop.price", path="loop[3].price")
REPORT = CasesReport(
    workflow="Orders",
    cases=[
        CaseReport(
            name="Good", execution="execution_1", status=ExecutionStatus.COMPLETED, seconds=0.5, verdict=Verdict()
        ),
        CaseReport(
            name="Bad\x00",
            execution="execution_2",
            status=ExecutionStatus.COMPLETED,
            seconds=1.25,
            verdict=Verdict(failures=[WRONG, Shortfall(message="It could not begin", expected=None)]),
        ),
        CaseReport(name="Open", execution="execution_3", status=ExecutionStatus.CANCELLED),
    ],
    interrupted=True,
)


def test_a_file_says_what_its_cases_are() -> None:
    first, second = case_files.loads(FILE)

    assert first == Case(
        name="First",
        description="All there is",
        input={"n": 1},
        variables={"limit": 5},
        trial=Trial(
            pins={"price": Pin(output=[1], handle="error"), "stock": Pin(output=None)},
            effects=frozenset({"pay"}),
            expected={"price": None},
            assertions=("output == 1",),
            status=ExecutionStatus.FAILED,
        ),
        timeout=3.0,
    )
    assert second == Case(name="Second", input={"n": 1})


def test_a_wrong_shape_names_each_place() -> None:
    with pytest.raises(InvalidCases) as caught:
        case_files.loads("weir: 2\ncases: [{ name: 1, status: RUNNING, pins: { a: { outputs: 1 } } }]")

    assert sorted(finding.path for finding in caught.value.findings) == [
        ("cases", "0", "name"),
        ("cases", "0", "pins", "a", "outputs"),
        ("cases", "0", "status"),
        ("weir",),
    ]


def test_what_does_not_fit_the_workflow_is_found_at_once() -> None:
    case = Case(
        name="x" * 201,
        input=[],
        variables={"nix": 1},
        trial=Trial(
            breakpoints=(Breakpoint(node="price"),), pins={"prise": Pin(output=1)}, effects=frozenset({"dome"})
        ),
        timeout=100_000,
    )

    found = case_findings(case, DEFINITION, "cases", "3")

    assert [(finding.path, finding.node_id) for finding in found] == [
        (("cases", "3", "name"), None),
        (("cases", "3", "timeout"), None),
        (("cases", "3", "breakpoints"), None),
        (("cases", "3", "variables", "nix"), None),
        (("cases", "3", "pins", "prise"), "prise"),
        (("cases", "3", "effects", "dome"), "dome"),
        (("cases", "3", "input"), None),
    ]
    assert case_findings(Case(name="Fits", input={"n": 1}), DEFINITION) == []


def test_the_cases_of_the_example_fit_it() -> None:
    request = read_cases(PROJECT / "examples" / "order_fulfilment.yaml", ())

    assert len(request.cases) == 5
    assert all(not case.trial.effects for case in request.cases), "they need neither shop nor network"


def test_cases_are_chosen_by_name_in_their_own_order() -> None:
    cases = [Case(name=name) for name in ("a", "b", "c")]

    assert chosen(cases, ("c", "a")) == [cases[0], cases[2]]
    assert chosen(cases, ()) == cases
    with pytest.raises(Invalid, match="There is no case 'd'"):
        chosen(cases, ("d",))


def test_a_load_run_repeats_one_case_or_one_input(tmp_path: Path) -> None:
    file = tmp_path / "input.json"
    file.write_text("[1]")

    assert only_case((), f"@{file}") == Case(name="input", input=[1])
    assert only_case(("a",), None) is None
    for names, input_ in ((("a", "b"), None), (("a",), "1")):
        with pytest.raises(Invalid):
            only_case(names, input_)


def test_the_report_names_node_step_expected_and_actual() -> None:
    assert as_text(REPORT).splitlines() == [
        "  ok   Good (0.50 s)",
        "  FAIL Bad\x00 (1.25 s)",
        "       node loop.price (step loop[3].price): output is 1, not 2",
        "         expected 2",
        "         actual   1",
        "       It could not begin",
        "  ?    Open: it was not over",
        "Orders: 1 passed, 2 failed",
    ]
    assert '"durationMs": 1250.0' in as_json(REPORT)


def test_junit_counts_failures_and_what_was_not_over_and_holds_no_character_that_xml_cannot() -> None:
    root = fromstring(as_junit(REPORT).decode())

    assert {name: root.get(name) for name in ("tests", "failures", "errors", "time")} == {
        "tests": "3",
        "failures": "1",
        "errors": "1",
        "time": "1.750",
    }
    assert [(case.get("name"), [child.tag for child in case]) for case in root[0]] == [
        ("Good", []),
        ("Bad\ufffd", ["failure"]),
        ("Open", ["error"]),
    ]


@pytest.mark.parametrize(
    ("verdicts", "interrupted", "status"),
    [
        pytest.param([Verdict()], False, 0, id="all passed"),
        pytest.param([Verdict(), Verdict(failures=[WRONG])], False, 1, id="one failed"),
        pytest.param([Verdict(), None], False, 1, id="one not over"),
        pytest.param([Verdict()], True, 130, id="interrupted"),
    ],
)
def test_the_status_says_whether_all_have_passed(
    verdicts: list[Verdict | None], interrupted: bool, status: int
) -> None:
    cases = [CaseReport(name="a", verdict=verdict) for verdict in verdicts]

    assert CasesReport(workflow="w", cases=cases, interrupted=interrupted).exit_status == status
