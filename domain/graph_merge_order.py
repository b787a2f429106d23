"""In which order the parts of a merged list stand: changes when another order is thought the natural one."""

from collections.abc import Mapping, Sequence

from domain.json import JSON


def ordered(
    base: Mapping[str, JSON], draft: Mapping[str, JSON], branch: Mapping[str, JSON]
) -> tuple[Sequence[str], bool]:
    """All names of draft and branch in the order of the side that moved something, each addition of the other side
    behind what stood before it there; and whether both sides moved the same parts differently: then the draft leads."""
    common = [name for name in base if name in draft and name in branch]
    in_draft = [name for name in draft if name in base and name in branch]
    in_branch = [name for name in branch if name in base and name in draft]
    draft_moved, branch_moved = in_draft != common, in_branch != common
    leader, follower = (branch, draft) if branch_moved and not draft_moved else (draft, branch)
    return _woven(list(leader), list(follower)), draft_moved and branch_moved and in_draft != in_branch


def _woven(leader: Sequence[str], follower: Sequence[str]) -> Sequence[str]:
    behind: dict[str | None, list[str]] = {}
    known, anchor = {*leader}, None
    for name in follower:
        if name in known:
            anchor = name
        else:
            behind.setdefault(anchor, []).append(name)
    order = list(behind.get(None, ()))
    for name in leader:
        order += [name, *behind.get(name, ())]
    return order
