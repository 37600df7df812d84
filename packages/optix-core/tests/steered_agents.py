"""Agents whose policy moves by a known amount with each lesson, for the tests beside this file."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_core import BaseAgent, Domain, EpisodeData, HyperparamSet
from optix_core.generator_state import generator_from_state, generator_state

SPACE = {"learning_rate": Domain(low=1e-6, high=10.0, log=True, role="step_size")}


class CoinAgent(BaseAgent):
    """Throws a coin for each observation; each second lesson puts w back to 0.

    p = σ(x · w), w = learning_rate: the divergence of a lesson is about mean((w x)²) / 8.
    """

    def __init__(self, learning_rate: float = 0.1, *, seed: int = 0) -> None:
        self.params: dict[str, Any] = {"learning_rate": learning_rate}
        self.rng = np.random.default_rng(seed)
        self.weight = 0.0
        self.direction = 1.0
        self.n_acts = 0
        self.rates: list[float] = []

    def odds(self, observations: Any) -> NDArray[np.float64]:
        return 1.0 / (1.0 + np.exp(-self.weight * np.asarray(observations)[..., 0]))

    def act(self, observation: Any) -> Any:
        self.n_acts += 1
        return int(self.rng.random() < self.odds(observation))

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        self.rng.random()  # a shuffle
        rate = float(self.params["learning_rate"])
        self.rates.append(rate)
        self.weight = 0.0 if self.weight else rate * self.direction
        return {}

    def get_hyperparams(self) -> HyperparamSet:
        return HyperparamSet(dict(self.params))

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        self.params = dict(hp.params)

    def save_weights(self, path: str) -> None:
        np.save(path + ".npy", np.array([self.weight]))

    def load_weights(self, path: str) -> None:
        self.weight = float(np.load(path + ".npy")[0])

    def hyperparam_space(self) -> Mapping[str, Domain]:
        return SPACE


class StatefulCoinAgent(CoinAgent):
    """With `HasState`."""

    ballast: NDArray[np.float64] | None = None

    def state_dict(self) -> dict[str, Any]:
        state = {"rng": generator_state(self.rng)}
        return state if self.ballast is None else {**state, "replay": self.ballast}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.rng = generator_from_state(state["rng"])


class BatchCoinAgent(StatefulCoinAgent):
    """With `ActsInBatch` too."""

    def act_batch(self, observations: NDArray[Any]) -> Any:
        return (self.rng.random(len(observations)) < self.odds(observations)).astype(np.int64)


class TellingCoinAgent(StatefulCoinAgent):
    """With `HasActionDistribution`."""

    def action_distribution(self, observations: NDArray[Any]) -> Any:
        odds = self.odds(observations)
        return np.stack((1.0 - odds, odds), axis=-1)


class MeasuringCoinAgent(CoinAgent):
    """Returns its divergence from `learn`."""

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        before = self.odds(episode_data.observations)
        super().learn(episode_data)
        after = self.odds(episode_data.observations)
        terms = before * np.log(before / after) + (1 - before) * np.log((1 - before) / (1 - after))
        return {"approx_kl": float(terms.mean())}


class WeighingAgent(CoinAgent):
    """Returns how long its update was, as a share of weights of length 100, and is not probed."""

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        super().learn(episode_data)
        return {"update_ratio": self.rates[-1] * self.direction / 100.0}

    def hyperparam_space(self) -> Mapping[str, Domain]:
        return {"learning_rate": dataclasses.replace(SPACE["learning_rate"], probe=False)}


class GaussianAgent(StatefulCoinAgent):
    """Draws from N(w · x, 1)."""

    def act(self, observation: Any) -> Any:
        mean = self.weight * float(observation[0])
        return np.array([mean + self.rng.standard_normal()])


class GreedyAgent(CoinAgent):
    """Takes one of two actions by the sign of x - w, without drawing."""

    def act(self, observation: Any) -> Any:
        self.n_acts += 1
        return int(float(observation[0]) > self.weight)


def window(n_steps: int = 1000, *, window_id: int = 0, seed: int = 0) -> EpisodeData:
    """A window of uniform observations in [-2, 2]."""
    rng = np.random.default_rng([seed, window_id])
    observations = rng.uniform(-2.0, 2.0, (n_steps, 1))
    flags = np.zeros(n_steps, np.bool_)
    return EpisodeData(
        observations=observations,
        actions=np.zeros(n_steps, np.int64),
        rewards=np.zeros(n_steps),
        terminated=flags,
        truncated=flags,
        next_observations=observations,
        episode_id=window_id,
    )
