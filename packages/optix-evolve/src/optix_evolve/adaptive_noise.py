"""How strongly a new variant is perturbed: three signals of the run's health, one scale."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from optix_core import EvalMetrics
from optix_core.errors import ConfigurationError
from optix_evolve import short_window
from optix_evolve.evidence import correlation_upper_bound, noise_sd, trend_evidence
from optix_evolve.score_window import (
    ScoreWindow,
    Signals,
    check_signals,
    check_window,
    read_window,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseLimits:
    """Between what noise moves.

    Raises:
        ConfigurationError: unless 0 ≤ min_scale ≤ max_scale and max_slope > 0, all finite.
    """

    min_scale: float = 0.001
    """Standard deviation of a relative Gaussian step for a run in full health."""
    max_scale: float = 0.1
    """The same for a run that is stuck, overfits or diverges."""
    max_slope: float = 0.05
    """Slope that counts as full progress: per evaluation, in units of max(|mean|, sd)."""

    def __post_init__(self) -> None:
        """Check the order of the limits."""
        if not 0 <= self.min_scale <= self.max_scale < math.inf:
            raise ConfigurationError(
                "noise needs 0 <= min_scale <= max_scale, both finite, got "
                f"min_scale={self.min_scale}, max_scale={self.max_scale}"
            )
        if not 0 < self.max_slope < math.inf:
            raise ConfigurationError(f"max_slope must be positive and finite, got {self.max_slope}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseSignals:
    """The three signals and what follows from them; each is within [0, 1]."""

    progress: float
    """t: how steeply scores rise."""
    gap_penalty: float
    """How much better training scores are than validation scores."""
    corr_penalty: float
    """How little validation scores follow training scores."""
    noise_scale: float
    """Standard deviation of a relative Gaussian step."""

    @property
    def effective_t(self) -> float:
        """Health: t (1 − ½ gap_penalty)(1 − ½ corr_penalty): 1 is full health."""
        return self.progress * (1 - 0.5 * self.gap_penalty) * (1 - 0.5 * self.corr_penalty)


def adaptive_noise(
    metrics_history: Sequence[EvalMetrics],
    *,
    limits: NoiseLimits | None = None,
    window: int = 10,
    signals: Signals = "documented",
) -> NoiseSignals:
    """Noise for the next variant from the newest `window` evaluations with a finite score.

    `signals="documented"` is the formula of `noise_signals`. `signals="sound"` keeps its shape and
    asks each signal for evidence:

    - t is the slope's t value over its 95 % quantile (`max_slope` plays no part);
    - the gap is divided by max(|mean(val)|, 2 sd of the noise, 5 % of the run's score range);
    - the correlation counts only as far as it is shown to be low, by its 95 % upper bound.

    Args:
        metrics_history: evaluations, oldest first. Without `train_score` and `val_score` both
            penalties are 0.
        limits: the scales and the slope between which noise moves.
        window: evaluations to look at, at least 2.
        signals: which form.

    Raises:
        ConfigurationError: for a window below 2 or an unknown form.
    """
    check_signals(signals)
    check_window(window)
    seen = read_window(metrics_history, window)
    bounds = limits or NoiseLimits()
    if signals == "sound":
        return _sound_signals(seen, bounds)
    return noise_signals(seen.scores, seen.train, seen.val, limits=bounds)


def noise_signals(
    scores: Sequence[float],
    train: Sequence[float],
    val: Sequence[float],
    *,
    limits: NoiseLimits,
) -> NoiseSignals:
    """The documented formula on one window.

    t = clip(slope / (max_slope · max(|mean|, sd)), 0, 1);
    gap_penalty = clip(mean(train − val) / |mean(val)|, 0, 1);
    corr_penalty = clip(1 − Pearson(train, val), 0, 1);
    noise = max_scale − t (1 − ½ gap_penalty)(1 − ½ corr_penalty)(max_scale − min_scale).

    Degenerate windows: fewer than two scores, constant scores and non-finite scores have t = 0,
    hence `max_scale`. Where mean(val) is 0 the gap penalty is 1 for a positive gap, else 0.
    Without pairs, with non-finite ones, and where a constant leaves Pearson undefined, a penalty
    is 0: what was not measured is not held against the run.

    Args:
        scores: primary scores, oldest first.
        train: training scores; may be empty.
        val: as many validation scores.
        limits: the scales and the slope between which noise moves.
    """
    fit = short_window.fit_line(scores)
    steepness = fit.slope / fit.unit if fit is not None and fit.unit > 0 else 0.0
    r = short_window.correlation(train, val)
    return _combined(
        _clip(steepness / limits.max_slope),
        _clip(relative_gap(train, val) or 0.0),
        0.0 if math.isnan(r) else _clip(1 - r),
        limits,
    )


def relative_gap(
    train: Sequence[float], val: Sequence[float], *, floor: float = 0.0
) -> float | None:
    """mean(train − val) / max(|mean(val)|, floor); ±∞ over a level of zero, 0 for no gap.

    None without pairs and where a score is not finite.
    """
    factor = short_window.power_of_two(train, val)
    if factor is None or not val:
        return None
    n = len(val)
    gap = sum(factor * a - factor * b for a, b in zip(train, val, strict=True)) / n
    level = abs(factor * val[0] + sum(factor * b - factor * val[0] for b in val) / n)
    level = max(level, factor * floor)
    if level == 0.0:
        return math.copysign(math.inf, gap) if gap else 0.0
    return gap / level


def sound_gap(window: ScoreWindow) -> float | None:
    """The gap in units that do not vanish where scores cross zero."""
    floor = max(2 * noise_sd(window.val, window.score_ses), 0.05 * window.score_range)
    return relative_gap(window.train, window.val, floor=floor)


def _sound_signals(window: ScoreWindow, limits: NoiseLimits) -> NoiseSignals:
    fit = short_window.fit_line(window.scores)
    upper = correlation_upper_bound(window)
    return _combined(
        _clip(trend_evidence(fit)) if fit is not None else 0.0,
        _clip(sound_gap(window) or 0.0),
        0.0 if upper is None else 1 - max(upper, 0.0),
        limits,
    )


def _combined(
    progress: float, gap_penalty: float, corr_penalty: float, limits: NoiseLimits
) -> NoiseSignals:
    effective_t = progress * (1 - 0.5 * gap_penalty) * (1 - 0.5 * corr_penalty)
    return NoiseSignals(
        progress=progress,
        gap_penalty=gap_penalty,
        corr_penalty=corr_penalty,
        noise_scale=limits.max_scale - effective_t * (limits.max_scale - limits.min_scale),
    )


def _clip(value: float) -> float:
    return min(max(value, 0.0), 1.0)
