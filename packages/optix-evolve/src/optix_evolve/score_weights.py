"""From rolling scores to the weights of an ensemble: arithmetic only."""

import math
from collections.abc import Sequence


def weights_from_scores(score_windows: Sequence[Sequence[float]]) -> list[float]:
    """Weights with mean 1, one for each member's recent scores.

    Where every mean score is positive, weights are proportional to it: wᵢ ∝ mᵢ.

    Otherwise proportions mean nothing, and the rule depends on differences alone: wᵢ ∝ exp(zᵢ),
    zᵢ = (mᵢ − m̄) / √(s² + seᵢ²), with s the standard deviation between the members' means and
    seᵢ the standard error of the member's own. Adding a constant to scores some of which are
    negative before and after changes no weight, and neither does a change of their unit. A member
    of few or scattered scores is drawn towards weight 1.

    Args:
        score_windows: finite scores of each member, at least one each, in any order.

    Returns:
        Positive weights. All 1 where all means are equal.
    """
    if not score_windows:
        return []
    largest = max(abs(score) for window in score_windows for score in window)
    if largest == 0.0:
        return [1.0] * len(score_windows)
    # Weights do not depend on the unit: in units of the largest score nothing overflows.
    windows = [[score / largest for score in window] for window in score_windows]
    means = [_mean(window) for window in windows]
    raw = means if min(means) > 0 else _from_differences(windows)
    total = math.fsum(raw)
    return [len(raw) * weight / total for weight in raw]


def mean_score(scores: Sequence[float]) -> float:
    """Mean of finite scores; exact to rounding and never beyond the highest or lowest."""
    largest = max(abs(score) for score in scores)
    return largest * _mean([score / largest for score in scores]) if largest else 0.0


def _from_differences(windows: Sequence[Sequence[float]]) -> list[float]:
    # Measured from one score, so that a common offset is gone before anything is rounded.
    origin = windows[0][0]
    shifted = [[score - origin for score in window] for window in windows]
    means = [_mean(window) for window in shifted]
    middle = _mean(means)
    between = _mean([(mean - middle) * (mean - middle) for mean in means])
    exponents = [
        _ratio(mean - middle, math.sqrt(between + _squared_standard_error(window)))
        for mean, window in zip(means, shifted, strict=True)
    ]
    return [math.exp(exponent) for exponent in exponents]


def _squared_standard_error(window: Sequence[float]) -> float:
    n = len(window)
    if n < 2:  # noqa: PLR2004  one score has no spread
        return 0.0
    mean = _mean(window)
    return math.fsum((score - mean) * (score - mean) for score in window) / (n * (n - 1))


def _ratio(difference: float, spread: float) -> float:
    return difference / spread if spread > 0 else 0.0


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
