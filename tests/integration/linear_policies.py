"""Linear policies in NumPy that learn a little: choices among two, or one real action."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_core import BaseAgent, EpisodeData, HyperparamSet


class Policy(BaseAgent):
    """Weights that move towards what was done in the better half of a window."""

    n_inputs = 4
    n_outputs = 2

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.kernel = self.rng.normal(size=(self.n_inputs, self.n_outputs))
        self._hyperparams = HyperparamSet({"learning_rate": 0.01})

    def outputs(self, observations: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(observations, np.float64) @ self.kernel

    def act(self, observation: Any) -> Any:
        return self.outputs(observation)

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        observations = episode_data.observations.reshape(-1, self.n_inputs).astype(np.float64)
        rewards = episode_data.rewards.reshape(-1)
        pull = observations.T @ ((rewards >= np.median(rewards))[:, np.newaxis] - 0.5)
        step = self._hyperparams.params["learning_rate"] / len(rewards)
        self.kernel = self.kernel + step * pull
        return {"pull": float(np.linalg.norm(pull))}

    def get_hyperparams(self) -> HyperparamSet:
        return self._hyperparams.copy()

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        self._hyperparams = hp.copy()

    def save_weights(self, path: str) -> None:
        with Path(path).open("wb") as file:
            np.save(file, self.kernel)

    def load_weights(self, path: str) -> None:
        with Path(path).open("rb") as file:
            self.kernel = np.load(file)


class Picker(Policy):
    """Chooses the larger of two outputs, nearly always."""

    def act(self, observation: Any) -> Any:
        return int((self.outputs(observation) + 0.1 * self.rng.gumbel(size=2)).argmax())

    def act_greedy(self, observation: Any) -> Any:
        return int(self.outputs(observation).argmax())


class Steerer(Policy):
    """One real action with noise, clipped by the ensemble's space."""

    n_inputs = 3
    n_outputs = 1

    def act(self, observation: Any) -> Any:
        return (self.outputs(observation) + 0.3 * self.rng.normal(size=1)).astype(np.float32)

    def act_greedy(self, observation: Any) -> Any:
        return self.outputs(observation).astype(np.float32)
