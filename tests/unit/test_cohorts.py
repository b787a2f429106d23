"""Shared answers: who shares which, until when, and what becomes of those whose execution or source somebody began."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import pytest
import strawberry
from graphql import ExecutionResult, GraphQLError

from schema import cohorts
from schema.broadcasts import MOST_QUEUED, Broadcasts, Told
from schema.cohorts import OWN_WEIGHT, Audience, Cohorts, Data, Shared, written
from schema.protection import ProtectedSchema
from schema.root import build_schema

T = TypeVar("T")
ACME = Audience(tenant="acme", permissions=frozenset({"read"}), person="ada")


async def soon(awaitable: Awaitable[T]) -> T:
    async with asyncio.timeout(5):
        return await awaitable


async def answered(result: ExecutionResult | Awaitable[ExecutionResult]) -> ExecutionResult:
    return result if isinstance(result, ExecutionResult) else await soon(result)


@dataclass(eq=False)
class Slow:
    """An execution that ends when it is let go; counts how often it was begun and broken off."""

    begun: int = 0
    cancelled: int = 0
    under_way: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self) -> ExecutionResult:
        self.begun += 1
        self.under_way.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return ExecutionResult({"number": self.begun}, None)


async def _asked(cohort: Cohorts, execute: Callable[[], Any]) -> ExecutionResult:
    return await answered(cohort.answer("frame", execute))


async def test_those_who_come_while_a_frame_is_executed_wait_for_the_same_answer() -> None:
    cohort, slow = Cohorts(), Slow()
    askers = [asyncio.create_task(_asked(cohort, slow)) for _ in range(3)]
    await soon(slow.under_way.wait())
    slow.go.set()

    answers = [await soon(asker) for asker in askers]

    assert [answer.data for answer in answers] == [{"number": 1}] * 3
    assert (cohort.executed, cohort.shared) == (1, 2)


async def test_whoever_began_an_execution_may_leave_without_harm_to_the_others() -> None:
    cohort, slow = Cohorts(), Slow()
    first, second = (asyncio.create_task(_asked(cohort, slow)) for _ in range(2))
    await soon(slow.under_way.wait())
    first.cancel()
    slow.go.set()

    assert (await soon(second)).data == {"number": 1}
    assert slow.cancelled == 0


async def test_an_execution_nobody_waits_for_is_broken_off_and_begun_anew_for_the_next() -> None:
    cohort, slow = Cohorts(), Slow()
    leaving = [asyncio.create_task(_asked(cohort, slow)) for _ in range(2)]
    await soon(slow.under_way.wait())
    for each in leaving:
        each.cancel()
    await asyncio.wait(leaving)
    slow.go.set()

    assert (await soon(_asked(cohort, slow))).data == {"number": 2}
    assert slow.cancelled == 1
    assert (cohort.executed, cohort.shared) == (2, 1)


async def test_what_an_execution_raises_all_who_wait_get_and_nobody_later() -> None:
    cohort, go = Cohorts(), asyncio.Event()

    async def broken() -> ExecutionResult:
        await go.wait()
        raise TypeError("broken")

    askers = [asyncio.create_task(_asked(cohort, broken)) for _ in range(2)]
    await asyncio.sleep(0)
    go.set()
    await soon(asyncio.wait(askers))

    assert [repr(asker.exception()) for asker in askers] == ["TypeError('broken')"] * 2
    assert (await _asked(cohort, lambda: ExecutionResult({"number": 1}, None))).data == {"number": 1}


async def test_beyond_the_budget_the_oldest_answers_are_forgotten() -> None:
    cohort = Cohorts(budget=2 * OWN_WEIGHT + 100)

    def execute() -> ExecutionResult:
        return ExecutionResult({"a": 1}, None)

    for key in ("one", "two", "three", "two", "one"):
        cohort.answer(key, execute)
    assert (cohort.executed, cohort.shared) == (4, 1), "only `one` had to be executed again"
    cohort.answer("large", lambda: ExecutionResult({"a": "x" * 3 * OWN_WEIGHT}, None))
    cohort.answer("large", lambda: ExecutionResult({"a": "x" * 3 * OWN_WEIGHT}, None))
    assert (cohort.executed, cohort.shared) == (6, 1), "an answer beyond the whole budget is not kept"


async def test_an_error_is_the_same_for_all_and_soon_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohorts, "ERROR_LIFE", 0.05)
    cohort = Cohorts()

    def fail() -> ExecutionResult:
        return ExecutionResult(None, [GraphQLError("secret", original_error=RuntimeError("secret"), path=["a"])])

    first, second = await _asked(cohort, fail), await _asked(cohort, fail)
    assert first.errors is not None
    assert [error.message for error in first.errors] == ["Internal error"]
    assert second is first
    forgotten = asyncio.Event()
    asyncio.get_running_loop().call_later(0.06, forgotten.set)
    await soon(forgotten.wait())
    assert await _asked(cohort, fail) is not first


@strawberry.type
class User:
    name: str


@strawberry.type
class Tick:
    number: int

    @strawberry.field
    def times(self, factor: int = 1) -> int:
        return self.number * factor

    @strawberry.field
    def mine(self, info: strawberry.Info[Any, None]) -> User:
        return User(name=info.context.audience.person)

    @strawberry.field
    def broken(self) -> int | None:
        raise RuntimeError("secret")


@strawberry.type
class Query:
    hello: str = "world"


@strawberry.type
class Subscription:
    @strawberry.subscription(graphql_type=Tick)
    async def ticks(self, info: strawberry.Info[Any, None], start: int = 1) -> AsyncIterator[Shared]:
        for number in range(start, 4):
            yield Shared(frame=Tick(number=number), identity=number, audience=info.context.audience)


@dataclass(frozen=True)
class Caller:
    audience: Audience = ACME
    may_introspect: bool = True

    def renewed(self) -> "Caller":
        return self


async def _seen(schema: ProtectedSchema, query: str, caller: Caller | None = None, **variables: Any) -> list[Any]:
    results = await schema.subscribe(query, variable_values=variables, context_value=caller or Caller())
    async with aclosing(results):
        return [result async for result in results]


def _data(results: list[Any]) -> list[Any]:
    return [result.data["ticks"] for result in results]


def _counts(schema: ProtectedSchema) -> tuple[int, int]:
    return schema.cohorts.executed, schema.cohorts.shared


PLAIN = "subscription ($start: Int!) { ticks(start: $start) { number } }"
TIMES = "subscription ($start: Int!, $n: Int!) { ticks(start: $start) { times(factor: $n) } }"


async def test_subscribers_who_begin_elsewhere_share_the_frames_that_both_are_shown() -> None:
    schema = ProtectedSchema(Query, None, Subscription)

    assert _data(await _seen(schema, PLAIN, start=1)) == [{"number": 1}, {"number": 2}, {"number": 3}]
    later = await _seen(schema, PLAIN, start=2)

    assert _data(later) == [{"number": 2}, {"number": 3}]
    assert _counts(schema) == (3, 2)
    assert [written(result) for result in later] == [
        '{"data":{"ticks":{"number":2}}}',
        '{"data":{"ticks":{"number":3}}}',
    ]
    assert all(isinstance(result.data, Data) for result in later)


@pytest.mark.parametrize(
    ("query", "variables", "expected"),
    [
        ("subscription ($start: Int!) { ticks(start: $start) { n: number } }", {}, {"n": 3}),
        (TIMES, {"n": 2}, {"times": 6}),
    ],
)
async def test_another_selection_or_other_variables_in_it_share_nothing(
    query: str, variables: dict[str, Any], expected: dict[str, int]
) -> None:
    schema = ProtectedSchema(Query, None, Subscription)
    await _seen(schema, PLAIN, start=3)
    await _seen(schema, TIMES, start=3, n=1)

    assert _data(await _seen(schema, query, start=3, **variables)) == [expected]
    assert _counts(schema) == (3, 0)


async def test_variables_in_a_fragment_count_and_the_cursor_in_it_does_not() -> None:
    schema = ProtectedSchema(Query, None, Subscription)
    query = """subscription ($start: Int!, $n: Int!) { ...Root }
        fragment Root on Subscription { ticks(start: $start) { ...Shown } }
        fragment Shown on Tick { times(factor: $n) }"""

    assert _data(await _seen(schema, query, start=2, n=2)) == [{"times": 4}, {"times": 6}]
    assert _data(await _seen(schema, query, start=3, n=2)) == [{"times": 6}]
    assert _data(await _seen(schema, query, start=3, n=5)) == [{"times": 15}]
    assert _counts(schema) == (3, 1)


@pytest.mark.parametrize(
    ("other", "shares"),
    [
        (Audience(tenant="acme", permissions=frozenset({"read"}), person="bob"), True),
        (Audience(tenant="acme", permissions=frozenset({"read", "write"}), person="ada"), False),
        (Audience(tenant="other", permissions=frozenset({"read"}), person="ada"), False),
    ],
)
async def test_only_callers_of_one_tenant_and_permission_set_share(other: Audience, shares: bool) -> None:
    schema = ProtectedSchema(Query, None, Subscription)

    await _seen(schema, PLAIN, start=3)
    await _seen(schema, PLAIN, Caller(other), start=3)

    assert _counts(schema) == ((1, 1) if shares else (2, 0))


async def test_what_is_somebodys_own_is_shared_with_themselves_alone() -> None:
    schema = ProtectedSchema(Query, None, Subscription)
    query = "subscription { ticks(start: 3) { mine { name } } }"
    bob = Caller(Audience(tenant="acme", permissions=ACME.permissions, person="bob"))

    names = [
        result.data["ticks"]["mine"]["name"]
        for caller in (Caller(), bob, Caller())
        for result in await _seen(schema, query, caller)
    ]

    assert names == ["ada", "bob", "ada"]
    assert _counts(schema) == (2, 1)


async def test_an_error_in_a_shared_frame_has_one_id_for_all() -> None:
    schema = ProtectedSchema(Query, None, Subscription)

    (first,), (second,) = [await _seen(schema, "subscription { ticks(start: 3) { broken } }") for _ in range(2)]

    assert first.data == second.data == {"ticks": {"broken": None}}
    assert [error.formatted for error in first.errors] == [error.formatted for error in second.errors]
    assert written(first) == written(second)
    assert _counts(schema) == (1, 1)


def test_the_types_that_answer_each_person_differently_are_in_the_schema_that_is_served() -> None:
    names = build_schema()._schema.type_map.keys()  # pyright: ignore[reportPrivateUsage] -- Strawberry gives no other way
    assert names >= {"User", "Viewer"}


class Source:
    """Numbers that a test says, as a source; knows how often it is at work."""

    def __init__(self) -> None:
        self.at_work = 0
        self._said: asyncio.Queue[int | Exception | None] = asyncio.Queue()

    def say(self, value: int | Exception | None) -> None:
        self._said.put_nowait(value)

    async def numbers(self) -> AsyncGenerator[int, None]:
        self.at_work += 1
        try:
            while (value := await self._said.get()) is not None:
                if isinstance(value, Exception):
                    raise value
                yield value
        finally:
            self.at_work -= 1


class Member:
    def __init__(self, broadcasts: Broadcasts, source: Source) -> None:
        self._told = broadcasts.joined("key", source.numbers(), missed=-1)

    async def next(self) -> Told[int]:
        return await soon(anext(self._told))

    async def leave(self) -> None:
        await self._told.aclose()


async def _both(*members: Member) -> list[asyncio.Task[Told[int]]]:
    """Their next elements, once they have joined."""
    waiting = [asyncio.create_task(member.next()) for member in members]
    await asyncio.sleep(0)
    return waiting


async def test_members_of_a_broadcast_are_told_the_same_by_one_source_until_the_last_leaves() -> None:
    broadcasts, source = Broadcasts(), Source()
    first, second = Member(broadcasts, source), Member(broadcasts, source)
    waiting = await _both(first, second)
    source.say(7)

    told = [await each for each in waiting]
    assert told[0] is told[1]
    assert (told[0].value, source.at_work, len(broadcasts)) == (7, 1, 1)

    await first.leave()
    source.say(8)
    assert (await second.next()).value == 8
    await second.leave()
    assert (source.at_work, len(broadcasts)) == (0, 0)


async def test_a_member_that_falls_behind_is_told_so_and_holds_up_nobody() -> None:
    broadcasts, source = Broadcasts(), Source()
    slow, quick = Member(broadcasts, source), Member(broadcasts, source)
    waiting = await _both(slow, quick)
    for number in range(MOST_QUEUED + 3):
        source.say(number)
        assert (await (waiting[1] if number == 0 else quick.next())).value == number

    assert (await waiting[0]).value == 0
    assert [(await slow.next()).value for _ in range(3)] == [-1, MOST_QUEUED + 1, MOST_QUEUED + 2]
    await slow.leave()
    await quick.leave()


@pytest.mark.parametrize("broken", [False, True])
async def test_the_end_of_a_source_is_the_end_for_all_and_the_next_member_begins_anew(broken: bool) -> None:
    broadcasts, source = Broadcasts(), Source()
    waiting = await _both(Member(broadcasts, source), Member(broadcasts, source))
    source.say(RuntimeError("broken") if broken else None)
    await soon(asyncio.wait(waiting))

    expected = RuntimeError if broken else StopAsyncIteration
    assert [type(each.exception()) for each in waiting] == [expected] * 2
    assert len(broadcasts) == 0
    anew = Member(broadcasts, source)
    (told,) = await _both(anew)
    source.say(1)
    assert (await told).value == 1
    await anew.leave()


def test_an_answer_with_numbers_beyond_64_bits_is_written_too() -> None:
    result = cast("Any", ExecutionResult(Data({"big": 2**80}), None))
    result.extensions = None
    assert written(result) == '{"data":{"big":1208925819614629174706176}}'
