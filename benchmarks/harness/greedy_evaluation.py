"""Play greedy CartPole episodes in the same way for both sides of a comparison."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

GreedyPolicy = Callable[[NDArray[np.float32]], NDArray[Any]]

FIRST_EVALUATION_SEED = 5_000_000
"""Seeds of evaluation episodes start here, far from every training seed."""


def episode_returns(
    policy: GreedyPolicy, *, n_episodes: int, seed: int, environment: str = "CartPole-v1"
) -> NDArray[np.float64]:
    """Returns of the first episode of each of `n_episodes` vectorised environments.

    Args:
        policy: maps observations [n_episodes, ...] to greedy actions [n_episodes].
        n_episodes: number of environments, each of which plays one episode.
        seed: offset added to `FIRST_EVALUATION_SEED`; the same seed, the same first states.
        environment: Gymnasium id with a vectorised implementation.
    """
    env = gymnasium.make_vec(
        environment, num_envs=n_episodes, vectorization_mode="vector_entry_point"
    )
    observations, _ = env.reset(seed=FIRST_EVALUATION_SEED + seed)
    returns = np.zeros(n_episodes)
    running = np.ones(n_episodes, dtype=bool)
    while running.any():
        observations, rewards, terminated, truncated, _ = env.step(policy(observations))
        returns += np.where(running, rewards, 0.0)
        running &= ~(terminated | truncated)
    env.close()
    return returns
