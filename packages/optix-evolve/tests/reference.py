"""The slow twins: each formula as written, in exact fractions or one number after the other."""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray


def slope(scores: Sequence[float]) -> float:
    """Σ (i − ī)(sᵢ − s̄) / Σ (i − ī)², without rounding until the end."""
    if len(scores) < 2 or not all(math.isfinite(score) for score in scores):
        return 0.0
    return as_float(_sum_of_products(range(len(scores)), scores) / _squares(range(len(scores))))


def correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Pearson's r; NaN where it is not defined."""
    if len(first) < 2 or not all(math.isfinite(score) for score in [*first, *second]):
        return math.nan
    sum_xx, sum_yy = _squares(first), _squares(second)
    if not sum_xx or not sum_yy:
        return math.nan
    sum_xy = _sum_of_products(first, second)
    r_squared = sum_xy * sum_xy / (sum_xx * sum_yy)
    return math.sqrt(r_squared) * (1 if sum_xy > 0 else -1)


def noise_scale(
    scores: Sequence[float], train: Sequence[float], val: Sequence[float], limits: Sequence[float]
) -> float:
    """The documented three-signal formula with its documented values for degenerate windows."""
    min_scale, max_scale, max_slope = limits
    t = min(max(_relative_slope(scores) / max_slope, 0.0), 1.0)
    r = correlation(train, val)
    corr_penalty = 0.0 if math.isnan(r) else min(max(1 - r, 0.0), 1.0)
    effective_t = t * (1 - 0.5 * _gap_penalty(train, val)) * (1 - 0.5 * corr_penalty)
    return max_scale - effective_t * (max_scale - min_scale)


def weighted_mean(outputs: NDArray[np.floating], weights: Sequence[float]) -> NDArray[np.float64]:
    """Σ wᵢ aᵢ / Σ wᵢ, one member after the other."""
    total = np.zeros(outputs.shape[1:])
    weights = [weight / max(weights) for weight in weights]
    for output, weight in zip(outputs, weights, strict=True):
        if weight:
            total += weight * output.astype(np.float64)
    return total / sum(weights)


def vote(actions: NDArray[np.integer], weights: Sequence[float]) -> NDArray[np.int64]:
    """The action of most weight at each place, the lowest of several; in exact fractions."""
    flat = actions.reshape(len(actions), -1)
    winners: list[int] = []
    for column in flat.T:
        tally: dict[int, Fraction] = {}
        for action, weight in zip(column.tolist(), weights, strict=True):
            tally[action] = tally.get(action, Fraction()) + Fraction(str(weight))
        winners.append(max(sorted(tally), key=lambda action: tally[action]))
    return np.array(winners, dtype=np.int64).reshape(actions.shape[1:])


def mean_softmax(logits: NDArray[np.floating], weights: Sequence[float]) -> NDArray[np.float64]:
    """Σ wᵢ softmax(logitsᵢ) / Σ wᵢ with the library's `exp`, row after row."""
    weights = [weight / max(weights) for weight in weights]
    rows = logits.reshape(len(logits), -1, logits.shape[-1]).astype(np.float64)
    result = np.zeros(rows.shape[1:])
    for member, weight in zip(rows, weights, strict=True):
        for row, one in enumerate(member):
            largest = max(one)
            powers = [math.exp(value - largest) for value in one]
            result[row] += np.array(powers) / math.fsum(powers) * weight / sum(weights)
    return result.reshape(logits.shape[1:])


def as_float(value: Fraction) -> float:
    """The nearest float; the largest one beyond the range."""
    try:
        return float(value)
    except OverflowError:
        return 1.7976931348623157e308 if value > 0 else -1.7976931348623157e308


def _relative_slope(scores: Sequence[float]) -> float:
    if len(scores) < 2 or not all(math.isfinite(score) for score in scores):
        return 0.0
    n = len(scores)
    mean = sum(map(Fraction, scores)) / n
    unit_squared = max(mean * mean, _squares(scores) / n)
    if not unit_squared:
        return 0.0
    steepness = _sum_of_products(range(n), scores) / _squares(range(n))
    # √ of a fraction far outside the floats: take the quotient first.
    return math.sqrt(steepness * steepness / unit_squared) * (1 if steepness > 0 else -1)


def _gap_penalty(train: Sequence[float], val: Sequence[float]) -> float:
    if not val or not all(math.isfinite(score) for score in [*train, *val]):
        return 0.0
    gap = sum(Fraction(a) - Fraction(b) for a, b in zip(train, val, strict=True))
    level = abs(sum(map(Fraction, val)))
    if gap <= 0:
        return 0.0
    return 1.0 if gap >= level else float(gap / level)


def _sum_of_products(first: Sequence[float], second: Sequence[float]) -> Fraction:
    n = len(first)
    mean_x, mean_y = (Fraction(sum(map(Fraction, values)), n) for values in (first, second))
    total = Fraction()
    for x, y in zip(first, second, strict=True):
        total += (Fraction(x) - mean_x) * (Fraction(y) - mean_y)
    return total


def _squares(values: Sequence[float]) -> Fraction:
    return _sum_of_products(values, values)
