"""Which version a start runs, and with what: the environment's, or one of a split's two."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from domain.environments import Placed
from domain.ids import VersionId, WorkflowId
from domain.splits import Split

Target = tuple[WorkflowId, str]
"""A workflow and the name of an environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What starts in one environment get. `active` None: no version of the workflow is there. `split`: the one that
    runs."""

    active: VersionId | None
    placed: Placed = field(default_factory=Placed)
    split: Split | None = None


class Placements(Protocol):
    """Born with a tenant."""

    async def find(self, targets: Iterable[Target]) -> Mapping[Target, Placement]:
        """Of those whose workflow and environment exist."""
        ...
