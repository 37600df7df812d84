"""What it takes for one branch to count as better than another."""

import math

from optix_core.eval_metrics import EvalMetrics
from optix_core.mean_comparison import MeanEvidence, welch_p

LEVEL = 0.1
"""One-sided; a wrong move costs a branch, not the best policy, which has a test of its own."""

_CERTAIN = 1e6
"""Effect of a difference between two constants."""


def is_proven_better(candidate: EvalMetrics, incumbent: EvalMetrics) -> bool:
    """Whether Welch's one-sided test puts the candidate above the incumbent, p < 0.1.

    Equal samples prove nothing, nor does a score without evidence or one that is not finite; but
    a score with evidence is better than one that is not finite.
    """
    one, other = MeanEvidence.of(candidate), MeanEvidence.of(incumbent)
    if one is None:
        return False
    if other is None:
        return not incumbent.is_finite
    return welch_p(one, other) < LEVEL


def effect_size(one: EvalMetrics, other: EvalMetrics) -> float:
    """|m₁ − m₂| in units of √(se₁² + se₂²); 0 where either has no evidence or nothing differs."""
    first, second = MeanEvidence.of(one), MeanEvidence.of(other)
    if first is None or second is None or first.mean == second.mean:
        return 0.0
    spread = math.hypot(first.se, second.se)
    difference = abs(first.mean - second.mean)
    return min(difference / spread, _CERTAIN) if spread > 0.0 else _CERTAIN


def order_of(metrics: EvalMetrics) -> float:
    """What scores are ranked by: those that are not finite below all others."""
    return metrics.primary_score if metrics.is_finite else -math.inf
