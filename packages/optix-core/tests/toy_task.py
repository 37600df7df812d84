"""A task whose every number is known: the action is the return, give or take the seed's noise."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from optix_core import BaseAgent, Domain, EpisodeData, HyperparamSet
from optix_core.weights_file import load_arrays, save_arrays


class NoisyMirror:
    """Episodes of one step; the reward is the action plus Gaussian noise of the seed."""

    def __init__(self, noise: float = 0.1) -> None:
        self.noise = noise
        self.rng = np.random.default_rng(0)
        self.seeds: list[int] = []

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        if seed is not None:
            self.seeds.append(seed)
            self.rng = np.random.default_rng(seed)
        return np.zeros(1), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = float(action) + self.noise * self.rng.standard_normal()
        return np.zeros(1), reward, True, False, {}


class SkillAgent(BaseAgent):
    """Its action is its skill, which grows by exp(−(decades of `rate` from 0.01)²) a window.

    It has a generator and a counter of its own, so that a state that was not put back shows.
    """

    def __init__(self, params: Mapping[str, Any] | None = None, seed: int = 0) -> None:
        self.weights = {"skill": np.zeros(1)}
        self.params = dict({"rate": 0.01} if params is None else params)
        self.rng = np.random.default_rng(seed)
        self.n_learned = 0
        self.windows: list[EpisodeData] = []

    @property
    def skill(self) -> float:
        return float(self.weights["skill"][0])

    def act(self, observation: Any) -> Any:
        return self.skill + 1e-3 * self.rng.standard_normal()

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        self.windows.append(episode_data)
        self.n_learned += 1
        self.weights["skill"] = self.weights["skill"] + growth(self.params)
        return {"growth": growth(self.params)}

    def get_hyperparams(self) -> HyperparamSet:
        return HyperparamSet(dict(self.params))

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        self.params = dict(hp.params)

    def hyperparam_space(self) -> Mapping[str, Domain]:
        """Declare the rate."""
        return {"rate": Domain(low=1e-6, high=1.0, log=True)}

    def save_weights(self, path: str) -> None:
        save_arrays(path, self.weights)

    def load_weights(self, path: str) -> None:
        self.weights = load_arrays(path, self.weights)

    def state_dict(self) -> dict[str, Any]:
        """Return generator and counter."""
        return {"rng": self.rng.bit_generator.state, "n_learned": self.n_learned}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put them back."""
        self.rng.bit_generator.state = state["rng"]
        self.n_learned = state["n_learned"]

    def everything(self) -> tuple[Any, ...]:
        """Return all that it is, to be compared."""
        return self.skill, dict(self.params), self.state_dict()


def growth(params: Mapping[str, Any]) -> float:
    """Skill a window."""
    return float(np.exp(-((np.log10(params["rate"]) + 2.0) ** 2)))
