"""What the study says of runs that stop by themselves."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.study.conditions import OURS
from benchmarks.study.goals import goals
from benchmarks.study.plans import LONGER, PLANS
from benchmarks.study.records import RunKey, RunRecord
from benchmarks.study.stops import CONTINUED, STOPPED, Ending, StopFigures, endings, stop_table
from benchmarks.study.tables import Results
from benchmarks.study.tasks import WINDOW_STEPS

RISING = [0.0] * 10 + [100.0] * 50
"""T95 is in the 15th window: the first whose last five are all at 100."""


def record(
    condition: str, seed: int, stopped_at: int | None = None, n: int = 60, *, final: float = 0.0
) -> RunRecord:
    return RunRecord(
        key=RunKey(condition=condition, task="cartpole", start="good", seed=seed),
        curve=[],
        final=final,
        steps=n * WINDOW_STEPS,
        stopped_at=None if stopped_at is None else stopped_at * WINDOW_STEPS,
        window_scores=[((i + 1) * WINDOW_STEPS, score) for i, score in enumerate(RISING[:n])],
    )


@st.composite
def ends(draw: st.DrawFn) -> Ending:
    steps = st.integers(1, 100)
    return Ending(
        end=draw(st.none() | steps),
        length=draw(steps),
        t95=draw(st.none() | steps),
        is_too_early=draw(st.booleans()),
        loss=draw(st.floats(-1.0, 1.0)),
    )


@given(st.lists(ends(), max_size=20))
def test_figures_are_plain_counts(all_ends: list[Ending]) -> None:
    figures = StopFigures.of(all_ends)
    rising = [(e.end or math.inf, e.t95, e.length) for e in all_ends if e.t95 is not None]
    if rising:
        middle = np.median([end / t95 for end, t95, _ in rising])
        assert figures.median_ratio == pytest.approx(middle, nan_ok=True)
    known = [
        end <= 3 * t95
        for end, t95, length in rising
        if end >= t95 and (end < math.inf or length >= 3 * t95)
    ]
    assert (figures.n_known, figures.n_in_time) == (len(known), sum(known))
    stopped = [e for e in all_ends if e.end is not None]
    assert figures.n_stopped == len(stopped)
    assert figures.n_lost == len([e for e in stopped if e.loss > 0.05])


def test_a_run_that_ends_before_three_times_t95_tells_nothing_of_stopping_by_then() -> None:
    def ending(end: int | None, length: int) -> Ending:
        return Ending(end=end, length=length, t95=10, is_too_early=False)

    assert ending(None, 29).is_in_time is None
    assert ending(None, 30).is_in_time is False
    assert ending(30, 60).is_in_time is True
    assert ending(31, 60).is_in_time is False
    assert ending(9, 60).is_in_time is None


def test_runs_are_compared_with_those_of_their_own_seed() -> None:
    records = [
        record(STOPPED, 0, 30),
        record(CONTINUED, 0),
        record(STOPPED, 1, 9),
        record(CONTINUED, 1, final=500.0),
        record(STOPPED, 2),
        record(CONTINUED, 2, n=40),
        record(STOPPED, 3, 30),
    ]
    results = Results(records)
    found = list(endings(results, "good"))
    assert [ending.ratio for ending in found] == [2.0, 0.6, math.inf]
    assert [ending.is_too_early for ending in found] == [False, True, False]
    table = list(stop_table(results))
    assert table[2] == "| `good` | 3 | 2 | 2.00 | 1 of 1 | 1 | 1 |"
    shown = {
        goal.text: (goal.measured, goal.is_met) for goal in goals(results) if "G5" in goal.text
    }
    assert shown == {
        "G5: start good, stop / T95, median": ("2.00", True),
        "G5: start good, stopped by 3 × T95": ("1 of 1", True),
        "G5: start good, stops too early": ("1 of 2", False),
    }


def test_without_such_runs_nothing_is_said() -> None:
    results = Results([record("default", 0, 30)])
    assert list(stop_table(results)) == []
    assert not [goal for goal in goals(results) if "G5" in goal.text]


def test_both_kinds_may_last_three_times_the_budget_and_have_no_row_among_the_others() -> None:
    assert {OURS[name].budget_factor for name in LONGER} == {3}
    planned = [plan.conditions for plan in PLANS["whole"] if set(plan.conditions) & set(LONGER)]
    assert planned == [LONGER]
    results = Results([record("default", 0), *(record(name, 0) for name in LONGER)])
    assert results.conditions("good") == ["default"]
