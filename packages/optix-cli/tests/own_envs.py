"""Environments of a user's own, registered when this is imported."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class SwitchesEnv(gymnasium.Env[np.ndarray[Any, Any], np.ndarray[Any, Any]]):
    """Takes several switches at once, which `optix train` does not offer."""

    observation_space = spaces.Box(-1.0, 1.0, (1,))
    action_space = spaces.MultiDiscrete([2, 3])


for env_id, entry_point in (
    ("Switches-v0", f"{__name__}:SwitchesEnv"),
    ("OwnCartPole-v0", "gymnasium.envs.classic_control:CartPoleEnv"),
):
    gymnasium.register(env_id, entry_point, max_episode_steps=100)  # pyright: ignore[reportUnknownMemberType]
