"""What a user has: an environment that writes down when it is opened and closed, and an agent."""

import os
import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from optix_core.testing import FakeStatefulAgent

LOG = Path(os.environ.get("SIGNAL_SCENE_LOG", os.devnull))
CLOSING_S = float(os.environ.get("SIGNAL_SCENE_CLOSING_S", "0"))


class Ticking(gymnasium.Env[Any, Any]):
    """Takes a millisecond a step; episodes of 70 steps."""

    observation_space = gymnasium.spaces.Box(-1.0, 100.0, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self) -> None:
        self.n_steps = 0
        self.is_open = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.n_steps = 0
        if not self.is_open:
            self.is_open = True
            note("open")
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        time.sleep(0.001)
        self.n_steps += 1
        observation = np.full(2, self.n_steps, np.float32)
        return observation, float(self.np_random.random()), self.n_steps >= 70, False, {}

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            note("close")
            time.sleep(CLOSING_S)


def note(word: str) -> None:
    with LOG.open("a") as file:
        file.write(f"{word}\n")


def make_agent() -> FakeStatefulAgent:
    return FakeStatefulAgent()


gymnasium.register("Ticking-v0", entry_point=f"{__name__}:Ticking")  # pyright: ignore[reportUnknownMemberType]
