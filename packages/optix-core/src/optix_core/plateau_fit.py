"""A line through the last scores of a run, and by how much they may still be rising."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optix_core.student_t import student_quantile

MAX_AUTOCORRELATION = 0.9
_MIN_FOR_RESIDUALS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateauFit:
    """The line, and how sure it is."""

    n: int
    """Evaluations it goes through."""
    span: float
    """Windows that they stand for: last - first window, times n / (n - 1)."""
    level: float
    """Mean score."""
    slope: float
    """b, score per window."""
    slope_se: float
    """Its standard error, corrected for autocorrelation."""
    autocorrelation: float
    """Of residuals, lag 1, in [0, 0.9]."""
    df: float
    """Degrees of freedom left by it; may be negative."""
    residual_sd: float
    """Standard deviation of a score round the line."""

    def gain_bound(self, level: float) -> float:
        """Upper bound of what the scores gained over the span: (b + t_level · SE) · span.

        Infinite with less than one degree of freedom, unless the scores lie on the line.
        """
        if self.slope_se == 0.0:
            return self.slope * self.span
        if self.df < 1.0:
            return math.inf
        # Whole degrees of freedom, on the side of caution: their quantiles are remembered.
        quantile = student_quantile(level, math.floor(self.df))
        return (self.slope + quantile * self.slope_se) * self.span


def fit_plateau(windows: Sequence[int], scores: Sequence[float]) -> PlateauFit | None:
    """Fit scores against their windows, which need not be equally spaced, by least squares.

    b = Σ (w - w̄)(s - s̄) / Σ (w - w̄)², SE² = Σ e² / (n - 2) / Σ (w - w̄)². With ρ the lag-1
    autocorrelation of the residuals e, clipped to [0, 0.9], SE is multiplied by
    √((1 + ρ) / (1 - ρ)) and the degrees of freedom are n (1 - ρ) / (1 + ρ) - 2.

    Args:
        windows: numbers of the evaluated windows, rising.
        scores: their scores, finite, as many.

    Returns:
        None for fewer than 3 evaluations. Equal scores give slope, error and ρ of exactly 0.

    References:
        Bayley and Hammersley, The effective number of independent observations in an
        autocorrelated time series, 1946.
    """
    n = len(windows)
    if n < _MIN_FOR_RESIDUALS:
        return None
    w, s = np.asarray(windows, np.float64), np.asarray(scores, np.float64)
    # Dividing first keeps squares of huge scores finite, and equal scores equal.
    scale = float(np.max(np.abs(s))) or 1.0
    s = s / scale
    level = float(s[0]) if np.all(s == s[0]) else float(s.mean())
    dw, ds = w - w.mean(), s - level
    square = float(dw @ dw)
    slope = float(dw @ ds) / square
    residuals = ds - slope * dw
    sse = float(residuals @ residuals)
    rho = 0.0
    if sse > 0.0:
        rho = float(residuals[1:] @ residuals[:-1]) / sse
        rho = min(max(rho, 0.0), MAX_AUTOCORRELATION)
    variance = sse / (n - 2)
    inflation = (1.0 + rho) / (1.0 - rho)
    return PlateauFit(
        n=n,
        span=float(w[-1] - w[0]) * n / (n - 1),
        level=scale * level,
        slope=scale * slope,
        slope_se=scale * math.sqrt(variance / square * inflation),
        autocorrelation=rho,
        df=n / inflation - 2.0,
        residual_sd=scale * math.sqrt(variance),
    )
