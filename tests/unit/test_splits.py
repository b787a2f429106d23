"""How a split chooses: always the same for a key, in the share it was told, moving one way when the share moves."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from domain.ids import SplitId, VersionId, WorkflowId
from domain.splits import Measured, Split

BASELINE, CANDIDATE = VersionId(UUID(int=1)), VersionId(UUID(int=2))
SPLIT = Split(
    id=SplitId(UUID(int=3)),
    workflow_id=WorkflowId(UUID(int=4)),
    baseline_id=BASELINE,
    candidate_id=CANDIDATE,
    percent=10,
    started_at=datetime(2026, 11, 21, tzinfo=UTC),
    started_by="user_1",
)
KEYS = [f"order-{number}" for number in range(10_000)]


def chosen(split: Split) -> set[str]:
    """The keys whose starts run the candidate."""
    return {key for key in KEYS if split.choose(key) == CANDIDATE}


@pytest.mark.parametrize("percent", [0, 10, 50, 100])
def test_the_candidate_gets_its_share(percent: int) -> None:
    share = len(chosen(replace(SPLIT, percent=percent))) / len(KEYS) * 100

    assert share == pytest.approx(percent, abs=1.5)
    assert share == percent or percent not in (0, 100)


def test_a_key_is_always_given_the_same_version() -> None:
    assert chosen(SPLIT) == chosen(replace(SPLIT))
    assert SPLIT.choose("order-0") == BASELINE, "what was chosen yesterday is chosen tomorrow"


def test_a_larger_share_takes_nobody_from_the_candidate() -> None:
    assert chosen(SPLIT) < chosen(replace(SPLIT, percent=20)) < chosen(replace(SPLIT, percent=90))


def test_another_split_chooses_others() -> None:
    other = chosen(replace(SPLIT, id=SplitId(UUID(int=5))))

    assert len(chosen(SPLIT) & other) < 200, "about one in a hundred is chosen by both"


def test_a_success_rate_counts_what_came_to_an_end_by_itself() -> None:
    side = Measured(version_id=BASELINE, executions=10, completed=3, failed=1, cancelled=2)

    assert (side.success_rate, side.running) == (0.75, 4)
    assert Measured(version_id=BASELINE, executions=1).success_rate is None
