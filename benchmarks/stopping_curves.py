"""Synthetic learning curves whose true course is known, for the study of when to stop."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optix_core.promotion import FRESH_EPISODES

Floats = NDArray[np.float64]

VALIDATION_EPISODES = 30
"""Episodes behind a score."""
SEED_CORRELATION = 0.6
"""Of the returns of two policies on one seed."""
KINDS = ("fast", "rising", "s-shaped", "late", "two rises", "logarithmic", "dips", "flat")
_SHARES = (0.10, 0.15, 0.15, 0.20, 0.10, 0.10, 0.15, 0.05)
_NOISE = (0.0, 0.003, 0.01, 0.02, 0.05, 0.1)
_NOISE_SHARES = (0.15, 0.15, 0.25, 0.2, 0.15, 0.1)
_AUTOCORRELATIONS = (0.0, 0.3, 0.6, 0.8)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LearningCurve:
    """A run continued to three times its budget, one score a window, on a scale of 0 to 1."""

    kind: str
    """One of `KINDS`."""
    truth: Floats
    """Expected score of the policy of each window."""
    observed: Floats
    """What an evaluation there would say."""
    fresh: Floats
    """What `FRESH_EPISODES` fresh ones of that policy would say, on the seeds of all other fresh
    samples: the part of the noise that comes from the seeds is the same for all and left out."""
    noise: float
    """Standard deviation of an evaluation of the final policy: its known standard error."""

    @property
    def range(self) -> float:
        """By how much the score rises in all."""
        return float(self.truth.max() - self.truth[0])

    @property
    def t95(self) -> int | None:
        """Windows until the truth first comes within 5 % of the range of its final level.

        None for a curve that never rises.
        """
        if self.range <= 0.0:
            return None
        final = float(self.truth[-5:].mean())
        return int(np.argmax(self.truth >= final - 0.05 * self.range)) + 1

    def is_wrong_stop(self, n_windows: int) -> bool:
        """Whether a run that stops after so many windows misses over 5 % of the range."""
        later, until = self.truth[n_windows:], self.truth[:n_windows]
        return bool(len(later)) and float(later.max() - until.max()) > 0.05 * self.range


def draw_curve(seed: int) -> LearningCurve:
    """Draw a curve: a kind, a time scale of 5 to 120 windows, noise with or without memory."""
    rng = np.random.default_rng(seed)
    kind = str(rng.choice(KINDS, p=_SHARES))
    scale = int(math.exp(rng.uniform(math.log(5), math.log(120))))
    if kind == "fast":
        scale = int(rng.integers(2, 6))
    t = np.arange(3 * max(40, 2 * scale), dtype=np.float64)
    smooth = _normalised(_SHAPES[kind](t, scale, rng))
    truth = smooth.copy()
    if kind == "dips" or rng.random() < 0.2:
        _dip(truth, scale, rng)
    noise = float(rng.choice(_NOISE, p=_NOISE_SHARES))
    # Some policies score more noisily while they still learn.
    extra = (float(rng.choice([1, 3])) - 1.0) * (1.0 - smooth) * (smooth > 0.02)
    observed = truth + noise * (1.0 + extra) * _noise_with_memory(len(t), rng)
    if rng.random() < 0.3:
        observed = np.minimum(observed, 1.0)  # a ceiling, as CartPole's 500
    own = noise * math.sqrt(VALIDATION_EPISODES / FRESH_EPISODES * (1.0 - SEED_CORRELATION))
    fresh = truth + own * rng.standard_normal(len(t))
    return LearningCurve(kind=kind, truth=truth, observed=observed, fresh=fresh, noise=noise)


def _rising(t: Floats, scale: int, rng: np.random.Generator) -> Floats:
    return 1.0 - np.exp(-3.0 * t / scale)


def _s_shaped(t: Floats, scale: int, rng: np.random.Generator) -> Floats:
    return _logistic((t - scale / 2) / (scale / 6))


def _late(t: Floats, scale: int, rng: np.random.Generator) -> Floats:
    """Flat for a good while, as Acrobot is."""
    start = rng.uniform(0.3, 0.85)
    curve = _logistic((t - start * scale) / ((1.0 - start) * scale / 3))
    first = int(start * scale * 0.6)
    curve[:first] = curve[first]
    return curve


def _two_rises(t: Floats, scale: int, rng: np.random.Generator) -> Floats:
    share, wait = rng.uniform(0.4, 0.85), rng.uniform(0.2, 0.8) * scale
    second = _logistic((t - scale / 2 - wait) / (scale / 8))
    return share * (1.0 - np.exp(-6.0 * t / scale)) + (1.0 - share) * second


def _logarithmic(t: Floats, scale: int, rng: np.random.Generator) -> Floats:
    """Rises for ever, ever more slowly."""
    return np.log1p(5.0 * t / scale)


def _flat(t: Floats, scale: int, rng: np.random.Generator) -> Floats:
    return np.zeros_like(t)


_SHAPES: dict[str, Callable[[Floats, int, np.random.Generator], Floats]] = {
    "fast": _rising,
    "rising": _rising,
    "s-shaped": _s_shaped,
    "late": _late,
    "two rises": _two_rises,
    "logarithmic": _logarithmic,
    "dips": _rising,
    "flat": _flat,
}


def _logistic(x: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-x))


def _normalised(curve: Floats) -> Floats:
    shifted = curve - curve[0]
    return shifted / (float(shifted.max()) or 1.0)


def _dip(truth: Floats, scale: int, rng: np.random.Generator) -> None:
    """Let the policy fall, one to three times, and recover at once after a while."""
    for _ in range(rng.integers(1, 4)):
        begin = int(rng.uniform(0.1, 1.5) * scale)
        width = max(1, int(rng.uniform(0.02, 0.25) * scale))
        truth[begin : begin + width] *= 1.0 - rng.uniform(0.2, 0.9)


def _noise_with_memory(n: int, rng: np.random.Generator) -> Floats:
    memory = float(rng.choice(_AUTOCORRELATIONS))
    draws = rng.standard_normal(n)
    noise = np.empty(n)
    noise[0] = draws[0]
    for i in range(1, n):
        noise[i] = memory * noise[i - 1] + math.sqrt(1.0 - memory**2) * draws[i]
    return noise
