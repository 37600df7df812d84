"""How sure a short window lets one be: quantiles and bounds behind `signals="sound"`."""

import math
from collections.abc import Sequence

from optix_core.student_t import student_quantile
from optix_evolve import short_window
from optix_evolve.score_window import ScoreWindow
from optix_evolve.short_window import MIN_FOR_RESIDUALS, LineFit

Z_95 = 1.6448536269514722
"""95 % quantile of the normal distribution."""

MIN_PAIRS = 10
"""With fewer pairs a correlation says nothing: at n = 9 chance alone gives |r| > 0.58."""


def student_95(df: int) -> float:
    """95 % quantile of Student's t; df is not negative, and 0 gives infinity."""
    return student_quantile(0.95, float(df))


def trend_evidence(fit: LineFit) -> float:
    """The slope's t value over its 95 % quantile: above 1 the scores are shown to rise.

    Signed; 0.0 for fewer than 3 scores or a flat line, infinite for a perfect one.
    """
    if fit.n < MIN_FOR_RESIDUALS or fit.slope == 0.0:
        return 0.0
    if fit.slope_se == 0.0:
        return math.copysign(math.inf, fit.slope)
    return fit.slope / fit.slope_se / student_95(fit.n - 2)


def correlation_upper_bound(window: ScoreWindow) -> float | None:
    """95 % upper bound of the correlation of training and validation scores, by Fisher's z.

    Returns:
        r_U = tanh(atanh r + 1.645 / √(n − 3)). None where nothing can be said: fewer than
        `MIN_PAIRS` pairs, a constant series, or validation scores whose signal has less variance
        than their noise.
    """
    n = len(window.val)
    r = short_window.correlation(window.train, window.val)
    if n < MIN_PAIRS or math.isnan(r) or _is_mostly_noise(window.val, window.score_ses):
        return None
    inside = min(max(r, -1 + 1e-15), 1 - 1e-15)
    return math.tanh(math.atanh(inside) + Z_95 / math.sqrt(n - 3))


def noise_sd(scores: Sequence[float], standard_errors: Sequence[float]) -> float:
    """Standard deviation of one score's noise: from its standard errors, else round the trend."""
    if standard_errors:
        scale = max(standard_errors)
        if scale == 0.0:
            return 0.0
        squares = sum((se / scale) * (se / scale) for se in standard_errors)
        return scale * math.sqrt(squares / len(standard_errors))
    factor = short_window.power_of_two(scores)
    fit = short_window.fit_line(scores)
    if fit is None or factor is None or fit.n < MIN_FOR_RESIDUALS:
        return 0.0
    return fit.residual_sd * math.sqrt(fit.n / (fit.n - 2)) / factor


def _is_mostly_noise(val: Sequence[float], standard_errors: Sequence[float]) -> bool:
    factor = short_window.power_of_two(val)
    fit = short_window.fit_line(val)
    if fit is None or factor is None:
        return True
    noise = factor * noise_sd(val, standard_errors)
    return fit.sd * fit.sd < 2 * noise * noise
