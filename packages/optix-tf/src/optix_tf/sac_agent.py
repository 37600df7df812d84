"""Soft actor-critic with any Keras actor and critics."""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from optix_core.episode_data import FloatArray
from optix_tf._tensorflow import keras
from optix_tf.actor_critic_agent import ActorCriticAgent
from optix_tf.off_policy_settings import OffPolicySettings
from optix_tf.replay_updates import ReplayUpdates
from optix_tf.sac_settings import SACSettings
from optix_tf.sac_update import LOG_STD_RANGE, SACNetworks, SACUpdates

_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(20)


class SACAgent(ActorCriticAgent):
    """Learns real actions between bounds from a replay memory: SAC with a learned temperature.

    The actor's first output is the mean and the logarithm of the standard deviation of an action
    before tanh, one behind the other: [B, 2A]. `for_spaces` makes one with defaults meant for every
    environment. Actions are scaled to the space. A truncated episode is continued by the value of
    the true next observation; a termination alone ends the return. Layers behave as at inference
    throughout.

    Hyperparameters: see `SACSettings`. An unknown name is an error.
    """

    settings_type: ClassVar[type[OffPolicySettings]] = SACSettings
    outputs_per_action: ClassVar[int] = 2

    @property
    def settings(self) -> SACSettings:
        """Hyperparameters in force."""
        return cast("SACSettings", self._settings)

    @property
    def temperature(self) -> float:
        """What a unit of entropy is worth at present."""
        return math.exp(float(self._log_temperature.numpy()))

    def _exploring(self, outputs: NDArray[Any], noise: FloatArray) -> NDArray[Any]:
        mean, std = _split(outputs)
        return np.tanh(mean + std * noise)

    def _greedy(self, outputs: NDArray[Any]) -> NDArray[Any]:
        return np.tanh(_split(outputs)[0])

    def _moments(self, outputs: NDArray[Any]) -> tuple[FloatArray, FloatArray]:
        """By Gaussian quadrature over the noise."""
        mean, std = _split(outputs)
        drawn = np.tanh(mean[..., np.newaxis] + std[..., np.newaxis] * _NODES)
        weights: FloatArray = _NODE_WEIGHTS / _NODE_WEIGHTS.sum()
        centre: FloatArray = drawn @ weights
        spread: FloatArray = np.square(drawn - centre[..., np.newaxis]) @ weights
        return centre, np.sqrt(spread)

    def _make_updates(self) -> ReplayUpdates:
        networks = SACNetworks(
            actor=self.model,
            critics=self.critics,
            targets=self._target_critics(),
            log_temperature=self._log_temperature,
        )
        return SACUpdates(networks, self.optimizer, jit_compile=self._is_jit)

    def _tunable(self) -> Sequence[float]:
        settings = self.settings
        return settings.tau, settings.target_entropy_per_action * self._box.size

    def _draws(self, n_updates: int, batch_size: int) -> Mapping[str, NDArray[Any]]:
        shape = n_updates, batch_size, 2, self._box.size
        return {"noise": self._rng.standard_normal(shape, np.float32)}

    def _head_variables(self) -> dict[str, Any]:
        return {**super()._head_variables(), "log_temperature": self._log_temperature}

    @functools.cached_property
    def _log_temperature(self) -> Any:
        return keras.Variable(0.0, name="log_temperature", trainable=True)


def _split(outputs: NDArray[Any]) -> tuple[FloatArray, FloatArray]:
    mean, log_std = np.split(outputs.astype(np.float64), 2, axis=-1)
    return mean, np.exp(np.clip(log_std, *LOG_STD_RANGE))
