"""Where runs start: hyperparameters that are good, off, or drawn at random."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.study.tasks import GOOD_RATE, Task

Params = dict[str, Any]

PRIOR: Mapping[str, tuple[float, float, str]] = {
    "learning_rate": (1e-5, 1e-1, "log"),
    "clip_ratio": (0.05, 0.5, "linear"),
    "entropy_coeff": (1e-4, 1e-1, "log"),
    "one_minus_gamma": (2e-3, 5e-1, "log"),
    "one_minus_lambda": (1e-3, 2e-1, "linear"),
}
"""Ranges of the random start and of every search: lowest, highest, and the scale drawn on."""

BOUNDS: Mapping[str, tuple[float, float]] = {
    "learning_rate": (1e-6, 1e-1),
    "clip_ratio": (0.05, 0.5),
    "entropy_coeff": (1e-5, 1e-1),
    "one_minus_gamma": (1e-3, 5e-1),
    "one_minus_lambda": (1e-3, 2e-1),
}
"""Bounds given to every tuner that takes some, ours and the peers' alike."""


def draw_params(rng: np.random.Generator) -> Params:
    """Draw a configuration from `PRIOR`."""
    return {name: _draw(rng, *bounds) for name, bounds in PRIOR.items()}


def starting_params(start: str, task: Task, seed: int) -> Params:
    """Return what differs from the agent's defaults at this start; random ones depend on the seed.

    Raises:
        KeyError: if there is no such start.
    """
    return STARTS[start](task, seed)


def _rate(factor: float) -> Callable[[Task, int], Params]:
    return lambda _task, _seed: {"learning_rate": GOOD_RATE * factor}


def _random(_task: Task, seed: int) -> Params:
    return draw_params(np.random.default_rng(np.random.SeedSequence([seed, 0x5EED])))


STARTS: Mapping[str, Callable[[Task, int], Params]] = {
    "good": _rate(1.0),
    "rate-low": _rate(0.1),
    "rate-10": _rate(10.0),
    "rate-high": lambda task, _seed: {"learning_rate": GOOD_RATE * task.far_factor},
    "gamma": lambda _task, _seed: {"learning_rate": GOOD_RATE, "one_minus_gamma": 0.4},
    "random": _random,
}
"""The starts by name; the same configuration for every condition of a seed."""


def _draw(rng: np.random.Generator, low: float, high: float, scale: str) -> float:
    if scale == "linear":
        return float(rng.uniform(low, high))
    return math.exp(rng.uniform(math.log(low), math.log(high)))
