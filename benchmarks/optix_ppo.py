"""Optix's PPO, collecting and learning without a loop around it."""

from collections.abc import Mapping
from typing import Any

import gymnasium

from benchmarks.harness.bare_loop import ENVIRONMENT
from benchmarks.harness.timing import seconds
from optix_core import HyperparamSet
from optix_pipelines import BatchPipeline, make_vector
from optix_tf import PPOAgent

OUR_NAMES = {
    "batch_size": "minibatch_size",
    "clip_range": "clip_ratio",
    "ent_coef": "entropy_coeff",
    "vf_coef": "value_coeff",
}
"""Stable-Baselines3's names of hyperparameters that are called otherwise here."""


class Throughput:
    """The PPO agent, collecting and learning without a loop around it."""

    def open(self, n_envs: int, seed: int, hyperparams: Mapping[str, Any]) -> None:
        """Build environments and agent; `hyperparams` go by the names of Stable-Baselines3."""
        given = {OUR_NAMES.get(name, name): value for name, value in hyperparams.items()}
        window_size = int(given.pop("n_steps"))
        env: gymnasium.Env[Any, Any] = gymnasium.make(ENVIRONMENT)
        self._agent = PPOAgent.for_spaces(
            env.observation_space,
            env.action_space,
            seed=seed,
            hyperparams=HyperparamSet(params=given),
        )
        env.close()
        pipeline = BatchPipeline(make_vector(ENVIRONMENT, n_envs), window_size=window_size)
        pipeline.set_agent(self._agent)
        pipeline.seed(seed)
        pipeline.setup()
        self._windows = iter(pipeline.episodes())

    def iterate(self, n_iterations: int) -> dict[str, float]:
        """Collect and learn `n_iterations` times; environment steps, CPU and wall seconds."""
        steps = 0

        def play() -> None:
            nonlocal steps
            for _ in range(n_iterations):
                window = next(self._windows)
                steps += window.length
                self._agent.learn(window)

        spent = seconds(play)
        return {"steps": steps} | spent
