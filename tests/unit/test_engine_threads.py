"""Several threads through one graph: a failure that is borne counts in the round it happened in."""

import pytest

from domain.engine.commands import Ending
from domain.engine.plan import Plan
from domain.graphs import JoinMode
from tests.unit.engine_world import World, completed, edge, failed, node, planned


def threads(handling: str) -> Plan:
    """`a` and `b` come one after the other to a `parallel`, whose two branches meet again; `last` follows."""
    nodes = [
        node("start", "trigger"),
        node("a"),
        node("b"),
        node("fork", "fork", join=JoinMode.EACH, errorHandling=handling),
        *map(node, "xy"),
        node("meet", join=JoinMode.ALL),
        node("last"),
    ]
    lines = ["start > a", "start > b", "a > fork", "b > fork", "fork > x", "fork > y", "x > meet", "y > meet"]
    return planned(nodes, [edge(line) for line in (*lines, "meet > last")])


def play(handling: str, *failing: str) -> World:
    return World(threads(handling)).start().run(lambda path: failed() if path in failing else completed(output=path))


def test_each_thread_meets_again_in_its_own_round() -> None:
    world = play("continue")

    assert world.finish is not None
    assert world.finish.ending is Ending.COMPLETED
    assert [path for path in world.statuses() if path.startswith(("meet", "last"))] == [
        "meet",
        "meet#2",
        "last",
        "last#2",
    ]


@pytest.mark.parametrize("failing", [("x", "y"), ("x#2", "y#2")])
def test_where_every_branch_of_a_round_fails_the_failure_that_was_borne_counts(failing: tuple[str, ...]) -> None:
    world = play("continue", *failing)

    assert world.finish is not None
    assert world.finish.ending is Ending.FAILED
    assert world.finish.path == failing[0]


def test_a_round_that_collects_its_failures_goes_on_with_them() -> None:
    world = play("collect", "x#2", "y#2")

    assert world.finish is not None
    assert world.finish.ending is Ending.COMPLETED
    assert world.statuses()["last#2"] == "COMPLETED"
