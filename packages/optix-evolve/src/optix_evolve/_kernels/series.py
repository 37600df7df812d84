"""Slope, correlation and three-signal noise of many score windows at once, one window a row.

Each is exact to rounding whatever the offset of the scores: differences of scores come first,
sums after. Ranges that would overflow or underflow are tried again on scaled scores.
"""

import math

import numpy as np
from numpy.typing import NDArray

from optix_evolve._kernels._jit import kernel, parallel_kernel, prange

FloatArray = NDArray[np.float64]

# Constants are compiled in; the cache sees only this file, so they are not shared with others.
MIN_FOR_SLOPE = 2
LARGE, SMALL = 1e100, 1e-100  # beyond these, squares of scores may leave the range of a float
LEAST_SQUARES, MOST_SQUARES = 1e-150, 1e150  # their product must not leave it either


# Both slope kernels hold the common case in their own loop: as a function it takes twice as long.


@kernel
def slopes(series: FloatArray) -> FloatArray:
    """Least-squares slope of each row against its index; 0.0 where a row has none."""
    rows, n = series.shape
    result = np.zeros(rows)
    if n < MIN_FOR_SLOPE:
        return result
    unit = 6.0 / (float(n) * (float(n) * float(n) - 1.0))
    for row in range(rows):
        rise = 0.0
        for k in range(n // 2):
            rise += (n - 1 - 2 * k) * (series[row, n - 1 - k] - series[row, k])
        slope = (rise + 0.0 * series[row, n // 2]) * unit
        result[row] = slope if math.isfinite(slope) else _careful_slope(series[row])
    return result


@parallel_kernel
def slopes_parallel(series: FloatArray) -> FloatArray:
    """As `slopes`, on all threads."""
    rows, n = series.shape
    result = np.zeros(rows)
    if n < MIN_FOR_SLOPE:
        return result
    unit = 6.0 / (float(n) * (float(n) * float(n) - 1.0))
    for row in prange(rows):
        rise = 0.0
        for k in range(n // 2):
            rise += (n - 1 - 2 * k) * (series[row, n - 1 - k] - series[row, k])
        slope = (rise + 0.0 * series[row, n // 2]) * unit
        result[row] = slope if math.isfinite(slope) else _careful_slope(series[row])
    return result


@kernel
def correlations(first: FloatArray, second: FloatArray) -> FloatArray:
    """Pearson's r of each pair of rows; NaN where it is not defined."""
    result = np.empty(first.shape[0])
    for row in range(first.shape[0]):
        result[row] = _correlation(first[row], second[row])
    return result


@kernel
def noise_scales(
    scores: FloatArray, train: FloatArray, val: FloatArray, limits: FloatArray
) -> FloatArray:
    """Three-signal noise of each row; `limits` is [min_scale, max_scale, max_slope]."""
    result = np.empty(scores.shape[0])
    for row in range(scores.shape[0]):
        progress = min(max(_relative_slope(scores[row]) / limits[2], 0.0), 1.0)
        gap = _gap_penalty(train[row], val[row])
        r = _correlation(train[row], val[row])
        corr = 0.0 if math.isnan(r) else min(max(1.0 - r, 0.0), 1.0)
        health = progress * (1.0 - 0.5 * gap) * (1.0 - 0.5 * corr)
        result[row] = limits[1] - health * (limits[1] - limits[0])
    return result


@kernel
def _careful_slope(y: FloatArray) -> float:
    # Where the sums overflow: 0.0 for scores that are not finite, else as near as a float comes.
    factor = _factor(y)
    if factor == 0.0:
        return 0.0
    slope = _scaled_slope(y, factor) / factor
    return min(max(slope, -1.7976931348623157e308), 1.7976931348623157e308)


@kernel
def _scaled_slope(y: FloatArray, factor: float) -> float:
    # Pairs from both ends, Σ (n−1−2k)(y₍ₙ₋₁₋ₖ₎ − yₖ), need no mean: exact at any offset, and the
    # slope of a reversed series is the negated slope to the last bit. The middle has weight zero,
    # but NaN there must show.
    n = y.size
    rise = 0.0
    for k in range(n // 2):
        rise += (n - 1 - 2 * k) * (factor * y[n - 1 - k] - factor * y[k])
    return (rise + 0.0 * y[n // 2]) * (6.0 / (float(n) * (float(n) * float(n) - 1.0)))


@kernel
def _factor(y: FloatArray) -> float:
    # A power of two that keeps squares of y in range; 0.0 if y is empty or not finite.
    largest = 0.0 if y.size else math.inf
    for i in range(y.size):
        size = abs(y[i])
        if not math.isfinite(size):
            return 0.0
        largest = max(largest, size)
    if largest == math.inf:
        return 0.0
    if largest > LARGE:
        return 2.0**-700
    return 2.0**700 if largest < SMALL else 1.0


@kernel
def _correlation(x: FloatArray, y: FloatArray) -> float:
    if x.size < MIN_FOR_SLOPE:
        return math.nan
    r = _scaled_correlation(x, y, (1.0, 1.0), (1.0, 1.0))
    if not math.isnan(r):
        return r
    factor_x, factor_y = _factor(x), _factor(y)
    if factor_x == 0.0 or factor_y == 0.0:
        return math.nan
    width_x, width_y = _width(x, factor_x), _width(y, factor_y)
    if width_x == 0.0 or width_y == 0.0:
        return math.nan
    return _scaled_correlation(x, y, (factor_x, 1.0 / width_x), (factor_y, 1.0 / width_y))


@kernel
def _width(y: FloatArray, factor: float) -> float:
    width = 0.0
    for i in range(y.size):
        width = max(width, abs(factor * y[i] - factor * y[0]))
    return width


@kernel
def _scaled_correlation(
    x: FloatArray, y: FloatArray, scale_x: tuple[float, float], scale_y: tuple[float, float]
) -> float:
    # Shift by the first score, then two passes; NaN where the sums of squares leave their range.
    n = x.size
    factor_x, inverse_x = scale_x
    factor_y, inverse_y = scale_y
    x0, y0 = factor_x * x[0], factor_y * y[0]
    mean_x, mean_y = 0.0, 0.0
    for i in range(n):
        mean_x += (factor_x * x[i] - x0) * inverse_x
        mean_y += (factor_y * y[i] - y0) * inverse_y
    mean_x /= n
    mean_y /= n
    sum_xx, sum_yy, sum_xy = 0.0, 0.0, 0.0
    for i in range(n):
        dx = (factor_x * x[i] - x0) * inverse_x - mean_x
        dy = (factor_y * y[i] - y0) * inverse_y - mean_y
        sum_xx += dx * dx
        sum_yy += dy * dy
        sum_xy += dx * dy
    if min(sum_xx, sum_yy) <= LEAST_SQUARES or not max(sum_xx, sum_yy) < MOST_SQUARES:
        return math.nan
    return min(max(sum_xy / math.sqrt(sum_xx * sum_yy), -1.0), 1.0)


@kernel
def _relative_slope(y: FloatArray) -> float:
    # Slope in units of max(|mean|, sd); it does not depend on the scale of y.
    n = y.size
    factor = _factor(y)
    if n < MIN_FOR_SLOPE or factor == 0.0:
        return 0.0
    y0 = factor * y[0]
    shift = 0.0
    for i in range(n):
        shift += factor * y[i] - y0
    shift /= n
    squares = 0.0
    for i in range(n):
        deviation = (factor * y[i] - y0) - shift
        squares += deviation * deviation
    unit = max(abs(y0 + shift), math.sqrt(squares / n))
    return _scaled_slope(y, factor) / unit if unit > 0.0 else 0.0


@kernel
def _gap_penalty(train: FloatArray, val: FloatArray) -> float:
    factor = min(_factor(train), _factor(val))
    if factor == 0.0:
        return 0.0
    gap, level = 0.0, 0.0
    for i in range(val.size):
        gap += factor * train[i] - factor * val[i]
        level += factor * val[i] - factor * val[0]
    gap /= val.size
    level = abs(factor * val[0] + level / val.size)
    if gap <= 0.0:
        return 0.0
    # gap ≥ level covers a mean of zero, where the quotient would have no value.
    return 1.0 if gap >= level else gap / level
