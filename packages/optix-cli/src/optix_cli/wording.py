"""How numbers are written: scores with their error, durations, counts."""

import math

from optix_core.eval_metrics import EvalMetrics

NOTHING = "-"
"""Stands where there is no number yet."""

_ONE_DECIMAL_FROM = 10
_MINUTE_S = _HOUR_MIN = 60


def score_text(value: float | None) -> str:
    """Write a score: one decimal from 10 upwards, two from 1, else three significant digits."""
    if value is None:
        return NOTHING
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    if size >= _ONE_DECIMAL_FROM or size == 0:
        return f"{value:,.1f}"
    return f"{value:.2f}" if size >= 1 else f"{value:.3g}"


def score_with_error(value: float | None, standard_error: float | None) -> str:
    """Write a score ± its standard error, without it where there is none."""
    if standard_error is None or not math.isfinite(standard_error):
        return score_text(value)
    return f"{score_text(value)} ± {error_text(standard_error)}"


def evaluation_text(metrics: EvalMetrics | None) -> str:
    """Write the score of an evaluation with its error; a dash where there is none."""
    return NOTHING if metrics is None else score_with_error(metrics.primary_score, metrics.score_se)


def error_text(value: float) -> str:
    """Write a standard error in two significant digits, one decimal from 1 upwards."""
    return f"{value:,.1f}" if value >= 1 or value == 0 else f"{value:.2g}"


def duration_text(seconds: float) -> str:
    """Write a duration: 8.4 s, 1 min 05 s, 2 h 07 min."""
    if round(seconds, 1) < _MINUTE_S:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE_S)
    if minutes < _HOUR_MIN:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // _HOUR_MIN} h {minutes % _HOUR_MIN:02d} min"


def clock_text(seconds: float) -> str:
    """Write a running time: 0:07, 12:34, 1:02:03."""
    minutes, rest = divmod(int(seconds), _MINUTE_S)
    if minutes < _HOUR_MIN:
        return f"{minutes}:{rest:02d}"
    return f"{minutes // _HOUR_MIN}:{minutes % _HOUR_MIN:02d}:{rest:02d}"
