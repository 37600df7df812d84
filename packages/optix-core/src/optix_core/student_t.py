"""Student's t distribution: its upper tail and its quantiles, for any degrees of freedom."""

import math
from functools import lru_cache

from optix_core.errors import ConfigurationError

_MEDIAN = 0.5
_TINY = 1e-300
_PRECISION = 1e-15
_SERIES_FROM = 1000.0
"""From here on the first term left out, a⁻⁵/640, is below 1e-17."""
_MAX_TERMS = 10_000
_NORMAL_FROM = 1e10
"""Degrees of freedom from which t and the normal distribution agree to 10 digits."""


def student_tail(t: float, df: float) -> float:
    """Upper tail P(T > t) of Student's t with df degrees of freedom.

    P(T > t) = I_x(df/2, 1/2) / 2 with x = df/(df + t²) for t ≥ 0, and 1 − P(T > −t) below;
    I is the regularised incomplete beta function.

    Args:
        t: may be infinite; NaN gives NaN.
        df: above 0, need not be whole; infinite means the normal distribution.

    Returns:
        In [0, 1]; 12 digits are right where it is above 1e-300.

    Raises:
        ConfigurationError: if df is not above 0.

    References:
        Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.1 and 26.5.8.
    """
    if not df > 0.0:
        raise ConfigurationError(f"degrees of freedom must be above 0, got {df}")
    if math.isnan(t):
        return math.nan
    if t < 0.0:
        return 1.0 - student_tail(-t, df)
    if df >= _NORMAL_FROM:
        return 0.5 * math.erfc(t / math.sqrt(2.0))
    square = t * t
    if math.isinf(square):
        return 0.0
    return 0.5 * _incomplete_beta(df / (df + square), square / (df + square), 0.5 * df)


@lru_cache(maxsize=4096)
def student_quantile(p: float, df: float) -> float:
    """The t that is exceeded with probability 1 − p.

    Args:
        p: in [0, 1]; 0 and 1 give −∞ and ∞.
        df: not negative; 0 gives ∞, −∞ or, at p = 0.5, 0: without a degree of freedom nothing
            is known.

    Returns:
        By bisection of `student_tail`, right to 12 digits.

    Raises:
        ConfigurationError: if p is not in [0, 1] or df is negative.
    """
    if not 0.0 <= p <= 1.0:
        raise ConfigurationError(f"p must be in [0, 1], got {p}")
    if p < _MEDIAN:
        return -student_quantile(1.0 - p, df)
    if p == _MEDIAN:
        return 0.0
    if p == 1.0 or df == 0.0:
        return math.inf
    low, high = 0.0, 1.0
    while student_tail(high, df) > 1.0 - p:
        low, high = high, 2.0 * high
    while high - low > 1e-13 * high:
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (middle, high) if student_tail(middle, df) > 1.0 - p else (low, middle)
    return 0.5 * (low + high)


def _incomplete_beta(x: float, complement: float, a: float) -> float:
    """I_x(a, 1/2), with complement = 1 − x given apart: near x = 1 the difference has no digits."""
    b = 0.5
    if x <= 0.0:
        return 0.0
    if complement <= 0.0:
        return 1.0
    log_x = math.log(x) if x < complement else math.log1p(-complement)
    log_front = a * log_x + b * math.log(complement)
    front = math.exp(log_front + _log_gamma_step(a)) / math.sqrt(math.pi)
    # The fraction converges fast on one side of the mean; the symmetry gives the other.
    if x < (a + 1.0) / (a + b + 2.0):
        return min(1.0, front * _beta_fraction(x, a, b) / a)
    return max(0.0, 1.0 - front * _beta_fraction(complement, b, a) / b)


def _log_gamma_step(a: float) -> float:
    """Log Γ(a + 1/2) − log Γ(a); by its series where the difference of two would lose digits."""
    if a < _SERIES_FROM:
        return math.lgamma(a + 0.5) - math.lgamma(a)
    return 0.5 * math.log(a) - 1.0 / (8.0 * a) + 1.0 / (192.0 * a**3)


def _beta_fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method."""
    # Whatever is zero is made tiny. Inline, four times a term: a call would take half of the time.
    tiny = _TINY
    d = 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    c, value = 1.0, d
    for m in range(1, _MAX_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for term in (even, odd):
            d = 1.0 + term * d
            c = 1.0 + term / c
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = c if abs(c) > tiny else tiny
            value *= c * d
        if abs(c * d - 1.0) < _PRECISION:
            break
    return value
