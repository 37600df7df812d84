"""Runs that are kept as they were saved, to be taken up by every later version.

Nothing in them depends on another library: the environment counts, and can be put back.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_core import BackoffOptimizer, RLOptimizer, SimplePipeline

from .resume_scene import Remembering, Softmax

WINDOW, EPISODE = 40, 10


def observations(start: int, end: int) -> NDArray[np.float64]:
    """What the counting environment shows before these steps, [end − start, 4]."""
    counts = np.arange(start, end, dtype=np.float64)
    return np.column_stack((counts / 100, counts % EPISODE, counts % 3, -np.ones_like(counts)))


class Counting:
    """Shows how many steps were made; the second action pays at every third step."""

    def __init__(self) -> None:
        self.n_steps = 0

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        return self._observation(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = float(action == (self.n_steps % 3 == 0))
        self.n_steps += 1
        return self._observation(), reward, self.n_steps % EPISODE == 0, False, {}

    def _observation(self) -> NDArray[np.float64]:
        return observations(self.n_steps, self.n_steps + 1)[0]

    def state_dict(self) -> dict[str, Any]:
        """Return the count."""
        return {"n_steps": self.n_steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put the count back."""
        self.n_steps = state["n_steps"]


def optimizer(directory: Path, version: int, windows: int) -> RLOptimizer:
    """A run whose state is of this version: the first knows no rows of a replay memory."""
    return RLOptimizer(
        Remembering(1) if version > 1 else Softmax(1),
        SimplePipeline(Counting(), window_size=WINDOW),
        optimizer=BackoffOptimizer(),
        checkpoint_dir=directory,
        max_episodes=windows,
        seed=3,
        resume=True,
    )


def make_golden(directory: Path, version: int) -> None:
    """A run that may go on after its first three windows."""
    optimizer(directory, version, 3).run()
    for lock in directory.glob(".*.lock"):
        lock.unlink()
