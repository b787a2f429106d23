"""Changes when what an append does beyond its own execution changes: children, messages, tasks and locks."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from db.inbox import POST
from db.journal_batch import Entry
from db.json_text import dump
from db.locks import Leaving, Releasing, Woken, begin_release, finish_release
from db.starts import INSERT, columns
from domain.engine.ports import Append, ExecutionStatus, Post
from domain.ids import ExecutionId, TaskId, TenantId
from domain.starts import NewExecution

if TYPE_CHECKING:
    from db.connections import Connection

# Whoever changes rows of several executions takes them in this order, so nobody waits for another in a circle.
_LOCK = "SELECT id FROM execution WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
_CHANGE_VERSION = """
WITH changed AS (
    UPDATE execution SET version_id = new.version_id FROM unnest($1::uuid[], $2::uuid[]) AS new (id, version_id)
    WHERE execution.id = new.id
)
DELETE FROM execution_state WHERE execution_id = ANY ($1)
"""
_WITHDRAW = """
UPDATE task SET status = 'WITHDRAWN', updated_at = clock_timestamp(), revision = revision + 1
FROM unnest($1::uuid[], $2::text[]) AS over (execution_id, path)
WHERE task.execution_id = over.execution_id AND task.path = coalesce(over.path, task.path) AND task.status = 'OPEN'
RETURNING task.tenant_id, task.id
"""


def is_related(batch: Iterable[Entry]) -> bool:
    """Whether any append of the batch writes more than its own execution's rows."""
    return any(item.append.related or _breaks_off(item.append) for item in batch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """Others for whom a batch did something, who are told when it is durable.

    `woken`: executions that got a lock. `withdrawn`: tasks that nobody needs to answer any more.
    """

    woken: Woken = ()
    withdrawn: Mapping[TenantId, Sequence[TaskId]] = field(default_factory=dict[TenantId, Sequence[TaskId]])


async def lock(connection: "Connection", batch: Sequence[Entry]) -> Releasing | None:
    """Lock every execution that the batch appends or posts to, and the lines of the locks that it gives up."""
    leaving = _leaving(item.append for item in batch)
    releasing = await begin_release(connection, leaving) if leaving else None
    ids = {item.append.execution_id for item in batch}
    ids |= {post.execution_id for item in batch for post in item.append.posts}
    ids |= releasing.rows if releasing is not None else set[ExecutionId]()
    await connection.fetch(_LOCK, list(ids))
    return releasing


async def write(connection: "Connection", appends: Sequence[Append], releasing: Releasing | None) -> Touched:
    """What these appends, which are written, do beyond their own executions. In the appends' transaction."""
    children: dict[TenantId, list[NewExecution]] = defaultdict(list)
    for append in appends:
        children[append.tenant_id] += append.children
    for tenant, new in children.items():
        if new:
            await connection.fetch(INSERT, tenant, *columns(new), False)
    posts = [post for append in appends for post in append.posts]
    if posts:
        await connection.fetch(POST, *_post_columns(posts))
    withdrawn = await _withdraw(connection, appends)
    changed = [(append.execution_id, append.version_id) for append in appends if append.version_id is not None]
    if changed:
        await connection.execute(_CHANGE_VERSION, *zip(*changed, strict=True))
    if releasing is None:
        return Touched(withdrawn=withdrawn)
    return Touched(woken=await finish_release(connection, releasing, _leaving(appends)), withdrawn=withdrawn)


def _leaving(appends: Iterable[Append]) -> list[Leaving]:
    return [(append.execution_id, path) for append in appends for path in append.releases]


def _breaks_off(append: Append) -> bool:
    """Whether the execution ends in the midst of something: a task may have been opened that its log never tells of."""
    return append.finished is not None and append.finished.status is not ExecutionStatus.COMPLETED


async def _withdraw(connection: "Connection", appends: Sequence[Append]) -> Mapping[TenantId, Sequence[TaskId]]:
    """The tasks that are open no more: those of settled steps, and all of an execution that is over."""
    over: list[tuple[ExecutionId, str | None]] = []
    for append in appends:
        over += [(append.execution_id, path) for path in append.settled]
        if append.finished is not None:
            over.append((append.execution_id, None))
    withdrawn: dict[TenantId, list[TaskId]] = defaultdict(list)
    if over:
        for row in await connection.fetch(_WITHDRAW, *zip(*over, strict=True)):
            withdrawn[TenantId(row["tenant_id"])].append(TaskId(row["id"]))
    return withdrawn


def _post_columns(posts: Sequence[Post]) -> tuple[Sequence[object], ...]:
    return (
        [post.execution_id for post in posts],
        [post.kind for post in posts],
        [post.key for post in posts],
        [dump(post.payload) for post in posts],
    )
