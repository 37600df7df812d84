"""The statistics of the benchmarks against slow, obvious forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.harness.aggregates import (
    Strata,
    bootstrap,
    bootstrap_two,
    iqm,
    pooled_iqm,
    probability_of_improvement,
)

scores = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30).map(np.array)


def slow_iqm(values: list[float]) -> float:
    """Repeat each of n values four times: the middle half of those 4n is whole."""
    repeated = sorted(value for value in values for _ in range(4))
    n = len(values)
    middle = repeated[n : 3 * n]
    return sum(middle) / len(middle)


@given(scores)
def test_the_interquartile_mean_is_the_mean_of_the_middle_half(values: np.ndarray) -> None:
    assert iqm(values) == pytest.approx(slow_iqm(values.tolist()), rel=1e-9, abs=1e-6)


def test_no_scores_have_no_interquartile_mean() -> None:
    with pytest.raises(ValueError, match="at least one"):
        iqm(np.array([]))


@given(scores, scores)
def test_improvement_counts_pairs_and_ties_by_half(x: np.ndarray, y: np.ndarray) -> None:
    pairs = [(a > b) + 0.5 * (a == b) for a in x for b in y]
    assert probability_of_improvement([x], [y]) == pytest.approx(sum(pairs) / len(pairs))
    assert probability_of_improvement([x], [y]) + probability_of_improvement(
        [y], [x]
    ) == pytest.approx(1.0)


def test_an_interval_covers_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(100):
        strata = [rng.normal(task, 1.0, 30) for task in range(2)]
        interval = bootstrap(pooled_iqm, strata, seed=trial, n=200)
        assert interval.low <= interval.estimate <= interval.high
        # The middle half of the two tasks' mixture lies symmetrically round ½.
        hits += interval.low <= 0.5 <= interval.high
    assert hits >= 85


def test_the_strata_are_resampled_among_themselves() -> None:
    strata = [np.zeros(5), np.ones(5)]
    means: list[float] = []

    def mean_of_means(resampled: Strata) -> float:
        means.append(float(np.mean([scores.mean() for scores in resampled])))
        return means[-1]

    bootstrap(mean_of_means, strata, n=50)
    assert set(means) == {0.5}


def test_two_conditions_that_never_tie_have_a_sure_winner() -> None:
    interval = bootstrap_two(probability_of_improvement, [np.ones(4)], [np.zeros(4)], n=50)
    assert (interval.low, interval.estimate, interval.high) == (1.0, 1.0, 1.0)
