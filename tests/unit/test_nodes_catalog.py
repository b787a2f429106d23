"""The catalog: every kind is found, describes itself truly, and its examples validate."""

from itertools import chain
from pathlib import Path

import pytest

from domain.connection_types import TYPES
from domain.errors import Severity
from domain.graphs import Definition, Edge, Graph, Node, OnError
from domain.json import JSONObject
from domain.nodes import NodeKind
from domain.validation import validate
from domain.validation.fields import connection_fields
from domain.validation.inputs import check_input
from domain.validation.json_schemas import schema_findings
from jobs.nodes import CATALOG
from jobs.nodes.documentation import pages

KINDS = list(CATALOG.kinds().values())
EXAMPLES = [
    pytest.param(kind, example.config, id=f"{kind.name}: {example.title}")
    for kind in KINDS
    for example in kind.examples
]
PAGES = Path(__file__).parents[2] / "docs" / "nodes"


def test_the_kinds_of_this_version_are_all_there() -> None:
    assert list(CATALOG.kinds()) == [
        "ai", "approval", "cancel", "code", "connector", "database", "delay", "document", "email", "end", "fail",
        "filter", "http", "if", "log", "loop", "merge", "parallel", "publish", "respond", "set", "subworkflow",
        "switch", "transform", "trigger", "validate", "wait", "webhook",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_describes_itself(kind: NodeKind) -> None:
    assert kind.title
    assert kind.description.endswith(".")
    assert len(kind.documentation) > 80
    assert kind.examples
    assert list(schema_findings(kind.config_schema)) == []
    assert set(chain.from_iterable(connection_fields(kind.config_schema).values())) <= set(TYPES)


@pytest.mark.parametrize(("kind", "config"), EXAMPLES)
def test_every_example_validates_in_a_workflow(kind: NodeKind, config: JSONObject) -> None:
    node = Node(id="example", kind=kind.name, config=config)
    after = [Node(id=f"after{at}", kind="log", config={"message": "x"}) for at in range(2)]
    start = Node(id="start", kind="trigger")
    ways = [Edge(source=node.id, target="after0", source_handle=handle) for handle in CATALOG.handles(node)[:1]]
    if kind.input_handles:
        ways += [Edge(source="start", target=node.id), Edge(source="start", target="after1")]
        ways += [Edge(source="after1", target=node.id)] if kind.merges else []

    findings = validate(Definition(graph=Graph(nodes=(start, node, *after), edges=tuple(ways))), CATALOG, whole=False)

    of_the_graph = {"UNREACHABLE", "UNKNOWN_NODE"}
    told = [finding for finding in findings if finding.severity is not Severity.INFO]
    assert [finding for finding in told if finding.code not in of_the_graph] == []


@pytest.mark.parametrize(("kind", "config"), EXAMPLES)
def test_every_example_fits_the_config_schema_that_editors_use(kind: NodeKind, config: JSONObject) -> None:
    assert check_input(kind.config_schema, config) == []


@pytest.mark.parametrize(("kind", "config"), EXAMPLES)
def test_what_an_example_gives_is_said_in_a_json_schema(kind: NodeKind, config: JSONObject) -> None:
    assert list(schema_findings(kind.output_of(config))) == []
    assert list(schema_findings(kind.output_of({}))) == []


def test_a_kind_says_which_types_of_connections_it_takes() -> None:
    fields = {name: connection_fields(kind.config_schema) for name, kind in CATALOG.kinds().items()}

    assert {name: types for name, types in fields.items() if types} == {
        "ai": {"connection": ("openai",)},
        "connector": {"connection": ()},
        "database": {"connection": ("postgresql", "mysql", "sqlite")},
        "email": {"connection": ("smtp",)},
        "http": {"connection": ("http", "openai")},
        "webhook": {"connection": ("http", "openai")},
    }


def test_the_config_schema_takes_a_template_for_a_number_and_still_refuses_other_text() -> None:
    schema = CATALOG.kinds()["delay"].config_schema

    assert check_input(schema, {"seconds": "{{ input.seconds }}"}) == []
    assert check_input(schema, {"seconds": "ten"}) != []
    assert check_input(schema, {"second": 10}) != []


def test_a_kind_evaluates_the_fields_its_schema_marks_as_expressions() -> None:
    raw = {name: sorted(CATALOG.behaviour(name).raw_fields) for name in CATALOG.kinds()}

    assert {name: fields for name, fields in raw.items() if fields} == {
        "code": ["source"],
        "database": ["query"],
        "document": ["template"],
        "email": ["template"],
        "filter": ["condition"],
        "if": ["condition"],
        "loop": ["body", "breakWhen", "condition"],
        "set": ["values"],
        "subworkflow": ["output"],
        "switch": ["cases", "expression"],
        "transform": ["aggregates", "expression", "groupBy", "outputMapping"],
    }


def test_handles_follow_the_config_and_the_error_route() -> None:
    def handles(kind: str, config: JSONObject, on_error: OnError = OnError.FAIL) -> tuple[str, ...]:
        return tuple(CATALOG.handles(Node(id="a", kind=kind, config=config, on_error=on_error)))

    assert handles("if", {}) == ("true", "false")
    assert handles("if", {}, OnError.ROUTE) == ("true", "false", "error")
    assert handles("http", {}, OnError.ROUTE) == ("out", "error")
    assert handles("parallel", {}) == ("out",)
    assert handles("parallel", {"branches": ["a", "b"]}) == ("a", "b")
    assert handles("switch", {"cases": [{"name": "x"}, {"name": 3}, "odd"]}) == ("x", "default")
    assert handles("wait", {}) == ("out", "timeout")
    assert handles("end", {}) == ()


def test_an_unknown_key_is_answered_with_the_likely_one() -> None:
    [finding] = CATALOG.check(Node(id="a", kind="http", config={"url": "https://x", "folowRedirects": False}))

    assert (finding.node_id, finding.path, finding.remedy) == (
        "a",
        ("config", "folowRedirects"),
        "Did you mean 'followRedirects'?",
    )


def test_the_pages_about_nodes_say_what_the_kinds_say() -> None:
    written = {page.name: page.read_text(encoding="utf-8") for page in PAGES.glob("*.md")}
    assert written == pages(CATALOG), "./weir export-docs"
