"""Environments of a user's own, registered when this is imported."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class SwitchesEnv(gymnasium.Env[np.ndarray[Any, Any], np.ndarray[Any, Any]]):
    """Takes several switches at once, which `optix train` does not offer."""

    observation_space = spaces.Box(-1.0, 1.0, (1,))
    action_space = spaces.MultiDiscrete([2, 3])


gymnasium.register("Switches-v0", entry_point=SwitchesEnv)
gymnasium.register(
    "OwnCartPole-v0", "gymnasium.envs.classic_control:CartPoleEnv", max_episode_steps=100
)
