"""Statistics of one short window of scores in plain Python: the control loop pays for no compiler.

For ten scores these take a microsecond or two; loading numba takes more than a second. Many
windows at once: `signals`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul

LARGEST = 1.7976931348623157e308
LARGE, SMALL = 1e100, 1e-100  # beyond these, squares may leave the range of a float
LEAST_SQUARES, MOST_SQUARES = 1e-150, 1e150  # and within these, the product of two sums does not
MIN_FOR_SLOPE = 2
MIN_FOR_RESIDUALS = 3
"""Two scores always lie on a line: only a third shows noise."""


def line_slope(scores: Sequence[float]) -> float:
    """Least-squares slope against the index; 0.0 for fewer than two or non-finite scores.

    Written as Σ (n−1−2k)(s₍ₙ₋₁₋ₖ₎ − sₖ) over pairs from both ends, so that an offset cancels
    before anything is rounded.
    """
    n = len(scores)
    if n < MIN_FOR_SLOPE:
        return 0.0
    rise = 0.0 * scores[n // 2]  # its weight is zero, but NaN there must show
    weight = n - 1
    for low, high in zip(scores[: n // 2], scores[::-1], strict=False):
        rise += weight * (high - low)
        weight -= 2
    slope = rise * (6.0 / (n * (n * n - 1.0)))
    return slope if math.isfinite(slope) else _slope_of_extremes(scores)


def correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Pearson's r; NaN where it has no value: fewer than two scores, a constant, non-finite."""
    if len(first) < MIN_FOR_SLOPE:
        return math.nan
    r = _r_of_deviations(_deviations(first), _deviations(second))
    if r == r:  # noqa: PLR0124  not NaN
        return r
    unit_x, unit_y = _in_units_of_width(first), _in_units_of_width(second)
    if unit_x is None or unit_y is None:
        return math.nan
    return _r_of_deviations(_deviations(unit_x), _deviations(unit_y))


def power_of_two(*series: Sequence[float]) -> float | None:
    """A factor that keeps squares of these scores in range; None if one is not finite.

    Exact to multiply with; 1.0 for scores of any usual size.
    """
    largest = 0.0
    for scores in series:
        for score in scores:
            if not math.isfinite(score):
                return None
            largest = max(largest, abs(score))
    if largest > LARGE:
        return 2.0**-700
    return 2.0**700 if largest < SMALL else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFit:
    """A least-squares line through a window; every number scaled by one common factor.

    Only quotients of these numbers mean anything, and those do not depend on the factor.
    """

    n: int
    slope: float
    """Score per evaluation."""
    mean: float
    sd: float
    """Population standard deviation of the scores."""
    residual_sd: float
    """Population standard deviation round the line."""

    @property
    def unit(self) -> float:
        """max(|mean|, sd), in which slopes and deviations are expressed."""
        return max(abs(self.mean), self.sd)

    @property
    def slope_se(self) -> float:
        """Standard error of the slope, n − 2 degrees of freedom; infinite for n < 3."""
        if self.n < MIN_FOR_RESIDUALS:
            return math.inf
        spread = self.n * (self.n * self.n - 1.0) / 12.0
        return self.residual_sd * math.sqrt(self.n / ((self.n - 2) * spread))


def fit_line(scores: Sequence[float]) -> LineFit | None:
    """Fit a line; None without scores and where one of them is not finite."""
    factor = power_of_two(scores)
    if factor is None or not scores:
        return None
    n = len(scores)
    shifted = [factor * score - factor * scores[0] for score in scores]
    slope = line_slope(shifted)
    shift = sum(shifted) / n
    middle = (n - 1) / 2
    deviations = [value - shift for value in shifted]
    residuals = [deviation - slope * (i - middle) for i, deviation in enumerate(deviations)]
    return LineFit(
        n=n,
        slope=slope,
        mean=factor * scores[0] + shift,
        sd=_root_mean_square(deviations),
        residual_sd=_root_mean_square(residuals),
    )


def _slope_of_extremes(scores: Sequence[float]) -> float:
    factor = power_of_two(scores)
    if factor is None:
        return 0.0
    slope = line_slope([factor * score for score in scores]) / factor
    return min(max(slope, -LARGEST), LARGEST)


def _deviations(scores: Sequence[float]) -> list[float]:
    # Shifted by the first score before the mean is taken, so that an offset costs no digits.
    first = scores[0]
    shifted = [score - first for score in scores]
    mean = sum(shifted) / len(shifted)
    return [value - mean for value in shifted]


def _r_of_deviations(dx: list[float], dy: list[float]) -> float:
    sum_xx = sum(map(mul, dx, dx))
    sum_yy = sum(map(mul, dy, dy))
    if not (LEAST_SQUARES < sum_xx < MOST_SQUARES and LEAST_SQUARES < sum_yy < MOST_SQUARES):
        return math.nan
    r = sum(map(mul, dx, dy)) / math.sqrt(sum_xx * sum_yy)
    return min(max(r, -1.0), 1.0)


def _in_units_of_width(scores: Sequence[float]) -> list[float] | None:
    factor = power_of_two(scores)
    if factor is None:
        return None
    first = factor * scores[0]
    shifted = [factor * score - first for score in scores]
    width = max(map(abs, shifted))
    return [value / width for value in shifted] if width else None


def _root_mean_square(values: Sequence[float]) -> float:
    return math.sqrt(sum(value * value for value in values) / len(values))
