"""Statistics of a few runs on a few tasks, as rliable defines them.

Runs are arrays of scores, one array a task. Intervals come from a bootstrap that resamples the runs
of each task among themselves (stratified), percentile method.

References:
    Agarwal et al., Deep Reinforcement Learning at the Edge of the Statistical Precipice, NeurIPS
    2021.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Strata = Sequence[FloatArray]
"""Scores [n_runs] of each task."""

N_RESAMPLES = 2_000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95 % bootstrap interval."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:.3f} ({self.low:.3f} to {self.high:.3f})"


def iqm(scores: FloatArray) -> float:
    """Interquartile mean: the mean of the middle half of the scores.

    Of n scores the lowest and the highest n / 4 are left out, fractions of a score by weight.

    Raises:
        ValueError: if there is no score.
    """
    n = len(scores)
    if n == 0:
        raise ValueError("the interquartile mean of no scores is undefined; give at least one")
    cut = n / 4
    ranks = np.arange(n)
    weights = np.clip(ranks + 1 - cut, 0.0, 1.0) * np.clip(n - cut - ranks, 0.0, 1.0)
    return float(np.sort(scores) @ weights / weights.sum())


def pooled_iqm(strata: Strata) -> float:
    """Interquartile mean over the runs of all tasks together."""
    return iqm(np.concatenate(list(strata)))


def pooled_mean(strata: Strata) -> float:
    """Mean over the tasks of their means."""
    return float(np.mean([scores.mean() for scores in strata]))


def worst_decile(strata: Strata) -> float:
    """10 % quantile over the runs of all tasks together, by linear interpolation."""
    return float(np.quantile(np.concatenate(list(strata)), 0.1))


def probability_of_improvement(ours: Strata, theirs: Strata) -> float:
    """Mean over the tasks of P(X > Y) + ½ P(X = Y), X a run of ours and Y one of theirs."""
    return float(np.mean([_wins(x, y) for x, y in zip(ours, theirs, strict=True)]))


def _wins(x: FloatArray, y: FloatArray) -> float:
    difference = x[:, np.newaxis] - y[np.newaxis, :]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def bootstrap(
    statistic: Callable[[Strata], float], strata: Strata, *, seed: int = 0, n: int = N_RESAMPLES
) -> Interval:
    """Estimate a statistic of one condition's runs.

    Paired comparisons pass differences, run by run.
    """
    rng = np.random.default_rng(seed)
    resampled = [statistic([_resample(scores, rng) for scores in strata]) for _ in range(n)]
    return _interval(statistic(strata), resampled)


def bootstrap_two(
    statistic: Callable[[Strata, Strata], float],
    ours: Strata,
    theirs: Strata,
    *,
    seed: int = 0,
    n: int = N_RESAMPLES,
) -> Interval:
    """Estimate a statistic of two conditions' runs, which are resampled independently."""
    rng = np.random.default_rng(seed)
    resampled = [
        statistic([_resample(x, rng) for x in ours], [_resample(y, rng) for y in theirs])
        for _ in range(n)
    ]
    return _interval(statistic(ours, theirs), resampled)


def _resample(scores: FloatArray, rng: np.random.Generator) -> FloatArray:
    return scores[rng.integers(len(scores), size=len(scores))]


def _interval(estimate: float, resampled: Sequence[float]) -> Interval:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return Interval(estimate, float(low), float(high))
