"""Whatever dies in the middle of 200 executions, every one completes, and its log tells every step once."""

import asyncio
import signal

import pytest

from app.stack import Stack
from tests.acceptance.cluster import Workers, bring_back, flush_redis, kill_postgres, kill_redis
from tests.acceptance.receiver import Receiver
from tests.acceptance.trial import Ground, running_trial
from tests.acceptance.verdict import assert_called, assert_complete, late_calls, recovery

pytestmark = pytest.mark.acceptance
Figures = dict[str, float]
RECOVERY = 10.0
"""Seconds within which a dead worker's executions must have another owner."""


async def test_a_killed_workers_executions_go_on_in_another(
    ground: Ground, workers: Workers, receiver: Receiver, figures: Figures
) -> None:
    victim, survivor = await workers.start_two()
    async with running_trial(ground, victim, survivor) as trial:
        await trial.reach(1 / 3)
        killed = victim.send(signal.SIGKILL)
        orphans = await trial.owned_by(victim)
    logs = await assert_complete(trial)
    assert_called(receiver.arrivals, logs, at_most=2)
    assert orphans
    figures["recovery"] = recovery(logs, orphans, killed)
    assert figures["recovery"] < RECOVERY
    assert survivor.complaints() == []


async def test_when_the_only_worker_is_killed_the_next_one_goes_on(
    ground: Ground, workers: Workers, receiver: Receiver, figures: Figures
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
    figures["recovery"] = recovery(logs, orphans, killed)
    assert figures["recovery"] < RECOVERY
    assert following.complaints() == []


async def test_redis_may_forget_everything_and_die(
    ground: Ground, workers: Workers, receiver: Receiver, servers: Stack
) -> None:
    """The workers bring the embedded one back themselves."""
    pair = await workers.start_two()
    async with running_trial(ground, *pair) as trial:
        await flush_redis(servers)
        await trial.reach(1 / 4)
        await kill_redis(servers)
        await trial.reach(2 / 3)
        await flush_redis(servers)
    logs = await assert_complete(trial)
    assert_called(receiver.arrivals, logs, at_most=1)
    assert [worker.complaints() for worker in pair] == [[], []]


async def test_postgres_may_die_and_be_brought_back_by_the_workers(
    ground: Ground, workers: Workers, receiver: Receiver, servers: Stack, figures: Figures
) -> None:
    pair = await workers.start_two()
    async with running_trial(ground, *pair) as trial:
        await trial.reach(1 / 3)
        await kill_postgres(servers)
    logs = await assert_complete(trial)
    assert_called(receiver.arrivals, logs, at_most=2)
    assert [worker.complaints() for worker in pair] == [[], []]


async def test_postgres_may_be_away_for_longer_than_a_worker_counts_as_alive(
    ground: Ground, workers: Workers, receiver: Receiver, servers: Stack
) -> None:
    pair = await workers.start_two(tending=False)
    async with running_trial(ground, *pair) as trial:
        await trial.reach(1 / 3)
        await kill_postgres(servers)
        await asyncio.sleep(7)
        await bring_back(servers)
    logs = await assert_complete(trial)
    assert_called(receiver.arrivals, logs, at_most=2)
    assert [worker.complaints() for worker in pair] == [[], []]


async def test_a_worker_asked_to_stop_finishes_its_steps_and_hands_over(
    ground: Ground, workers: Workers, receiver: Receiver, figures: Figures
) -> None:
    leaver, heir = await workers.start_two()
    receiver.delay = 0.5
    async with running_trial(ground, leaver, heir) as trial:
        await trial.reach(1 / 3)
        held = await trial.owned_by(leaver)
        asked = leaver.send(signal.SIGTERM)
        assert await asyncio.wait_for(leaver.process.wait(), 20) == 0
        assert await trial.owned_by(leaver) == {}
    logs = await assert_complete(trial)
    assert held
    assert_called(receiver.arrivals, logs, at_most=1)
    figures["handed over"] = recovery(logs, held, asked)
    assert [worker.complaints() for worker in (leaver, heir)] == [[], []]


async def test_a_worker_that_was_stopped_for_long_writes_nothing_to_what_it_has_lost(
    ground: Ground, workers: Workers, receiver: Receiver, figures: Figures
) -> None:
    zombie, heir = await workers.start_two(steps=20)
    async with running_trial(ground, zombie, heir) as trial:
        await trial.reach(1 / 3)
        stopped = zombie.send(signal.SIGSTOP)
        lost = await trial.owned_by(zombie)
        await asyncio.sleep(8)
        went_on = zombie.send(signal.SIGCONT)
        await asyncio.sleep(2)
    logs = await assert_complete(trial)
    late = late_calls(receiver.arrivals, logs)
    print(len(late), sorted((max(receiver.arrivals[k])-went_on).total_seconds() for k in late), [len(receiver.arrivals[k]) for k in late])
    assert_called(receiver.arrivals, logs, at_most=2)
    figures["recovery"] = recovery(logs, lost, stopped)
    assert [worker.complaints() for worker in (zombie, heir)] == [[], []]
