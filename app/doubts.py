"""What is said, before a workflow runs, of connections that it names and that will not do."""

from collections.abc import Callable, Sequence

from domain.errors import Finding


def say_doubts(findings: Sequence[Finding], say: Callable[[str], None]) -> None:
    """A line for each, and its remedy below it."""
    for finding in findings:
        place = ", ".join(filter(None, (f"node {finding.node_id}" if finding.node_id else "", ".".join(finding.path))))
        say(f"{finding.severity.value.lower()} at {place}: {finding.message}")
        if finding.remedy:
            say(f"  {finding.remedy}")
