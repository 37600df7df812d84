"""What a converged run amounts to: did it ever rise above where it began?"""

import math
from collections.abc import Sequence
from statistics import NormalDist, mean

from optix_core.decisions import Stop, StopReason
from optix_core.eval_metrics import EvalMetrics
from optix_core.policy_snapshot import PolicySnapshot

_LEVEL = 0.05
_MIN_EPISODES = 2
_UNKNOWN_CHOICE = 4096
"""How many evaluations a history keeps: the cautious guess where nobody counted."""


def judge_convergence(
    first: Sequence[EvalMetrics],
    best: PolicySnapshot | None,
    n_evaluations: int,
    n_without_improvement: int,
) -> Stop:
    """Return what to call a run that has become DORMANT: converged, or without improvement.

    Args:
        first: the first evaluations of the run.
        best: the best policy; None, where no score was finite, is no improvement.
        n_evaluations: how many there were.
        n_without_improvement: how many in a row were no better than the best.
    """
    if best is None or never_rose(first, best.eval_metrics, n_evaluations):
        return Stop(StopReason.NO_IMPROVEMENT, _no_rise(first, best))
    detail = f"no improvement in {n_without_improvement} evaluations in a row"
    return Stop(StopReason.CONVERGED, detail)


def never_rose(
    first: Sequence[EvalMetrics],
    best: EvalMetrics,
    n_evaluations: int = _UNKNOWN_CHOICE,
) -> bool:
    """Whether there is no evidence that the best evaluation lies above the first ones.

    One-sided test in Welch's form, z = (s_best − s̄) / √(se_best² + Σ seᵢ²/m²), with s̄ the mean of
    the m first scores. The best of k noisy scores lies high by luck alone, so it must pass the
    normal quantile of 1 − α_k with α_k = 1 − (1 − 0.05)^(1/k) (Šidák). Equality never passes.

    A score that is the same for ever (−500 with an error of 0) did not rise. Nor did, by this
    definition, a run whose first evaluations stood at the ceiling: nothing was improved, however
    good it is. Without errors, any higher score passes.

    Args:
        first: the first evaluations of the run; those without evidence (two episodes at least,
            a finite score and error) are left out.
        best: the best evaluation of the run.
        n_evaluations: k, of how many the best is the best; values below 1 count as 1.

    Returns:
        False, no such verdict, also where `best` or all of `first` are without evidence.
    """
    beginnings = [_evidence(metrics) for metrics in first]
    known = [evidence for evidence in beginnings if evidence is not None]
    end = _evidence(best)
    if end is None or not known:
        return False
    # An exact mean: rounding must not lift one of equal scores above the others.
    base_score = mean(score for score, _ in known)
    base_error = math.hypot(*(error / len(known) for _, error in known))
    rise = end[0] - base_score
    return rise <= _quantile(n_evaluations) * math.hypot(end[1], base_error)


def _no_rise(first: Sequence[EvalMetrics], best: PolicySnapshot | None) -> str:
    if best is None:
        return "no score was finite"
    scores = [metrics.primary_score for metrics in first if metrics.is_finite]
    begun = f" ({mean(scores):.4g})" if scores else ""
    reached = f" ({best.eval_metrics.primary_score:.4g})"
    return f"no evidence that the best{reached} ever rose above the first evaluations{begun}"


def _evidence(metrics: EvalMetrics) -> tuple[float, float] | None:
    n_episodes, error = metrics.n_episodes, metrics.score_se
    if n_episodes is None or n_episodes < _MIN_EPISODES or error is None:
        return None
    is_usable = metrics.is_finite and math.isfinite(error) and error >= 0.0
    return (metrics.primary_score, error) if is_usable else None


def _quantile(n_evaluations: int) -> float:
    # −expm1(log1p(…)) keeps the digits of a tiny α, which 1 − 0.95^(1/k) would lose.
    tail = -math.expm1(math.log1p(-_LEVEL) / max(1, n_evaluations))
    return -NormalDist().inv_cdf(tail)
