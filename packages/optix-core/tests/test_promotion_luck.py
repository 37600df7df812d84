"""Luck on a frozen policy: how often it is promoted over itself, and how far its score is off.

`benchmarks/promotion.py` measures the same on more runs, and publishes it.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from optix_core import EvalMetrics
from optix_core.promotion import Promotion
from optix_core.standing import Standing
from optix_core.testing import FakeAgent

from .held_out import HeldOutScript, judge_over

RUNS = 150
EPISODES = 30


class Simulation:
    """A run on normal returns with sd 1; those of fresh episodes on one seed correlate by 0.6."""

    def __init__(self, seed: int, *, confirm: bool) -> None:
        self.rng = np.random.default_rng(seed)
        self.mean = 0.0
        self.of_seed = self.rng.normal(size=20)
        pipeline = HeldOutScript([], self.fresh)
        pipeline.set_agent(FakeAgent())
        self.promotion = Promotion(judge_over(pipeline), seed=seed, margin=0.0, confirm=confirm)
        self.best: Standing | None = None

    def fresh(self, agent: Any, seeds: Sequence[int]) -> list[float]:
        own = self.rng.normal(size=20)
        return (self.mean + math.sqrt(0.6) * self.of_seed + math.sqrt(0.4) * own).tolist()

    def window(self) -> bool:
        returns = self.mean + self.rng.normal(size=EPISODES)
        se = float(np.std(returns, ddof=1)) / math.sqrt(EPISODES)
        metrics = EvalMetrics(float(returns.mean()), {"n_episodes": EPISODES, "score_se": se})
        trial = self.promotion.hold(metrics, self.best, agent=FakeAgent())
        self.best = trial.standing if trial.is_better else self.best
        return trial.is_better


def frozen(*, confirm: bool) -> tuple[float, float]:
    """False promotions per 100 windows, over the first 50; bias of the best's score in sd."""
    false, bias = 0, 0.0
    for seed in range(RUNS):
        run = Simulation(seed, confirm=confirm)
        false += sum(run.window() for _ in range(51)) - 1
        assert run.best is not None
        bias += run.best.metrics.primary_score
    return 2.0 * false / RUNS, bias / RUNS


def test_fresh_episodes_see_through_luck() -> None:
    lucky, lucky_bias = frozen(confirm=False)
    false, bias = frozen(confirm=True)
    # The records of 51 equal windows: 100/50 · (H₅₁ − 1) = 7.04 in 100.
    assert lucky == pytest.approx(7.04, abs=0.6)
    assert lucky_bias > 0.35
    assert false < 0.6
    assert abs(bias) < 0.15


def test_a_gain_of_half_a_deviation_is_found_within_fifteen_windows() -> None:
    found = 0
    for seed in range(RUNS):
        run = Simulation(seed, confirm=True)
        run.window()
        run.mean = 0.5
        found += any(run.window() for _ in range(15))
    assert found / RUNS >= 0.9
