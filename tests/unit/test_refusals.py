"""How refusals read on a terminal."""

import pytest

from app.refusals import told
from domain.errors import Finding, Invalid, InvalidGraph, Refusal, Severity
from domain.validation.inputs import InvalidInput

GRAPH = InvalidGraph(
    [
        Finding(code="A", message="There is no node kind 'x'", node_id="price", path=("kind",), remedy="Known: set."),
        Finding(code="B", message="There is no trigger"),
        Finding(severity=Severity.WARNING, code="C", message="It is never reached", node_id="end"),
    ]
)


@pytest.mark.parametrize(
    ("refusal", "text"),
    [
        (Invalid("The door is shut"), "The door is shut"),
        (Invalid("The door is shut", remedy="Knock."), "The door is shut\nKnock."),
        (
            GRAPH,
            "The workflow is not valid:\n"
            "  ERROR at node price, kind: There is no node kind 'x'\n"
            "    Known: set.\n"
            "  ERROR: There is no trigger\n"
            "  WARNING at node end: It is never reached",
        ),
        (
            InvalidInput(
                [Finding(code="D", message="name is missing"), Finding(code="D", message="It is old")], "input"
            ),
            "The input does not fit its schema: name is missing (and 1 more)\n  It is old",
        ),
    ],
    ids=["message", "remedy", "graph", "input"],
)
def test_everything_that_was_found_is_told(refusal: Refusal, text: str) -> None:
    assert told(refusal) == text
