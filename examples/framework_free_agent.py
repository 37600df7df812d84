"""An agent of six methods and an environment of two: nothing but optix-core is installed.

The agent is a line; it climbs by trying a random step and keeping it where the window was better.
Run: `uv run python examples/framework_free_agent.py`
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from optix_core import BaseAgent, EpisodeData, HyperparamSet, RLOptimizer, render_report
from optix_core.simple_pipeline import SimplePipeline

EPISODE_STEPS = 20


class Valley:
    """Keep a ball at the bottom of a valley for 20 steps; the reward is minus its height."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)
        self._position = 0.0
        self._steps = 0

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin beside the bottom, on one side or the other."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self._position, self._steps = float(self._rng.choice([-1.0, 1.0])), 0
        return np.array([self._position]), {}

    def step(self, action: Any, /) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Push the ball by the action."""
        self._position += float(np.clip(action, -0.5, 0.5))
        self._steps += 1
        is_over = self._steps == EPISODE_STEPS
        return np.array([self._position]), -(self._position**2), False, is_over, {}


class HillClimber(BaseAgent):
    """push = gain · position, the gain found by trial."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(1)
        self._hyperparams = HyperparamSet({"step": 0.3})
        self._gain = self._best_gain = 0.0
        self._best_return = -np.inf

    def act(self, observation: Any) -> Any:
        return self._gain * float(observation[0])

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        earned = float(episode_data.episode_returns.mean())
        if earned > self._best_return:
            self._best_return, self._best_gain = earned, self._gain
        step = self._hyperparams.params["step"]
        self._gain = self._best_gain + step * self._rng.standard_normal()
        return {"gain": self._best_gain}

    def get_hyperparams(self) -> HyperparamSet:
        return self._hyperparams.copy()

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        self._hyperparams = hp.copy()

    def save_weights(self, path: str) -> None:
        Path(path).write_text(json.dumps(self._gain), encoding="utf-8")

    def load_weights(self, path: str) -> None:
        self._gain = float(json.loads(Path(path).read_text(encoding="utf-8")))


def main() -> None:
    """Train until nothing improves any more, and print the report."""
    agent = HillClimber()
    with tempfile.TemporaryDirectory() as directory:
        report = RLOptimizer(
            agent,
            SimplePipeline(Valley(), window_size=200),
            checkpoint_dir=directory,
            max_interval_episodes=4,
            seed=0,
        ).run()
    print(render_report(report))
    print(f"push = {agent.act([1.0]):.2f} · position")


if __name__ == "__main__":
    main()
