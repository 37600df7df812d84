"""Whether scores rise: against least squares by hand, and where nothing can be told."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core import EvalMetrics
from optix_core.optimizers.score_rise import FEWEST, is_rising, taken_together
from optix_core.plateau_fit import fit_plateau

SCORES = st.lists(st.floats(-1e6, 1e6), min_size=FEWEST, max_size=30)


def of(scores: list[float]) -> list[EvalMetrics]:
    return [EvalMetrics(score, {}, i) for i, score in enumerate(scores)]


def test_too_few_scores_get_the_benefit_of_the_doubt() -> None:
    assert is_rising([])
    assert is_rising(of([5.0, 4.0, 3.0, 2.0]))
    assert is_rising(of([5.0, 4.0, 3.0, math.nan, 2.0]))
    assert not is_rising(of([5.0, 4.0, 3.0, 2.0, 1.0]))


def test_equal_scores_do_not_rise_and_a_line_does() -> None:
    assert not is_rising(of([-500.0] * 8))
    assert is_rising(of([1.0, 2.0, 3.0, 4.0, 5.0]))


@given(SCORES)
def test_a_rise_is_a_slope_of_more_than_1_28_errors(scores: list[float]) -> None:
    fit = fit_plateau(range(len(scores)), scores)
    assert fit is not None
    assert is_rising(of(scores)) == (fit.slope > 1.28 * fit.slope_se)


def test_noise_seldom_looks_like_a_rise() -> None:
    rng = np.random.default_rng(0)
    share = np.mean([is_rising(of(list(rng.normal(size=10)))) for _ in range(2000)])
    assert 0.02 < share < 0.15


def test_scores_that_rise_by_their_noise_a_window_are_seen() -> None:
    rng = np.random.default_rng(1)
    rises = [is_rising(of(list(np.arange(8) + rng.normal(size=8)))) for _ in range(500)]
    assert np.mean(rises) > 0.9


def test_scores_are_taken_together_by_their_episodes() -> None:
    one = EvalMetrics(1.0, {"n_episodes": 2, "score_se": 0.5}, 3)
    other = EvalMetrics(4.0, {"n_episodes": 4, "score_se": 0.25}, 4)
    together = taken_together([one, EvalMetrics(100.0), other])
    assert together.primary_score == pytest.approx(3.0)
    assert together.n_episodes == 6
    # Of the six returns: within 2 · 0.5² · 1 + 4 · 0.25² · 3, between 2 · 2² + 4 · 1².
    assert together.score_se == pytest.approx(math.sqrt((0.5 + 0.75 + 12.0) / 5 / 6))


def test_without_evidence_the_newest_score_stands() -> None:
    newest = EvalMetrics(2.0)
    assert taken_together([EvalMetrics(1.0), newest]) is newest
