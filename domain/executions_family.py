"""The family of an execution: what began it, what it began, and that as a tree."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from domain.children import MAX_DEPTH
from domain.errors import Invalid
from domain.executions import Execution, ExecutionReader
from domain.ids import ExecutionId

MAX_NODES = 1_000

Load = Callable[[ExecutionId], Awaitable[Execution | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeNode:
    """`depth`: 0 for the execution that was asked about."""

    execution: Execution
    depth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Each execution before those it began, these in the order they were. `truncated`: there are more."""

    nodes: Sequence[TreeNode]
    truncated: bool


async def root(execution: Execution, load: Load) -> Execution:
    """The execution at the top; itself when nothing above it is left."""
    top = execution
    for _ in range(MAX_DEPTH):
        above = await load(top.parent_id) if top.parent_id is not None else None
        if above is None:
            break
        top = above
    return top


async def tree(execution: Execution, depth: int, *, reader: ExecutionReader) -> Tree:
    """Down to `depth` levels below it and 1,000 executions, one query a level. Raises Invalid for the depth."""
    if not 0 <= depth <= MAX_DEPTH:
        raise Invalid(f"depth is {depth}; it is at least 0 and at most {MAX_DEPTH}", path=("depth",))
    below: dict[ExecutionId, list[Execution]] = defaultdict(list)
    level, room, truncated = [execution.id], MAX_NODES - 1, False
    for _ in range(depth):
        found = await reader.children_of(level, room + 1) if level else ()
        truncated = truncated or len(found) > room
        for child in found[:room]:
            if child.parent_id is not None:
                below[child.parent_id].append(child)
        room -= len(found[:room])
        level = [child.id for child in found[:room] if room]
        if truncated:
            break
    else:
        truncated = bool(level) and bool(await reader.children_of(level, 1))
    return Tree(nodes=list(_depth_first(execution, below)), truncated=truncated)


def _depth_first(execution: Execution, below: Mapping[ExecutionId, Sequence[Execution]]) -> Iterator[TreeNode]:
    work = [TreeNode(execution=execution, depth=0)]
    while work:
        node = work.pop()
        yield node
        work += [
            TreeNode(execution=child, depth=node.depth + 1) for child in reversed(below.get(node.execution.id, ()))
        ]
