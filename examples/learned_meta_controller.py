"""A meta controller that learns: a bandit over what its past decisions brought.

It decides between trying a variant and letting the learner go on, and wins when the run's
best score has risen until it is asked again. Run: `uv run python
examples/learned_meta_controller.py`
"""

import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optix_core import (
    BaseAgent,
    CheckpointRegistry,
    EpisodeData,
    EvalMetrics,
    HyperparamSet,
    RLOptimizer,
)
from optix_core.simple_pipeline import SimplePipeline
from optix_evolve import MetaAction, PolicyManager


class BanditController:
    """Thompson sampling over SPAWN and NO_OP: each wins where the best score rose after it.

    Args of the constructor:
        seed: of its draws.
    """

    arms: tuple[MetaAction, ...] = (MetaAction.SPAWN, MetaAction.NO_OP)

    def __init__(self, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self.wins = dict.fromkeys(self.arms, 0)
        self.losses = dict.fromkeys(self.arms, 0)
        self._last: tuple[MetaAction, float, int] | None = None

    def decide(self, history: Sequence[EvalMetrics], status: Mapping[str, Any]) -> MetaAction:
        """Learn from what the last decision brought, then decide."""
        scores = [metrics.primary_score for metrics in history]
        best = max((score for score in scores if math.isfinite(score)), default=-math.inf)
        if self._last is not None and self._last[2] < len(history):  # not of an earlier run
            action, before, _ = self._last
            tally = self.wins if best > before else self.losses
            tally[action] += 1
        self._last = None
        if status.get("budget_exhausted", False):
            return MetaAction.STOP
        chosen = max(self.arms, key=self._draw)
        self._last = chosen, best, len(history)
        return chosen

    def _draw(self, arm: MetaAction) -> float:
        return float(self._rng.beta(1 + self.wins[arm], 1 + self.losses[arm]))


class Target:
    """One step: the action should be 3; the reward is minus the squared miss."""

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        """Show nothing of use."""
        del seed
        return np.zeros(1), {}

    def step(self, action: Any, /) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Pay for being near."""
        return np.zeros(1), -((float(action) - 3.0) ** 2), True, False, {}


class Guesser(BaseAgent):
    """Guesses round a mean and moves it towards its best guess; too small a step gets stuck."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._hyperparams = HyperparamSet({"step": 0.1, "spread": 0.3})
        self.mean = 0.0

    def act(self, observation: Any) -> Any:  # noqa: ARG002
        return self.mean + self._hyperparams.params["spread"] * self._rng.normal()

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        best = float(episode_data.actions[episode_data.rewards.argmax()])
        self.mean += self._hyperparams.params["step"] * (best - self.mean)
        return {"mean": self.mean}

    def get_hyperparams(self) -> HyperparamSet:
        return self._hyperparams.copy()

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        self._hyperparams = hp.copy()

    def save_weights(self, path: str) -> None:
        Path(path).write_text(json.dumps(self.mean), "utf-8")

    def load_weights(self, path: str) -> None:
        self.mean = float(json.loads(Path(path).read_text("utf-8")))


def train(directory: Path, controller: BanditController) -> PolicyManager:
    """Run until the budget of variants is spent, or the controller has let it end."""
    manager = PolicyManager(CheckpointRegistry(directory), max_spawns=4, max_ensemble_size=3)
    agent = Guesser(seed=0)
    seeds = iter(range(1, 100))
    RLOptimizer(
        agent=agent,
        pipeline=SimplePipeline(Target(), window_size=20),
        callbacks=[
            manager.as_callback(
                agent,
                agent_factory=lambda: Guesser(seed=next(seeds)),
                meta_controller=controller,
            )
        ],
        checkpoint_dir=directory,
        plateau_threshold=2,
        dormant_threshold=4,
        backoff_factor=1.0,
        seed=0,
    ).run()
    return manager


if __name__ == "__main__":
    bandit = BanditController(seed=0)
    with tempfile.TemporaryDirectory() as scratch:
        for run in range(3):  # it goes on learning from run to run
            train(Path(scratch) / f"run-{run}", bandit)
    for arm in bandit.arms:
        print(f"{arm.value}: {bandit.wins[arm]} won, {bandit.losses[arm]} lost")
