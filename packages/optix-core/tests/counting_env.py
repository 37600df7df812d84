"""An environment whose every transition is known: it counts, and says so in all it returns."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class CountingEnv:
    """Episode e has `lengths[e % n]` steps; the observation is [seed, episode, step].

    The reward of step k of episode e is 1000·e + k, so that each return is unmistakable. Odd
    episodes are truncated, even ones terminated. `seed` restarts the count of episodes. The one
    observation buffer is reused, unless `make` makes an observation of it.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        make: Callable[[NDArray[np.float64]], Any] | None = None,
    ) -> None:
        self.lengths = lengths
        self.buffer = np.zeros(3)
        self.make = make
        self.episode = -1
        self.step_in_episode = 0
        self.n_resets = 0
        self.n_closes = 0
        self.actions: list[Any] = []

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        self.n_resets += 1
        self.episode += 1
        if seed is not None:
            self.episode = 0
            self.buffer[0] = seed
        self.step_in_episode = 0
        return self.observe(), {"reset": True}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.actions.append(action)
        self.step_in_episode += 1
        is_over = self.step_in_episode >= self.lengths[self.episode % len(self.lengths)]
        is_odd = self.episode % 2 == 1
        reward = 1000.0 * self.episode + self.step_in_episode
        info = {"step": self.step_in_episode, "shared": self.buffer}
        return self.observe(), reward, is_over and not is_odd, is_over and is_odd, info

    def close(self) -> None:
        self.n_closes += 1

    def observe(self) -> Any:
        self.buffer[1] = self.episode
        self.buffer[2] = self.step_in_episode
        return self.buffer if self.make is None else self.make(self.buffer)


def trajectory(
    lengths: Sequence[int], n_rows: int, seed: int = 0
) -> list[tuple[list[int], float, bool, bool, list[int]]]:
    """What a window must hold, row by row, written from the description alone."""
    rows: list[tuple[list[int], float, bool, bool, list[int]]] = []
    episode = 0
    while len(rows) < n_rows:
        length = lengths[episode % len(lengths)]
        for step in range(length):
            before, after = [seed, episode, step], [seed, episode, step + 1]
            is_over = step + 1 == length
            ends_by_limit = is_over and episode % 2 == 1
            reward = 1000.0 * episode + step + 1
            rows.append((before, reward, is_over and not ends_by_limit, ends_by_limit, after))
        episode += 1
    return rows[:n_rows]
