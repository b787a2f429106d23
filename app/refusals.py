"""How a refusal reads on a terminal: its message, everything that was found, what to do about it."""

from domain.errors import Finding, InvalidGraph, Refusal
from domain.testcases import InvalidCases
from domain.validation.inputs import InvalidInput


def told(refusal: Refusal) -> str:
    """Message and remedy; where a graph or an input was examined, every finding with its place and its remedy."""
    match refusal:
        case InvalidGraph(findings=findings):
            lines = ["The workflow is not valid:", *map(_line, findings)]
        case InvalidCases(findings=findings):
            lines = ["The test cases are not valid:", *map(_line, findings)]
        case InvalidInput(findings=(_, *others)):
            lines = [refusal.message, *(f"  {finding.message}" for finding in others)]
        case _:
            lines = [refusal.message, *([refusal.remedy] if refusal.remedy else [])]
    return "\n".join(lines)


def _line(finding: Finding) -> str:
    """`  ERROR at node price, config.url: …`, and the remedy below it."""
    node = f"node {finding.node_id}" if finding.node_id else ""
    place = ", ".join(filter(None, (node, ".".join(finding.path))))
    at = f" at {place}" if place else ""
    remedy = f"\n    {finding.remedy}" if finding.remedy else ""
    return f"  {finding.severity}{at}: {finding.message}{remedy}"
