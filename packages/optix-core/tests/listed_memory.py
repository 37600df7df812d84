"""A replay memory that forgets nothing, and an agent that learns from one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_core import EpisodeData
from optix_core.replay_extent import ReplayExtent

from .resume_scene import Learner

WIDTH = 8 + 2 * 4 + 1
"""Bytes of a row."""


def columns(values: Sequence[float]) -> dict[str, NDArray[Any]]:
    """Rows that are made of one number each."""
    x = np.array(values, np.float64)
    return {"x": x, "pair": np.stack((x, -x), 1).astype(np.float32), "positive": x > 0}


class ListedMemory:
    """Holds the newest rows, and remembers the others to be compared with."""

    def __init__(self, capacity: int, values: Sequence[float] = ()) -> None:
        self.capacity = capacity
        self.values = list(values)
        self.history = object()

    @property
    def held(self) -> list[float]:
        """The rows that count, oldest first."""
        return self.values[max(0, len(self.values) - self.capacity) :]

    def replay_extent(self) -> ReplayExtent | None:
        if not self.values:
            return None
        return ReplayExtent(history=self.history, appended=len(self.values), capacity=self.capacity)

    def replay_rows(self, start: int, end: int) -> dict[str, NDArray[Any]]:
        assert max(0, len(self.values) - self.capacity) <= start <= end <= len(self.values)
        return columns(self.values[start:end])

    def state_without_replay(self) -> dict[str, Any]:
        return {"appended": len(self.values)}

    def load_with_replay(self, state: Mapping[str, Any], rows: Mapping[str, NDArray[Any]]) -> None:
        gone = [np.nan] * (state["appended"] - len(rows["x"]))
        self.values, self.history = gone + rows["x"].tolist(), object()


class RememberingLearner(Learner):
    """A `Learner` that leans to what rows of its memory, drawn at random, tell."""

    def __init__(self, seed: int, capacity: int = 70) -> None:
        super().__init__(seed)
        self.memory = ListedMemory(capacity)

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        diagnostics = super().learn(episode_data)
        self.memory.values.extend(np.asarray(episode_data.rewards, np.float64).tolist())
        drawn = self.rng.choice(np.array(self.memory.held), 5)
        self.weights["kernel"] += 0.01 * drawn.mean()
        return diagnostics

    def replay_extent(self) -> ReplayExtent | None:
        """Say what the memory holds."""
        return self.memory.replay_extent()

    def replay_rows(self, start: int, end: int) -> dict[str, NDArray[Any]]:
        """Return rows."""
        return self.memory.replay_rows(start, end)

    def state_without_replay(self) -> dict[str, Any]:
        """Return all but the rows."""
        return {**super().state_dict(), "memory": self.memory.state_without_replay()}

    def load_with_replay(self, state: Mapping[str, Any], rows: Mapping[str, NDArray[Any]]) -> None:
        """Put all back."""
        super().load_state_dict(state)
        self.memory.load_with_replay(state["memory"], rows)

    def state_dict(self) -> dict[str, Any]:
        """Return everything."""
        held = columns(self.memory.held)
        return {**self.state_without_replay(), "held": held}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put everything back."""
        self.load_with_replay(state, state["held"])
