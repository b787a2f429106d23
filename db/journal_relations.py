"""Changes when what an append does beyond its own execution changes: children, messages, tasks and locks."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from db.inbox import POST
from db.journal_batch import Entry
from db.json_text import dump
from db.locks import Leaving, Releasing, Woken, begin_release, finish_release
from db.starts import INSERT, columns
from domain.engine.ports import Append, Post
from domain.ids import ExecutionId, TenantId
from domain.starts import NewExecution

if TYPE_CHECKING:
    from db.connections import Connection

# Whoever changes rows of several executions takes them in this order, so nobody waits for another in a circle.
_LOCK = "SELECT id FROM execution WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
_WITHDRAW = """
UPDATE task SET status = 'WITHDRAWN', updated_at = clock_timestamp(), revision = revision + 1
FROM unnest($1::uuid[], $2::text[]) AS over (execution_id, path)
WHERE task.execution_id = over.execution_id AND task.path = over.path AND task.status = 'OPEN'
"""


def is_related(batch: Iterable[Entry]) -> bool:
    """Whether any append of the batch writes more than its own execution's rows."""
    return any(item.append.related for item in batch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """Others for whom a batch did something, who are told when it is durable. `woken`: executions that got a lock."""

    woken: Woken = ()


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
    settled = [(append.execution_id, path) for append in appends for path in append.settled]
    if settled:
        await _clear(connection, settled)
    if releasing is None:
        return Touched()
    return Touched(woken=await finish_release(connection, releasing, _leaving(appends)))


def _leaving(appends: Iterable[Append]) -> list[Leaving]:
    return [(append.execution_id, path) for append in appends for path in append.releases]


async def _clear(connection: "Connection", settled: Sequence[tuple[ExecutionId, str]]) -> None:
    executions, paths = zip(*settled, strict=True)
    await connection.execute(_WITHDRAW, executions, paths)


def _post_columns(posts: Sequence[Post]) -> tuple[Sequence[object], ...]:
    return (
        [post.execution_id for post in posts],
        [post.kind for post in posts],
        [post.key for post in posts],
        [dump(post.payload) for post in posts],
    )
