"""What an execution's owner appends meets what others post to it at the same moment: neither is refused."""

from random import Random

from db.connections import EnginePool
from db.journal import PostgresJournal
from domain.ids import TenantId
from tests.contract.ledger import append, log_of, owned, step, until

ROUNDS, EXECUTIONS, POSTS, STEPS = 15, 40, 4, 3
_POST = "UPDATE execution SET wants_owner = true WHERE id = ANY ($1::uuid[])"
"""What posting a message does to the rows of its executions."""
_WAITS = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"


async def test_no_append_is_refused_because_something_was_posted_meanwhile(
    engine_pool: EnginePool, tenant: TenantId
) -> None:
    random = Random(20261121)  # noqa: S311 - guards nothing
    ids = await owned(engine_pool, tenant, count=EXECUTIONS)
    journal = PostgresJournal(engine_pool, on_committed=lambda _: None)
    journal.start()
    for number in range(ROUNDS):
        first = 2 + number * STEPS
        async with engine_pool.acquire() as connection:
            posting = connection.transaction()
            await posting.start()
            await connection.execute(_POST, random.sample(ids, POSTS))
            outputs = [[{"output": "x" * random.randrange(3_000)} for _ in range(STEPS)] for _ in ids]
            written = [
                journal.submit(append(execution, tenant, *(step(first + at, one) for at, one in enumerate(mine))))
                for execution, mine in zip(ids, outputs, strict=True)
            ]
            await until(engine_pool, _WAITS)  # the append stands behind what is being posted
            await posting.commit()
        for future in written:
            await future
    await journal.close()
    whole = [(seq, 0 if seq == 1 else 1) for seq in range(1, 2 + ROUNDS * STEPS)]
    assert [await log_of(engine_pool, execution) for execution in ids] == [whole] * EXECUTIONS
