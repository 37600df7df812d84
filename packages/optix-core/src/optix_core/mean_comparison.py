"""Is one policy's mean return above another's? Tests for what evaluations know of each other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

from optix_core.eval_metrics import EvalMetrics
from optix_core.student_t import student_tail

MIN_EPISODES = 2
"""One episode has no standard error."""
LEVEL = 0.05
"""What a p-value must be below wherever evidence is asked for, save for a new best."""
PROMOTION_LEVEL = 0.02
"""What it must be below for a new best. A run asks dozens of times, so that 0.05 each time lets too
much luck pass: false promotions in 100 windows are 0.34 at 0.05 and 0.23 at 0.02, thirty fresh
episodes each time (`benchmarks/promotion.py`)."""
POWER = 0.8
"""With what probability a detectable effect is detected (Cohen's convention)."""


@dataclass(frozen=True, slots=True)
class MeanEvidence:
    """A mean of returns and what it rests on."""

    mean: float
    """Finite."""
    se: float
    """Its standard error, finite, at least 0."""
    n: int
    """Episodes, at least 2."""

    @classmethod
    def of(cls, metrics: EvalMetrics) -> Self | None:
        """Read the evidence of metrics; None where there is none that can be used.

        Usable are a finite score, at least two episodes and a finite standard error.
        """
        n, se = metrics.n_episodes, metrics.score_se
        if n is None or n < MIN_EPISODES or se is None or not metrics.is_finite:
            return None
        return cls(metrics.primary_score, se, n) if math.isfinite(se) and se >= 0.0 else None


def pooled(samples: Sequence[MeanEvidence]) -> MeanEvidence:
    """Return the evidence of several samples taken together, as if it were one.

    With nᵢ, mᵢ and sᵢ² = nᵢ seᵢ² of each: n = Σ nᵢ, m = Σ nᵢ mᵢ / n,
    se² = (Σ (nᵢ − 1) sᵢ² + Σ nᵢ (mᵢ − m)²) / (n − 1) / n.

    Args:
        samples: at least one.
    """
    n = sum(sample.n for sample in samples)
    mean = sum(sample.n / n * sample.mean for sample in samples)
    within = sum((sample.n - 1) * sample.n * sample.se**2 for sample in samples)
    between = sum(sample.n * (sample.mean - mean) ** 2 for sample in samples)
    return MeanEvidence(mean, math.sqrt((within + between) / (n - 1) / n), n)


def welch_p(candidate: MeanEvidence, incumbent: MeanEvidence) -> float:
    """One-sided p-value of "the candidate's mean is not above the incumbent's", by Welch's test.

    t = (m₁ − m₂)/√(se₁² + se₂²) against Student's t with
    df = (se₁² + se₂²)² / (se₁⁴/(n₁ − 1) + se₂⁴/(n₂ − 1)).

    Returns:
        In [0, 1]. Where both have no spread at all, 0 for a higher mean and 1 for any other: no
        evidence can be seen in equal constants.

    References:
        B. L. Welch, Biometrika 34, 1947.
    """
    scale = max(candidate.se, incumbent.se)
    difference = candidate.mean - incumbent.mean
    if scale == 0.0:
        return 0.0 if difference > 0.0 else 1.0
    # In units of the larger error: its square may be out of range.
    one, other = (candidate.se / scale) ** 2, (incumbent.se / scale) ** 2
    df = (one + other) ** 2 / (one**2 / (candidate.n - 1) + other**2 / (incumbent.n - 1))
    return student_tail(difference / scale / math.sqrt(one + other), df)


def paired_p(candidate: Sequence[float], incumbent: Sequence[float]) -> float:
    """One-sided p-value of "the candidate's mean is not above the incumbent's", by pairs.

    t = d̄ / (s_d/√n) of the differences dᵢ = candidateᵢ − incumbentᵢ, against Student's t with
    n − 1 degrees of freedom.

    Args:
        candidate: returns, one an episode.
        incumbent: returns on the same seeds in the same order.

    Returns:
        In [0, 1]. 1 for fewer than two pairs, unequal lengths or a return that is not finite.
        Where all differences are equal, 0 if they are above 0 and else 1.
    """
    differences = _differences(candidate, incumbent)
    if len(differences) < MIN_EPISODES or not all(map(math.isfinite, differences)):
        return 1.0
    if len(set(differences)) == 1:
        return 0.0 if differences[0] > 0.0 else 1.0
    mean, se = _mean_and_se(differences)
    return student_tail(mean / se, len(differences) - 1)


def minimum_detectable_effect(
    incumbent: MeanEvidence, n: int, level: float = PROMOTION_LEVEL
) -> float:
    """The true gain that n episodes of a candidate prove with probability 0.8.

    MDE = (z₁₋α + z₀.₈₀) · sd · √(1/n + 1/n_inc), with the incumbent's sd for both. Seeds in
    common make it smaller, by √(1 − ρ) where returns on one seed correlate by ρ.

    Args:
        incumbent: what is to be beaten.
        n: episodes of the candidate, at least 1.
        level: α, what the p-value must be below, in (0, 1).
    """
    sd = incumbent.se * math.sqrt(incumbent.n)
    return _power_factor(level) * sd * math.sqrt(1.0 / n + 1.0 / incumbent.n)


def paired_detectable_effect(
    candidate: Sequence[float], incumbent: Sequence[float], level: float = PROMOTION_LEVEL
) -> float:
    """The same for pairs: (z₁₋α + z₀.₈₀) · s_d/√n of the differences; NaN below two pairs."""
    differences = _differences(candidate, incumbent)
    if len(differences) < MIN_EPISODES:
        return math.nan
    return _power_factor(level) * _mean_and_se(differences)[1]


def _power_factor(level: float) -> float:
    return NormalDist().inv_cdf(1.0 - level) + NormalDist().inv_cdf(POWER)


def _differences(candidate: Sequence[float], incumbent: Sequence[float]) -> list[float]:
    if len(candidate) != len(incumbent):
        return []
    return [one - other for one, other in zip(candidate, incumbent, strict=True)]


def _mean_and_se(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard error; the error is above 0 unless all values are equal."""
    n = len(values)
    scale = max(map(abs, values)) or 1.0
    mean = math.fsum(value / scale for value in values) / n
    spread = math.fsum((value / scale - mean) ** 2 for value in values)
    return mean * scale, scale * math.sqrt(spread / (n - 1) / n)
