"""A small schema with one of each thing the protocols must carry: changes when they must carry something new."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import strawberry
from starlette.requests import HTTPConnection

from domain.errors import Forbidden, InvalidState, NotFound, QuotaExceeded, Unauthenticated
from schema.limits import Limits
from schema.protection import ProtectedSchema

TOKEN = "letmein"
VISITOR = "visitor"  # may not introspect


@dataclass(eq=False)
class World:
    """What the resolvers read and leave behind, for tests to look at."""

    value: int = 0
    stream_opened: asyncio.Event = field(default_factory=asyncio.Event)
    stream_closed: asyncio.Event = field(default_factory=asyncio.Event)
    proceed: asyncio.Queue[int] = field(default_factory=asyncio.Queue[int])

    def reset(self) -> None:
        self.value = 0
        self.stream_opened.clear()
        self.stream_closed.clear()
        while not self.proceed.empty():
            self.proceed.get_nowait()


@dataclass
class SampleSession:
    world: World
    expires_at: datetime | None = None
    may_introspect: bool = True
    seen: int | None = None  # stands for a data loader: keeps the first value that it read

    def renewed(self) -> "SampleSession":
        return SampleSession(self.world, self.expires_at, self.may_introspect)

    def load(self) -> int:
        if self.seen is None:
            self.seen = self.world.value
        return self.seen


@dataclass(frozen=True)
class SampleAuthenticator:
    """Knows a few tokens; `expires-MS` makes a session that ends after that many milliseconds."""

    world: World

    async def __call__(self, connection: HTTPConnection, credentials: str | None) -> SampleSession:
        match (credentials or "").split("-"):
            case [token] if token == TOKEN:
                return SampleSession(self.world)
            case [token] if token == VISITOR:
                return SampleSession(self.world, may_introspect=False)
            case ["expires", milliseconds]:
                ends = datetime.now(UTC) + timedelta(milliseconds=int(milliseconds))
                return SampleSession(self.world, expires_at=ends)
            case ["forbidden"]:
                raise Forbidden("api:connect")
            case ["busy"]:
                raise QuotaExceeded("Too many requests", retry_after=2.5)
            case ["broken"]:
                raise RuntimeError("the password of the database is hunter2")
            case _:
                raise Unauthenticated("These credentials do not hold" if credentials else "Credentials are missing")


Info = strawberry.Info[SampleSession, None]


@strawberry.type
class Item:
    id: strawberry.ID
    name: str

    @strawberry.field
    def parent(self) -> "Item":
        return self


@strawberry.type
class Query:
    @strawberry.field
    def hello(self) -> str:
        return "world"

    @strawberry.field
    def echo(self, text: str | None = None) -> str | None:
        return text

    @strawberry.field
    def item(self, id: strawberry.ID) -> Item:
        if id == "missing":
            raise NotFound("item", id)
        return Item(id=id, name=f"item {id}")

    @strawberry.field
    def items(self, first: int = 20) -> list[Item]:
        return [Item(id=strawberry.ID(str(number)), name="one") for number in range(first)]

    @strawberry.field
    def secret(self) -> str:
        raise RuntimeError("the password of the database is hunter2")


@strawberry.type
class Mutation:
    @strawberry.mutation
    def set_value(self, info: Info, value: int) -> int:
        if value < 0:
            raise InvalidState("The value cannot be negative", path=("value",), remedy="Give 0 or more.")
        info.context.world.value = value
        return value

    @strawberry.mutation
    async def push(self, info: Info, value: int) -> int:
        """Makes the open `ticks` stream give this number."""
        await info.context.world.proceed.put(value)
        return value


@strawberry.type
class Tick:
    number: int

    @strawberry.field
    def loaded(self, info: Info) -> int:
        return info.context.load()


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def countdown(self, start: int = 3) -> AsyncIterator[int]:
        for number in range(start, 0, -1):
            yield number

    @strawberry.subscription
    async def ticks(self, info: Info) -> AsyncIterator[Tick]:
        """One tick for each number that a test puts into the world's queue."""
        world = info.context.world
        world.stream_opened.set()
        try:
            while True:
                number = await world.proceed.get()
                world.value = number
                yield Tick(number=number)
        finally:
            world.stream_closed.set()

    @strawberry.subscription
    async def faulty(self) -> AsyncIterator[int]:
        yield 1
        raise RuntimeError("the password of the database is hunter2")


def sample_schema(limits: Limits | None = None) -> ProtectedSchema:
    return ProtectedSchema(Query, Mutation, Subscription, limits=limits)
