"""How large a graph may be."""

from dataclasses import dataclass

from domain.errors import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    nodes: int = 10_000
    edges: int = 50_000
    findings: int = 1_000
    """More than these are not listed; the last one says how many there are."""


LIMITS = Limits()


def size_findings(nodes: int, edges: int, limits: Limits) -> tuple[Finding, ...]:
    """Asked before anything else, so that a graph beyond the limits is answered at once."""
    found: list[Finding] = []
    for what, count, limit in (("nodes", nodes, limits.nodes), ("edges", edges, limits.edges)):
        if count > limit:
            message = f"The graph has {count:,} {what}; at most {limit:,} are allowed"
            remedy = "Split it into workflows that start one another."
            found.append(Finding(code="TOO_LARGE", message=message, path=(what,), remedy=remedy))
    return tuple(found)
