"""The last evaluations of a run as the numbers that evolution decides on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from optix_core import EvalMetrics
from optix_core.errors import ConfigurationError

Signals = Literal["documented", "sound"]
"""Which form of the statistics: the documented arithmetic, or the one that asks for evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreWindow:
    """Scores of the newest evaluations, oldest first; every number is finite."""

    scores: tuple[float, ...]
    """Primary scores. An evaluation whose score is not finite measured nothing and is left out."""
    train: tuple[float, ...]
    """Training scores of those evaluations that have both; empty without validation."""
    val: tuple[float, ...]
    """Validation scores of the same evaluations."""
    score_ses: tuple[float, ...]
    """Standard errors of the primary scores, where the evaluator gives them."""
    score_range: float
    """Highest minus lowest primary score of the whole history."""


def read_window(metrics_history: Sequence[EvalMetrics], window: int) -> ScoreWindow:
    """Read the newest `window` evaluations that have a finite score."""
    finite = [metrics for metrics in metrics_history if metrics.is_finite]
    newest = finite[-window:]
    scores = [metrics.primary_score for metrics in finite]
    pairs = [pair for pair in map(_train_and_val, newest) if pair is not None]
    errors = [se for metrics in newest if (se := metrics.score_se) is not None]
    return ScoreWindow(
        scores=tuple(scores[-window:]),
        train=tuple(train for train, _ in pairs),
        val=tuple(val for _, val in pairs),
        score_ses=tuple(se for se in errors if math.isfinite(se)),
        score_range=max(scores) - min(scores) if scores else 0.0,
    )


def check_signals(signals: str) -> None:
    """Refuse a name that is neither of `Signals`."""
    if signals not in {"documented", "sound"}:
        raise ConfigurationError(f'signals must be "documented" or "sound", got {signals!r}')


def check_window(window: int) -> None:
    """Refuse a window in which no trend can be seen."""
    if window < 2:  # noqa: PLR2004
        raise ConfigurationError(f"window must be at least 2 evaluations, got {window}")


def check_not_negative(**values: float) -> None:
    """Refuse thresholds that are negative or not finite, by name."""
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise ConfigurationError(f"{name} must be finite and not negative, got {value}")


def _train_and_val(metrics: EvalMetrics) -> tuple[float, float] | None:
    train, val = metrics.metrics.get("train_score"), metrics.metrics.get("val_score")
    if not isinstance(train, int | float) or not isinstance(val, int | float):
        return None
    if not (math.isfinite(train) and math.isfinite(val)):
        return None
    return float(train), float(val)
