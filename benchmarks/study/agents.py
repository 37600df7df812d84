"""The agent that every condition trains: the NumPy PPO of the examples."""

from typing import Any, cast

import gymnasium
from gymnasium.spaces import Discrete

from benchmarks.study.tasks import Task
from examples.numpy_ppo import Categorical, NumpyPPO, SquashedGaussian

__all__ = ["NumpyPPO", "make_agent"]

HIDDEN = (32, 32)


def make_agent(task: Task, params: dict[str, Any], seed: int) -> NumpyPPO:
    """Make an agent with the default hyperparameters but for these; the same seed, same weights."""
    env = gymnasium.make(task.env_id)
    (n_inputs,) = env.observation_space.shape or (0,)
    head = _head(env.action_space)
    return NumpyPPO(n_inputs, head, params, seed=seed, hidden=HIDDEN)


def _head(space: Any) -> Categorical | SquashedGaussian:
    if isinstance(space, Discrete):
        return Categorical(int(cast("Any", space).n))
    return SquashedGaussian(space.low, space.high)
