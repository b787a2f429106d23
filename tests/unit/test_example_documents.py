"""Every example is a sound document with inputs it accepts and a demo server beside it."""

from pathlib import Path

import pytest

from app.demo import locate
from app.remote_draft import with_demo
from domain.errors import Severity
from domain.formats import json_format, yaml_format
from domain.formats.documents import document_from_json, document_to_json
from domain.graphs import Document
from domain.json import as_list
from domain.validation import validate
from domain.validation.inputs import check_input
from jobs.nodes import CATALOG

EXAMPLES = Path(__file__).parents[2] / "examples"
DOCUMENTS = sorted(path for path in EXAMPLES.glob("*.yaml") if not path.name.endswith(".tests.yaml"))


def read(path: Path) -> Document:
    return document_from_json(yaml_format.parse(path.read_bytes()))


def inputs_of(path: Path) -> Path:
    """`order_fulfilment.orders.json` beside `order_fulfilment.yaml`."""
    [inputs] = EXAMPLES.glob(f"{path.stem}.*.json")
    return inputs


def test_there_are_six_examples() -> None:
    assert [path.stem for path in DOCUMENTS] == [
        "compliance_reporting",
        "employee_onboarding",
        "infrastructure_provisioning",
        "invoice_processing",
        "order_fulfilment",
        "support_escalation",
    ]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_an_example_validates_without_errors_or_warnings(path: Path) -> None:
    findings = validate(with_demo(read(path)).definition, CATALOG)

    assert [finding for finding in findings if finding.severity is not Severity.INFO] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_an_example_is_the_same_as_json(path: Path) -> None:
    document = read(path)

    assert document_from_json(document_to_json(document)) == document


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_an_example_accepts_all_its_inputs_and_no_empty_one(path: Path) -> None:
    schema = read(path).definition.input_schema
    inputs = as_list(json_format.parse(inputs_of(path).read_bytes()))

    assert 8 <= len(inputs) <= 25
    assert [check_input(schema, value) for value in inputs] == [[] for _ in inputs]
    assert check_input(schema, {}) != []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_an_example_has_its_demo_server_beside_it(path: Path) -> None:
    demo = read(path).demo

    assert demo is not None
    assert locate(path, demo).parent == EXAMPLES
