"""A small agent that really has weights, and every optional ability an agent can have."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_core import BaseAgent, Domain, EpisodeData, HyperparamSet
from optix_core.weights_file import load_arrays, save_arrays

N_INPUTS, N_ACTIONS = 3, 4


class LinearPolicy(BaseAgent):
    """A softmax of three inputs over four actions; one step of momentum a window."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.weights = {
            "kernel": self.rng.normal(size=(N_INPUTS, N_ACTIONS)),
            "momentum": np.zeros((N_INPUTS, N_ACTIONS)),
        }
        self.params: dict[str, Any] = {"learning_rate": 0.1, "mode": "plain", "decay": 0.9}

    def act(self, observation: Any) -> Any:
        return self.act_batch(np.asarray(observation)[None])[0]

    def act_batch(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Draw one action a row."""
        shares = self.action_distribution(observations).cumsum(axis=1)
        return (self.rng.random(len(observations))[:, None] > shares).sum(axis=1)

    def act_greedy(self, observation: Any) -> Any:
        """Return the likeliest action."""
        return self.act_greedy_batch(np.asarray(observation)[None])[0]

    def act_greedy_batch(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Return the likeliest action of each row."""
        return self.action_distribution(observations).argmax(axis=1)

    def action_distribution(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Return the probability of each action, a row an observation."""
        logits = np.exp(observations @ self.weights["kernel"])
        return logits / logits.sum(axis=1, keepdims=True)

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        gradient = episode_data.observations.T @ np.eye(N_ACTIONS)[episode_data.actions]
        self.weights["momentum"] = self.params["decay"] * self.weights["momentum"] + gradient
        self.weights["kernel"] += self.params["learning_rate"] * self.weights["momentum"]
        return {"norm": float(np.linalg.norm(gradient))}

    def hyperparam_space(self) -> Mapping[str, Domain]:
        """Declare where the hyperparameters may lie."""
        return {
            "learning_rate": Domain(low=1e-6, high=1.0),
            "mode": Domain(choices=("plain", "clipped")),
        }

    def get_hyperparams(self) -> HyperparamSet:
        return HyperparamSet(dict(self.params))

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        self.params = dict(hp.params)

    def save_weights(self, path: str) -> None:
        save_arrays(path, self.weights)

    def load_weights(self, path: str) -> None:
        self.weights = load_arrays(path, self.weights)

    def state_dict(self) -> dict[str, Any]:
        """Return the generator's state."""
        return {"rng": self.rng.bit_generator.state, "history": [1, None]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put the generator back."""
        self.rng.bit_generator.state = state["rng"]
