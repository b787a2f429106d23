"""Whether a workflow's definition makes sense: asked before a draft is saved or published, and by itself."""

import asyncio
from collections.abc import Collection, Sequence

from domain import connections_used
from domain.connections import ConnectionReader
from domain.errors import Finding, InvalidGraph, Severity, ValidationLevel
from domain.graphs import Definition
from domain.nodes import NodeCatalog
from domain.validation import LEVELS, LIMITS, validate


def findings(definition: Definition, catalog: NodeCatalog) -> Sequence[Finding]:
    """All that is wrong or doubtful in the definition itself; nothing is saved."""
    return validate(definition, catalog)


async def all_findings(
    definition: Definition,
    catalog: NodeCatalog,
    connections: ConnectionReader | None,
    *,
    levels: Collection[ValidationLevel] = LEVELS,
    whole: bool = True,
) -> Sequence[Finding]:
    """The same, of these levels, with what is wrong with the connections it names; None: who asks may not see them.

    `whole`: see `domain.validation.validate`. A large graph does not hold up the event loop.
    """
    found = await asyncio.to_thread(validate, definition, catalog, LIMITS, levels=levels, whole=whole)
    if connections is None or any(finding.code == "TOO_LARGE" for finding in found):
        return found
    named = await connections_used.findings(definition, catalog, connections)
    return [*found, *(finding for finding in named if finding.level in levels)]


def refuse_errors(definition: Definition, catalog: NodeCatalog) -> Sequence[Finding]:
    """The warnings, when there is nothing worse; raises InvalidGraph with all findings otherwise."""
    found = findings(definition, catalog)
    if any(finding.severity is Severity.ERROR for finding in found):
        raise InvalidGraph(found)
    return found
