"""Tiny agents in NumPy that learn by REINFORCE: choices among two, or one real action."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_core import BaseAgent, EpisodeData, HyperparamSet
from optix_core.generator_state import generator_from_state, generator_state


class Linear(BaseAgent):
    """A linear map with weights on disk, a step size and a generator of its own."""

    def __init__(self, n_inputs: int = 4, n_outputs: int = 2, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.kernel = self.rng.normal(size=(n_inputs, n_outputs)) * 0.3
        self._hyperparams = HyperparamSet({"learning_rate": 0.01})

    def outputs(self, observations: NDArray[Any]) -> NDArray[np.float64]:
        # Row by row the same sums as in a batch, to the last bit.
        return (np.asarray(observations, np.float64)[..., np.newaxis] * self.kernel).sum(axis=-2)

    def act(self, observation: Any) -> Any:
        return self.act_batch(np.asarray(observation)[np.newaxis])[0]

    def act_batch(self, observations: NDArray[Any]) -> Any:
        return self.outputs(observations)

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        rows = len(episode_data.rewards)
        observations = episode_data.observations.reshape(rows, -1).astype(np.float64)
        centred = episode_data.rewards - episode_data.rewards.mean()
        gradient = observations.T @ (centred[:, np.newaxis] * self.outputs(observations))
        step = self._hyperparams.params["learning_rate"] / rows
        self.kernel = np.clip(self.kernel + step * gradient, -10.0, 10.0)
        return {"gradient_norm": float(np.linalg.norm(gradient))}

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

    def state_dict(self) -> dict[str, Any]:
        return {"rng": generator_state(self.rng)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.rng = generator_from_state(state["rng"])


class Picker(Linear):
    """Draws a choice by noisy preferences, without saying how likely each is."""

    def act_batch(self, observations: NDArray[Any]) -> Any:
        preferences = self.outputs(observations)
        return (preferences + self.rng.gumbel(size=preferences.shape)).argmax(axis=-1)

    def act_greedy(self, observation: Any) -> Any:
        return int(self.act_greedy_batch(np.asarray(observation)[np.newaxis])[0])

    def act_greedy_batch(self, observations: NDArray[Any]) -> Any:
        return self.outputs(observations).argmax(axis=-1)


class SaysHowLikely(Picker):
    """A picker that offers its probabilities."""

    def action_distribution(self, observations: NDArray[Any]) -> Any:
        preferences = self.outputs(observations)
        powers = np.exp(preferences - preferences.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True)


class Steerer(Linear):
    """A real action within [-2, 2], with noise to explore."""

    def __init__(self, n_inputs: int = 3, n_outputs: int = 1, seed: int = 0) -> None:
        super().__init__(n_inputs, n_outputs, seed)

    def act_batch(self, observations: NDArray[Any]) -> Any:
        mean = self.outputs(observations)
        return np.clip(mean + 0.3 * self.rng.normal(size=mean.shape), -2, 2).astype(np.float32)

    def act_greedy(self, observation: Any) -> Any:
        return self.act_greedy_batch(np.asarray(observation)[np.newaxis])[0]

    def act_greedy_batch(self, observations: NDArray[Any]) -> Any:
        return np.clip(self.outputs(observations), -2, 2).astype(np.float32)
