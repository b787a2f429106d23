"""Whether a workflow's definition makes sense: asked before a draft is saved or published, and by itself."""

from collections.abc import Sequence

from domain.errors import Finding, InvalidGraph, Severity
from domain.graphs import Definition
from domain.nodes import NodeCatalog
from domain.validation import validate


def findings(definition: Definition, catalog: NodeCatalog) -> Sequence[Finding]:
    """All that is wrong or doubtful; nothing is saved."""
    return validate(definition, catalog)


def refuse_errors(definition: Definition, catalog: NodeCatalog) -> Sequence[Finding]:
    """The warnings, when there is nothing worse; raises InvalidGraph with all findings otherwise."""
    found = findings(definition, catalog)
    if any(finding.severity is Severity.ERROR for finding in found):
        raise InvalidGraph(found)
    return found
