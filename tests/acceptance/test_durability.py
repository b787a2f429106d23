"""Whatever dies in the middle of 200 executions, every one completes, and its log tells every step once."""

import asyncio
import signal
from collections.abc import Callable

import pytest

from app.stack import Stack
from tests.acceptance.cluster import Workers, bring_back, flush_redis, kill_postgres, kill_redis
from tests.acceptance.receiver import Receiver
from tests.acceptance.trial import Ground, running_trial
from tests.acceptance.verdict import assert_called, assert_complete, calls_under_way, late_calls, recovery

pytestmark = pytest.mark.acceptance
Record = Callable[[str, object], None]
"""Shows a figure in the summary."""

RECOVERY = 10.0
"""Seconds within which a dead worker's executions must have another owner."""
AWAY = 7.0
"""Seconds after which a silent worker counts as dead, and some more."""


async def test_a_killed_workers_executions_go_on_in_another(
    ground: Ground, workers: Workers, receiver: Receiver, record_property: Record
) -> None:
    victim, survivor = await workers.start_two()
    async with running_trial(ground, victim, survivor) as trial:
        await trial.reach(1 / 3)
        killed = victim.send(signal.SIGKILL)
        orphans = await trial.owned_by(victim)
    logs = await assert_complete(trial)
    assert_called(receiver.arrivals, logs, at_most=2)
    assert orphans
    seconds = recovery(logs, orphans, killed)
    record_property("another owner after", f"{seconds:.1f} s")
    assert seconds < RECOVERY
    assert survivor.complaints() == []


async def test_when_the_only_worker_is_killed_the_next_one_goes_on(
    ground: Ground, workers: Workers, receiver: Receiver, record_property: Record
) -> None:
    only = await workers.start()
    async with running_trial(ground, only) as trial:
        await trial.reach(1 / 3)
        killed = only.send(signal.SIGKILL)
        orphans = await trial.owned_by(only)
        following = await workers.start()
    logs = await assert_complete(trial)
    assert_called(receiver.arrivals, logs, at_most=2)
    assert orphans
    seconds = recovery(logs, orphans, killed)
    record_property("another owner after", f"{seconds:.1f} s")
    assert seconds < RECOVERY
    assert following.complaints() == []


async def test_redis_may_forget_everything_and_be_away(
    ground: Ground, workers: Workers, receiver: Receiver, servers: Stack
) -> None:
    pair = await workers.start_two(tending=False)
    async with running_trial(ground, *pair) as trial:
        await flush_redis(servers)
        await trial.reach(1 / 4)
        await kill_redis(servers)
        await trial.reach(2 / 3)
        await bring_back(servers)
        await flush_redis(servers)
    logs = await assert_complete(trial)
    assert_called(receiver.arrivals, logs, at_most=1)
    assert [worker.complaints() for worker in pair] == [[], []]


async def test_the_workers_bring_back_both_embedded_servers(
    ground: Ground, workers: Workers, receiver: Receiver, servers: Stack
) -> None:
    pair = await workers.start_two()
    async with running_trial(ground, *pair) as trial:
        await trial.reach(1 / 3)
        await kill_redis(servers)
        await kill_postgres(servers)
    logs = await assert_complete(trial)
    assert_called(receiver.arrivals, logs, at_most=2)
    assert [worker.complaints() for worker in pair] == [[], []]


async def test_postgres_may_be_away_for_longer_than_a_worker_may_be_silent(
    ground: Ground, workers: Workers, receiver: Receiver, servers: Stack
) -> None:
    pair = await workers.start_two(tending=False)
    async with running_trial(ground, *pair) as trial:
        await trial.reach(1 / 3)
        await kill_postgres(servers)
        await asyncio.sleep(AWAY)
        await bring_back(servers)
    logs = await assert_complete(trial)
    assert_called(receiver.arrivals, logs, at_most=2)
    assert [worker.complaints() for worker in pair] == [[], []]


async def test_a_worker_asked_to_stop_finishes_its_steps_and_hands_over(
    ground: Ground, workers: Workers, receiver: Receiver, record_property: Record
) -> None:
    leaver, heir = await workers.start_two()
    receiver.delay = 0.5
    async with running_trial(ground, leaver, heir) as trial:
        await trial.reach(1 / 3)
        held = await trial.owned_by(leaver)
        asked = leaver.send(signal.SIGTERM)
        assert await asyncio.wait_for(leaver.process.wait(), 15) == 0
        assert await trial.owned_by(leaver) == {}
    logs = await assert_complete(trial)
    assert_called(receiver.arrivals, logs, at_most=1)  # no request was cut off and sent again
    assert held
    record_property("another owner after", f"{recovery(logs, held, asked):.1f} s")
    assert [worker.complaints() for worker in (leaver, heir)] == [[], []]


async def test_a_worker_that_stood_still_leaves_alone_what_it_has_lost(
    ground: Ground, workers: Workers, receiver: Receiver, record_property: Record
) -> None:
    slots = 10
    sleeper, heir = await workers.start_two(steps=slots)
    async with running_trial(ground, sleeper, heir) as trial:
        await trial.reach(1 / 3)
        stood_still = sleeper.send(signal.SIGSTOP)
        lost = await trial.owned_by(sleeper)
        await asyncio.sleep(AWAY)
        sleeper.send(signal.SIGCONT)
        await asyncio.sleep(2)  # its time to do harm
    logs = await assert_complete(trial)
    late = late_calls(receiver.arrivals, logs)
    record_property("requests that were on their way and arrived late:", len(late))
    assert_called(receiver.arrivals, logs, at_most=2, late=calls_under_way(logs, lost, stood_still))
    assert len(late) <= slots
    assert recovery(logs, lost, stood_still) < RECOVERY
    assert sleeper.process.returncode is None
    assert [worker.complaints() for worker in (sleeper, heir)] == [[], []]
