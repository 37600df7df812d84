"""The verdict "no improvement": given only on evidence, and rarely wrong by luck."""

import math

import numpy as np
import pytest

from optix_core.eval_metrics import EvalMetrics, MetricValue
from optix_core.verdict import never_rose


def scored(score: float, error: float = 0.0, n_episodes: int = 10) -> EvalMetrics:
    evidence: dict[str, MetricValue] = {"n_episodes": n_episodes, "score_se": error}
    return EvalMetrics(score, evidence)


def test_a_constant_score_never_rose() -> None:
    assert never_rose([scored(-500.0)] * 5, scored(-500.0))
    assert never_rose([scored(-0.1)] * 3, scored(-0.1))


def test_a_run_that_began_at_the_ceiling_never_rose() -> None:
    assert never_rose([scored(500.0)] * 5, scored(500.0))


def test_learning_rose() -> None:
    first = [scored(20.0, 3.0), scored(25.0, 4.0), scored(60.0, 9.0)]
    assert not never_rose(first, scored(480.0, 12.0))


def test_without_errors_any_higher_score_rose() -> None:
    assert not never_rose([scored(-500.0)] * 5, scored(-499.0))


def test_a_lower_best_never_rose() -> None:
    assert never_rose([scored(10.0, 1.0)], scored(5.0, 1.0))


@pytest.mark.parametrize(
    ("n_evaluations", "quantile"), [(1, 1.6449), (10, 2.5679), (100, 3.2830), (0, 1.6449)]
)
def test_the_quantile_grows_with_the_number_of_evaluations(
    n_evaluations: int, quantile: float
) -> None:
    first = [scored(0.0, 3.0)]
    error = math.hypot(3.0, 4.0)
    below, above = quantile - 1e-3, quantile + 1e-3
    assert never_rose(first, scored(below * error, 4.0), n_evaluations=n_evaluations)
    assert not never_rose(first, scored(above * error, 4.0), n_evaluations=n_evaluations)


def test_errors_of_the_first_evaluations_average_out() -> None:
    first = [scored(0.0, 4.0)] * 4  # together: mean 0, error 2
    assert never_rose(first, scored(1.64 * 2.0), n_evaluations=1)
    assert not never_rose(first, scored(1.65 * 2.0), n_evaluations=1)


def test_without_evidence_there_is_no_verdict() -> None:
    known = scored(1.0, 0.5)
    for unknown in (
        EvalMetrics(1.0),
        EvalMetrics(1.0, {"n_episodes": 4}),
        scored(1.0, math.nan),
        scored(1.0, 0.5, n_episodes=1),
        scored(math.nan, 0.5),
    ):
        assert not never_rose([known], unknown)
        assert not never_rose([unknown], known)
        assert never_rose([unknown, known], known)
    assert not never_rose([], known)


def test_a_policy_that_learns_nothing_is_rarely_said_to_have_risen() -> None:
    rng = np.random.default_rng(0)
    n_runs, n_evaluations, n_episodes, wrong = 300, 60, 30, 0
    for _ in range(n_runs):
        returns = rng.normal(100.0, 20.0, (n_evaluations, n_episodes))
        errors = returns.std(axis=1, ddof=1) / math.sqrt(n_episodes)
        runs = [
            scored(float(mean), float(error), n_episodes)
            for mean, error in zip(returns.mean(axis=1), errors, strict=True)
        ]
        best = max(runs, key=lambda metrics: metrics.primary_score)
        wrong += not never_rose(runs[:5], best, n_evaluations=n_evaluations)
    assert wrong / n_runs < 0.08
