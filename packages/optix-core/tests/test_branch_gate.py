"""What counts as evidence between branches."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core import EvalMetrics
from optix_core.optimizers.branch_gate import effect_size, is_proven_better


def scored(score: float, se: float = 1.0, n: int = 8) -> EvalMetrics:
    return EvalMetrics(score, {"n_episodes": n, "score_se": se})


finite = st.floats(-1e6, 1e6)


@given(finite, st.floats(0.0, 1e3), st.integers(2, 50))
def test_equal_samples_prove_nothing(score: float, se: float, n: int) -> None:
    metrics = scored(score, se, n)
    assert not is_proven_better(metrics, metrics)
    assert effect_size(metrics, metrics) == 0.0


@given(finite, finite, st.floats(0.0, 1e3), st.floats(0.0, 1e3))
def test_two_scores_never_beat_each_other(one: float, other: float, se: float, se2: float) -> None:
    first, second = scored(one, se), scored(other, se2)
    assert not (is_proven_better(first, second) and is_proven_better(second, first))
    assert effect_size(first, second) == effect_size(second, first) >= 0.0


def test_a_difference_of_two_errors_is_proven_and_one_of_one_is_not() -> None:
    # One-sided 10 % quantile of t with 14 degrees of freedom: 1.345.
    assert is_proven_better(scored(1.36 * math.sqrt(2.0)), scored(0.0))
    assert not is_proven_better(scored(1.33 * math.sqrt(2.0)), scored(0.0))
    assert effect_size(scored(3.0), scored(0.0)) == pytest.approx(3.0 / math.sqrt(2.0))


def test_constants_that_differ_are_proven() -> None:
    assert is_proven_better(scored(500.0, 0.0), scored(499.0, 0.0))
    assert effect_size(scored(500.0, 0.0), scored(499.0, 0.0)) == 1e6


def test_a_score_without_evidence_proves_nothing_and_one_that_is_no_number_loses() -> None:
    bare, nothing = EvalMetrics(1e9), EvalMetrics(math.nan, {"n_episodes": 0, "score_se": math.nan})
    assert not is_proven_better(bare, scored(0.0))
    assert not is_proven_better(scored(1e9), bare)
    assert is_proven_better(scored(-1e9), nothing)
    assert not is_proven_better(nothing, scored(-1e9))
    assert effect_size(bare, scored(0.0)) == 0.0
