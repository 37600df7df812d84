"""What the study computes from the record of a run."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.study import records
from benchmarks.study.records import RunKey, RunRecord
from benchmarks.study.scores import area, curve, steps_to_95, stopped_too_early
from benchmarks.study.tasks import TASKS, WINDOW_STEPS

KEY = RunKey(condition="fixed", task="cartpole", start="good", seed=7)
TASK = TASKS["cartpole"]


def record(
    points: list[tuple[int, float]] = [],  # noqa: B006 - never changed
    scores: list[float] = [],  # noqa: B006
    stopped_at: int | None = None,
) -> RunRecord:
    return RunRecord(
        key=KEY,
        curve=points,
        final=0.0,
        steps=0,
        stopped_at=stopped_at,
        window_scores=[((i + 1) * WINDOW_STEPS, score) for i, score in enumerate(scores)],
    )


@given(
    st.lists(st.tuples(st.integers(0, 70 * WINDOW_STEPS), st.floats(-100, 600)), max_size=8).map(
        sorted
    )
)
def test_a_curve_holds_the_last_incumbent_at_each_window(points: list[tuple[int, float]]) -> None:
    values = curve(record(points))
    assert len(values) == TASK.n_windows
    for index, value in enumerate(values):
        end = (index + 1) * WINDOW_STEPS
        before = [score for steps, score in points if steps <= end]
        assert value == (TASK.normalised(before[-1]) if before else 0.0)


def test_the_area_of_a_policy_that_is_perfect_from_half_time_on_is_a_half() -> None:
    half = TASK.n_steps // 2 + 1
    assert area(record([(half, TASK.best)])) == pytest.approx(0.5, abs=1 / TASK.n_windows)


def test_t95_is_where_the_smoothed_score_first_comes_near_its_last_level() -> None:
    rising = [0.0] * 10 + [100.0] * 30
    # The mean of five windows reaches 95 of 100 when all five are at 100: in the 15th window.
    assert steps_to_95(record(scores=rising)) == 15 * WINDOW_STEPS


@pytest.mark.parametrize("scores", [[], [5.0] * 40, [100.0] * 10 + [0.0] * 30])
def test_a_run_that_never_rose_has_no_t95(scores: list[float]) -> None:
    assert steps_to_95(record(scores=scores)) is None


def test_a_stop_is_too_early_where_the_run_would_have_risen() -> None:
    unstopped = record(scores=list(np.linspace(0.0, 100.0, 40)))
    assert stopped_too_early(record(stopped_at=20 * WINDOW_STEPS), unstopped)
    assert not stopped_too_early(record(stopped_at=40 * WINDOW_STEPS), unstopped)
    assert not stopped_too_early(record(), unstopped)


def test_a_record_comes_back_as_it_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "RUNS", tmp_path)
    saved = record([(1024, 20.5)], [1.0, 2.0], stopped_at=4096)
    saved.save()
    assert list(records.load_records()) == [saved]
    assert KEY.path.exists()
