"""What holds for every graph with bodies, children and compensations, and every order of outcomes."""

from collections import Counter

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from domain.engine.commands import Ending, ResumeStep, RunStep
from domain.engine.compensation import SUFFIX
from domain.engine.decide import fold, outstanding
from domain.engine.events import EventKind
from domain.engine.plan import Plan
from domain.engine.snapshots import from_json, to_json
from domain.engine.state import Lifecycle
from domain.graphs import FailureStrategy
from tests.unit.engine_bodies import LATE, Player, began, chance, plan_with_bodies, planned_at
from tests.unit.engine_world import World

EXAMPLES = 500
SEEDS = st.integers(0, 2**64 - 1)
"""Of graph and play. What a seed gives does not shrink; a long play that shrank well would seldom be drawn."""
anything = settings(max_examples=EXAMPLES, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])


@anything
@given(SEEDS)
def test_an_execution_never_deadlocks(seed: int) -> None:
    world = _began(seed).play()
    assert world.finish is not None
    assert not world.state.open


@anything
@given(SEEDS)
def test_no_finished_step_is_ever_asked_for_again(seed: int) -> None:
    def only_open_steps(world: World) -> None:
        for path in world.ready:
            assert world.state.steps[path].status.open

    world = _began(seed).play(only_open_steps)
    ended = Counter(event.path for event in world.log if event.kind is EventKind.STEP_COMPLETED)
    assert [path for path, count in ended.items() if count > 1 and path != LATE] == []


@anything
@given(SEEDS)
def test_folding_the_log_gives_the_state_from_any_snapshot(seed: int) -> None:
    player = _began(seed)
    world = player.play(most=player.random.randrange(60))
    assert fold(world.plan, world.log) == world.state
    cut = player.random.randint(0, len(world.log))
    snapshot = from_json(to_json(fold(world.plan, world.log[:cut])))
    assert fold(world.plan, world.log[cut:], snapshot) == world.state


@anything
@given(SEEDS)
def test_a_worker_that_loads_the_log_is_asked_for_exactly_what_was_open(seed: int) -> None:
    def same_wishes(world: World) -> None:
        wishes = outstanding(world.plan, from_json(to_json(world.state)))
        assert {each.path: each for each in wishes if isinstance(each, RunStep | ResumeStep)} == world.ready

    _began(seed).play(same_wishes)


@anything
@given(SEEDS)
def test_a_cancellation_ends_everything_and_every_child(seed: int) -> None:
    player = _began(seed)
    world = player.play(most=player.random.randrange(30))
    if world.state.lifecycle is not Lifecycle.RUNNING or world.finish is not None or world.state.failure is not None:
        return
    children = {f"child of {path}" for path in player.children}
    before = set(world.orphans)
    world.append(EventKind.CANCEL_REQUESTED, {"reason": "enough"})
    assert (world.ready, dict(world.state.open)) == ({}, {})
    assert set(world.orphans) - before == children - before
    assert world.finish is not None
    assert world.finish.ending is Ending.CANCELLED


@anything
@given(SEEDS)
def test_what_a_failed_execution_had_done_is_undone_once_and_backwards(seed: int) -> None:
    random = chance(seed)
    plan = plan_with_bodies(random, strategy=FailureStrategy.COMPENSATE)
    world = began(plan, random).play()
    assert world.finish is not None
    paths = [event.path for event in world.log if event.kind is EventKind.STEP_COMPLETED and event.path]
    done = [path for path in paths if _can_be_undone(plan, path)]
    begun = dict.fromkeys(event.path for event in world.log if event.path and event.path.endswith(SUFFIX))
    failed = world.finish.ending is Ending.FAILED
    assert list(begun) == ([path + SUFFIX for path in reversed(done)] if failed else [])


@anything
@given(SEEDS)
def test_where_nothing_races_or_fails_the_order_of_the_answers_does_not_matter(seed: int) -> None:
    random = chance(seed)
    plan = plan_with_bodies(random, calm=True, cyclic=False)
    one, other = (began(plan, random, calm=True).play() for _ in range(2))
    assert one.finish is not None
    assert one.finish == other.finish
    assert _came_to(one) == _came_to(other)


def _began(seed: int) -> Player:
    random = chance(seed)
    return began(plan_with_bodies(random), random)


def _can_be_undone(plan: Plan, path: str) -> bool:
    if path == LATE or path.endswith(SUFFIX):
        return False
    planned = planned_at(plan, path)
    return planned.node.compensation is not None and not planned.single


def _came_to(world: World) -> dict[str, object]:
    """What each step of the execution's own graph came to."""
    return {path: (step.status, step.output, step.handles) for path, step in world.state.steps.items()}
