"""A Gymnasium environment whose every transition is known: it counts, and says so."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BOX = spaces.Box(0.0, np.inf, (3,), np.float64)
TWO: spaces.Space[Any] = spaces.Discrete(2)


class CountingEnv(gymnasium.Env[Any, Any]):
    """Episode e has `lengths[e % n]` steps; the observation is [seed, episode, step].

    The reward of step k of episode e is 1000·e + k. Odd episodes are truncated, even ones
    terminated. `seed` restarts the count of episodes. The one observation buffer is reused, unless
    `make` makes an observation of it.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        make: Callable[[FloatArray], Any] | None = None,
        *,
        observation_space: spaces.Space[Any] = BOX,
        action_space: spaces.Space[Any] = TWO,
    ) -> None:
        self.observation_space = observation_space
        self.action_space = action_space
        self.lengths = lengths
        self.make = make
        self.buffer = np.zeros(3)
        self.episode = -1
        self.step_in_episode = 0
        self.n_closes = 0
        self.actions: list[Any] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        self.episode = 0 if seed is not None else self.episode + 1
        self.buffer[0] = self.buffer[0] if seed is None else seed
        self.step_in_episode = 0
        return self.observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.actions.append(action)
        self.step_in_episode += 1
        is_over = self.step_in_episode >= self.lengths[self.episode % len(self.lengths)]
        is_odd = self.episode % 2 == 1
        reward = 1000.0 * self.episode + self.step_in_episode
        info = {"step": self.step_in_episode}
        return self.observe(), reward, is_over and not is_odd, is_over and is_odd, info

    def close(self) -> None:
        self.n_closes += 1

    def observe(self) -> Any:
        self.buffer[1:] = self.episode, self.step_in_episode
        return self.buffer if self.make is None else self.make(self.buffer)


class Row(NamedTuple):
    """What one valid row must hold."""

    observation: list[int]
    reward: float
    terminated: bool
    truncated: bool
    successor: list[int]


def trajectory(lengths: Sequence[int], n_rows: int, seed: int) -> list[Row]:
    """The first rows of one environment, written from the description alone."""
    rows: list[Row] = []
    episode = 0
    while len(rows) < n_rows:
        length = lengths[episode % len(lengths)]
        for step in range(length):
            is_over, is_odd = step + 1 == length, episode % 2 == 1
            before, after = [seed, episode, step], [seed, episode, step + 1]
            reward = 1000.0 * episode + step + 1
            rows.append(Row(before, reward, is_over and not is_odd, is_over and is_odd, after))
        episode += 1
    return rows[:n_rows]


def count_side_by_side(
    lengths: Sequence[Sequence[int]],
    mode: AutoresetMode,
    *,
    make: Callable[[FloatArray], Any] | None = None,
    observation_space: spaces.Space[Any] = BOX,
    action_space: spaces.Space[Any] = TWO,
) -> SyncVectorEnv:
    """Counting environments that step together, each with lengths of its own.

    SAME_STEP hands out a sub-environment's own final observation and resets it at once, so there
    an observation has to be a copy already.
    """
    if mode is AutoresetMode.SAME_STEP and make is None:
        make = np.copy

    def maker(own_lengths: Sequence[int]) -> Callable[[], CountingEnv]:
        return lambda: CountingEnv(
            own_lengths, make, observation_space=observation_space, action_space=action_space
        )

    return SyncVectorEnv([maker(own) for own in lengths], copy=False, autoreset_mode=mode)


def counting_envs_of(env: SyncVectorEnv) -> list[CountingEnv]:
    """The sub-environments."""
    subs: list[Any] = [part.unwrapped for part in env.envs]
    return subs
