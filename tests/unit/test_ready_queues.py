"""Tenants take turns, whatever comes and goes."""

from collections import defaultdict
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ids import TenantId
from jobs.ready import ReadyQueues

TENANTS = [TenantId(UUID(int=number)) for number in range(5)]
Item = tuple[TenantId, int]


def test_the_oldest_of_each_tenant_comes_in_turn() -> None:
    queues: ReadyQueues[str] = ReadyQueues()
    for item in ("a1", "a2", "a3", "b1"):
        queues.push(TENANTS[item[0] == "b"], item)

    assert [queues.pop() for _ in range(4)] == ["a1", "b1", "a2", "a3"]


def test_those_ahead_come_first_and_no_earlier_in_the_turn() -> None:
    queues: ReadyQueues[str] = ReadyQueues()
    for item in ("a1", "a2", "b1", "b2"):
        queues.push(TENANTS[item[0] == "b"], item)
    queues.push(TENANTS[0], "a3", ahead=True)
    queues.push(TENANTS[0], "a4", ahead=True)

    assert [queues.pop() for _ in range(6)] == ["a3", "b1", "a4", "b2", "a1", "a2"]


def test_nothing_can_be_taken_from_nothing() -> None:
    queues: ReadyQueues[str] = ReadyQueues()
    with pytest.raises(IndexError):
        queues.pop()


moves = st.lists(st.one_of(st.sampled_from(TENANTS), st.none()), max_size=200)
"""A push for a tenant, or a pop."""


@given(moves)
def test_everything_comes_out_once_and_a_tenants_own_in_order(played: list[TenantId | None]) -> None:
    queues: ReadyQueues[Item] = ReadyQueues()
    pushed: list[Item] = []
    popped: list[Item] = []
    for number, tenant in enumerate(played):
        if tenant is not None:
            pushed.append((tenant, number))
            queues.push(tenant, (tenant, number))
        elif len(queues):
            popped.append(queues.pop())
        assert len(queues) == len(pushed) - len(popped)
    popped += [queues.pop() for _ in range(len(queues))]

    assert sorted(popped) == sorted(pushed)
    for tenant in TENANTS:
        own = [number for owner, number in popped if owner == tenant]
        assert own == sorted(own)


@given(moves)
def test_nobody_is_served_twice_while_another_waits_for_a_turn(played: list[TenantId | None]) -> None:
    queues: ReadyQueues[TenantId] = ReadyQueues()
    waiting: dict[TenantId, int] = defaultdict(int)
    served_since: dict[TenantId, list[TenantId]] = {}
    for tenant in played:
        if tenant is not None:
            if not waiting[tenant]:
                served_since[tenant] = []
            waiting[tenant] += 1
            queues.push(tenant, tenant)
        elif len(queues):
            served = queues.pop()
            waiting[served] -= 1
            served_since[served] = []
            for other, seen in served_since.items():
                if other != served and waiting[other]:
                    seen.append(served)
                    assert len(seen) == len(set(seen)), f"{seen} came while {other} waited"
