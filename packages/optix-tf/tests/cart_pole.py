"""A cart with a pole, N at once, so that this package's tests need no environment library."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_core import BaseAgent, EpisodeData


@dataclass(frozen=True)
class Space:
    """What Gymnasium calls Box."""

    low: NDArray[Any]
    high: NDArray[Any]
    shape: tuple[int, ...]
    dtype: Any = np.float32


@dataclass(frozen=True)
class Choice:
    """What Gymnasium calls Discrete."""

    n: int
    start: int = 0
    shape: tuple[int, ...] = ()


def box(*shape: int, bound: float = np.inf) -> Space:
    return Space(np.full(shape, -bound, np.float32), np.full(shape, bound, np.float32), shape)


class CartPoles:
    """Pushes of −10 N or 10 N; an episode ends at 12° or 2.4 m, and is cut off after 200 steps."""

    observation_space = box(4)
    action_space = Choice(2)

    def __init__(self, n: int, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._state = self._fresh(n)
        self._age = np.zeros(n, np.int64)
        self._before = np.zeros(n)

    def window(self, agent: Any, steps: int) -> EpisodeData:
        """Let an agent that acts in batches play; an ended episode is reset at once."""
        rows: list[tuple[Any, ...]] = []
        for _ in range(steps):
            before = self._state.astype(np.float32)
            actions = agent.act_batch(before)
            terminated = self._push(actions)
            truncated = ~terminated & (self._age >= 200)
            after = self._state.astype(np.float32)
            rows.append((before, actions, np.ones(len(actions)), terminated, truncated, after))
            ended = terminated | truncated
            self._state = np.where(ended[:, None], self._fresh(len(ended)), self._state)
            self._age[ended] = 0
        columns = [np.array(column) for column in zip(*rows, strict=True)]
        names = ("observations", "actions", "rewards", "terminated", "truncated")
        window = EpisodeData(
            **dict(zip(names, columns[:5], strict=True)),
            next_observations=columns[5],
            returns_before=self._before,
        )
        self._before = window.returns_after
        return window

    def _push(self, actions: NDArray[Any]) -> NDArray[np.bool_]:
        _, v, angle, spin = self._state.T
        force = np.where(actions == 1, 10.0, -10.0)
        pull = (force + 0.05 * spin**2 * np.sin(angle)) / 1.1
        turn = 9.8 * np.sin(angle) - np.cos(angle) * pull
        turn /= 0.5 * (4.0 / 3.0 - 0.1 * np.cos(angle) ** 2 / 1.1)
        drive = pull - 0.05 * turn * np.cos(angle) / 1.1
        change = np.stack((v, drive, spin, turn), axis=1)
        self._state = self._state + 0.02 * change
        self._age += 1
        return (np.abs(self._state[:, 0]) > 2.4) | (np.abs(self._state[:, 2]) > np.deg2rad(12.0))

    def _fresh(self, n: int) -> NDArray[np.float64]:
        return self._rng.uniform(-0.05, 0.05, (n, 4))


def one_window(agent: BaseAgent, rng: np.random.Generator, rows: int = 40) -> EpisodeData:
    """A window of one environment with random observations of four numbers."""
    observations = rng.standard_normal((rows + 1, 4)).astype(np.float32)
    is_last = np.arange(rows) % 10 == 9
    return EpisodeData(
        observations=observations[:-1],
        actions=np.array([agent.act(observation) for observation in observations[:-1]]),
        rewards=rng.standard_normal(rows),
        terminated=is_last,
        truncated=np.zeros(rows, np.bool_),
        next_observations=observations[1:],
    )
