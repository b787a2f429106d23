"""What becomes of running steps when they are not wanted any more: they are told, have a moment, and are given up."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from app import engine as app_engine
from domain.engine.events import EventKind
from domain.engine.outcomes import Completed, Outcome
from domain.engine.ports import InboxKind
from domain.ids import ExecutionId
from domain.nodes import NodeCategory
from jobs.nodes.base import NodeConfig, StepContext, define
from jobs.nodes.catalog import CATALOG, Catalog
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import flow, http, step
from tests.contract.local_server import LocalServer
from tests.contract.sandbox_processes import gone, sandbox_processes

pytest_plugins = ["tests.contract.engine_fixture"]


@dataclass
class Deaf:
    """A node kind that does not stop when it is told to, only when the test lets it."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    told: asyncio.Event = field(default_factory=asyncio.Event)
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, step: StepContext, config: NodeConfig) -> Outcome:
        self.begun.set()
        while not self.enough.is_set():
            try:
                await self.enough.wait()
            except asyncio.CancelledError:
                self.told.set()
        self.ended.set()
        return Completed(output="too late")

    def catalog(self) -> Catalog:
        kind = define(
            name="deaf",
            title="Deaf",
            description="Does not listen.",
            category=NodeCategory.DATA,
            config=NodeConfig,
            run=self.run,
            documentation="Nothing.",
            examples={"Nothing": {}},
        )
        return Catalog([*(CATALOG.behaviour(name) for name in CATALOG.kinds()), kind])


@pytest.fixture
async def deaf(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Deaf]:
    """A kind `deaf` in the catalog of the engines that this test starts."""
    kind = Deaf()
    monkeypatch.setattr(app_engine, "CATALOG", kind.catalog())
    yield kind
    kind.enough.set()


async def moments(engine: EngineRoom, execution: ExecutionId) -> timedelta:
    """How long it took from the wish to the end."""
    asked = await engine.event(execution, EventKind.CANCEL_REQUESTED)
    return (await engine.event(execution, EventKind.EXECUTION_CANCELLED)).at - asked.at


async def test_a_call_is_told_and_hangs_up_before_the_execution_ends(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/slow")
    execution = await engine.run(flow(http("slow", f"{server.url}/slow"), "start > slow"))
    await server.has("/slow")

    await engine.post(execution, InboxKind.CANCEL, {"reason": "enough", "by": "user_a"}, key="cancel")

    assert await engine.ending(execution) == Ending(status="CANCELLED")
    await server.lost("/slow")
    assert await moments(engine, execution) < timedelta(seconds=5)


FOR_EVER = {
    "javascript": "await fetch({url}); while (true);",
    "python": "fetch({url})\nwhile True: pass",
}


@pytest.mark.parametrize("language", FOR_EVER)
async def test_code_is_stopped_and_leaves_no_process_behind(
    engine: EngineRoom, server: LocalServer, language: str
) -> None:
    others = set(sandbox_processes())
    source = FOR_EVER[language].replace("{url}", repr(f"{server.url}/begun"))
    busy = step("busy", "code", language=language, source=source, timeout=60, allowedDomains=["127.0.0.1"])
    execution = await engine.run(flow(busy, "start > busy"))
    await server.has("/begun")
    begun = sandbox_processes(others)
    assert begun

    await engine.post(execution, InboxKind.CANCEL, key="cancel")

    assert await engine.ending(execution) == Ending(status="CANCELLED")
    assert await moments(engine, execution) < timedelta(seconds=5)
    assert await gone(begun)


async def test_a_step_that_does_not_listen_is_given_up_after_its_moment(room: EngineRoom, deaf: Deaf) -> None:
    async with room.running(cancel_grace_seconds=0.2):
        execution = await room.run(flow(step("deaf", "deaf"), "start > deaf"))
        await deaf.begun.wait()

        await room.post(execution, InboxKind.CANCEL, key="cancel")

        assert await room.ending(execution) == Ending(status="CANCELLED")
        assert deaf.told.is_set()
        assert not deaf.ended.is_set()
        assert timedelta(seconds=0.15) <= await moments(room, execution) < timedelta(seconds=5)
        before = await room.trail(execution)
        deaf.enough.set()
        await deaf.ended.wait()
        after = await room.start(await room.publish(flow(step("done", "end"), "start > done")))
        await room.over(after)

        assert await room.trail(execution) == before, "what it comes to in the end is dropped"


async def test_a_step_that_uses_its_moment_ends_the_execution_when_it_is_ready(room: EngineRoom, deaf: Deaf) -> None:
    async with room.running(cancel_grace_seconds=60.0):
        execution = await room.run(flow(step("deaf", "deaf"), "start > deaf"))
        await deaf.begun.wait()
        await room.post(execution, InboxKind.CANCEL, key="cancel")
        await deaf.told.wait()
        assert ("EXECUTION_CANCELLED", None) not in await room.trail(execution)

        deaf.enough.set()

        assert await room.ending(execution) == Ending(status="CANCELLED")


async def test_a_race_goes_on_without_a_loser_that_does_not_listen(room: EngineRoom, deaf: Deaf) -> None:
    race = flow(
        step("deaf", "deaf"),
        step("hold", "wait", signal="go"),
        step("first", "merge", mode="any"),
        step("done", "end", output="won"),
        "start > deaf > first > done",
        "start > hold > first",
    )
    async with room.running(cancel_grace_seconds=0.1):
        execution = await room.run(race)
        await deaf.begun.wait()

        await room.signal(execution, "go")

        assert await room.ending(execution) == Ending(status="COMPLETED", output="won")
        assert deaf.told.is_set()
