"""What a merge asks of a person, and how they answer: changes when a conflict is told or resolved in another way."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import Conflict
from domain.graph_merge import Absent, Maybe, Take
from domain.graph_merge import Conflict as Clash
from domain.graph_parts import Path
from domain.json import JSON
from domain.plain_secrets import hidden, names_secret

_SHOWN = 5


class MergeChoice(StrEnum):
    """Whose value a conflict is resolved by; VALUE: one that the caller gives."""

    DRAFT = "DRAFT"
    BRANCH = "BRANCH"
    VALUE = "VALUE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """`path` is a conflict's; `value` counts for VALUE only."""

    path: Path
    choice: MergeChoice
    value: JSON = None

    @property
    def take(self) -> Take:
        return Take(
            value=self.value,
            draft=self.choice is MergeChoice.DRAFT,
            branch=self.choice is MergeChoice.BRANCH,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeSide:
    """What one of the three has at a place; `present` False: nothing, so it was removed or never there."""

    present: bool
    value: JSON = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeConflict:
    """Where draft and branch both changed what `base` was. Secrets in the values are hidden.

    `path` leads there from the definition and is what a resolution names: `nodes`, the id of a node, its field, …
    `node_id` and `field` (empty: the node as a whole) say the same of places in a node.
    """

    path: Path
    node_id: str | None
    field: Path
    base: MergeSide
    draft: MergeSide
    branch: MergeSide


class MergeConflicts(Conflict):
    """Draft and branch both changed the same places; nothing was written."""

    def __init__(self, conflicts: Sequence[MergeConflict]) -> None:
        places = ", ".join(".".join(conflict.path) for conflict in conflicts[:_SHOWN])
        more = f" and {len(conflicts) - _SHOWN} more" if len(conflicts) > _SHOWN else ""
        super().__init__(
            f"The draft and the branch both changed {places}{more}",
            path=("resolutions",),
            remedy="Give a resolution for each of the conflicts: DRAFT, BRANCH, or a VALUE of your own.",
        )
        self.conflicts = tuple(conflicts)


def told(clash: Clash) -> MergeConflict:
    """The conflict as people see it."""
    match clash.path:
        case ("nodes", node_id, *rest):
            field = tuple(rest)
        case _:
            node_id, field = None, clash.path
    secret = any(names_secret(name) for name in field)
    return MergeConflict(
        path=clash.path,
        node_id=node_id,
        field=field,
        base=_side(clash.base, secret),
        draft=_side(clash.draft, secret),
        branch=_side(clash.branch, secret),
    )


def _side(value: Maybe, secret: bool) -> MergeSide:
    return (
        MergeSide(present=False)
        if isinstance(value, Absent)
        else MergeSide(present=True, value=hidden(value, named=secret))
    )
