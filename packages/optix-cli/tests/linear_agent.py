"""A tiny agent of NumPy alone, for `--agent linear_agent:make_agent`: a linear softmax policy."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_core import BaseAgent, EpisodeData, HyperparamSet


class LinearAgent(BaseAgent):
    """Moves a weight matrix [observation, action] by the rewards of what it did."""

    def __init__(self) -> None:
        self._weights = np.zeros((4, 2))
        self._rng = np.random.default_rng(0)
        self._params: dict[str, Any] = {"learning_rate": 0.01, "note": "none"}

    def act(self, observation: NDArray[np.float64]) -> int:
        return int(self.act_batch(np.asarray(observation)[None])[0])

    def act_batch(self, observations: NDArray[np.float64]) -> NDArray[np.int64]:
        noise = self._rng.gumbel(size=(len(observations), 2))
        return np.argmax(observations @ self._weights + noise, axis=-1)

    def act_greedy(self, observation: NDArray[np.float64]) -> int:
        return int(self.act_greedy_batch(np.asarray(observation)[None])[0])

    def act_greedy_batch(self, observations: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.argmax(observations @ self._weights, axis=-1)

    def learn(self, episode_data: EpisodeData) -> dict[str, float]:
        observations = episode_data.observations.reshape(-1, 4)
        lean = np.eye(2)[episode_data.actions.reshape(-1)] - 0.5
        # Pushing towards where the pole leans keeps it up: enough to make scores move.
        agree = np.sign(observations[:, 2]) * lean[:, 1]
        gradient = observations.T @ (lean * agree[:, None]) / len(observations)
        self._weights += self._params["learning_rate"] * 100 * gradient
        return {"norm": float(np.linalg.norm(self._weights))}

    def get_hyperparams(self) -> HyperparamSet:
        return HyperparamSet(dict(self._params))

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        self._params = dict(hp.params)

    def save_weights(self, path: str) -> None:
        Path(path).write_bytes(self._weights.tobytes())

    def load_weights(self, path: str) -> None:
        self._weights = np.frombuffer(Path(path).read_bytes()).reshape(4, 2).copy()

    def state_dict(self) -> dict[str, Any]:
        """Return the generator's state."""
        return {"rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put the generator back."""
        self._rng.bit_generator.state = state["rng"]


def make_agent() -> LinearAgent:
    """Return an untrained agent."""
    return LinearAgent()


class BrokenAgent(LinearAgent):
    """Fails while it learns its third window."""

    def __init__(self) -> None:
        super().__init__()
        self._n_learned = 0

    def learn(self, episode_data: EpisodeData) -> dict[str, float]:
        self._n_learned += 1
        if self._n_learned == 3:
            raise RuntimeError("the gradient\nwent away")
        return super().learn(episode_data)


def make_broken_agent() -> BrokenAgent:
    """Return an agent that fails in its third window."""
    return BrokenAgent()


def make_nothing() -> None:
    """Return what is no agent."""
