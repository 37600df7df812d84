"""Soft actor-critic with any Keras actor and critics."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray

from optix_core import HyperparamSet
from optix_core.episode_data import FloatArray
from optix_tf._tensorflow import Model, Optimizer, keras
from optix_tf.action_box import ActionBox
from optix_tf.actor_critic_agent import ActorCriticAgent
from optix_tf.critic_network import build_critic
from optix_tf.observation_encoding import encoding_of
from optix_tf.off_policy_settings import OffPolicySettings
from optix_tf.plain_network import build_plain_network
from optix_tf.replay_updates import ReplayUpdates
from optix_tf.sac_settings import SACSettings
from optix_tf.sac_update import LOG_STD_RANGE, SACNetworks, SACUpdates
from optix_tf.seed_children import seed_children

_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(20)
_SMALL = 0.01
"""Variance of the actor's output weights: the first policy is the same whatever it sees."""


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

    def __init__(
        self,
        model: Model,
        critics: Sequence[Model],
        optimizer: Optimizer,
        hyperparams: HyperparamSet,
        *,
        action_space: object,
        seed: int | np.random.SeedSequence | None = None,
        observation_space: object = None,
        normalise: bool = False,
        jit_compile: bool = True,
    ) -> None:
        """Make an agent.

        Args:
            model: the actor.
            critics: two models from [observation, action] to a value; actions from −1 to 1.
            optimizer: any Keras optimizer; it trains actor, critics and temperature.
            hyperparams: those not given have their defaults; the learning rate the optimizer's.
            action_space: a Box with finite bounds.
            seed: of the agent's own generator: noise and minibatches; None for a fresh one.
            observation_space: how to encode observations; None passes them as they are.
            normalise: whether to normalise observations by running statistics, which are saved
                with the policy; needs observation_space.
            jit_compile: whether XLA compiles the training.

        Raises:
            ConfigurationError: if a space is not supported or missing, or critics do not fit.
            HyperparamError: if a hyperparameter is unknown or out of range.
        """
        self._log_temperature = keras.Variable(0.0, name="log_temperature", trainable=True)
        super().__init__(
            model,
            critics,
            optimizer,
            hyperparams,
            action_space=action_space,
            seed=seed,
            observation_space=observation_space,
            normalise=normalise,
            jit_compile=jit_compile,
        )

    @classmethod
    def for_spaces(
        cls,
        observation_space: object,
        action_space: object,
        *,
        seed: int | np.random.SeedSequence | None = None,
        hyperparams: HyperparamSet | None = None,
        hidden: Sequence[int] = (128, 128),
        jit_compile: bool = True,
    ) -> Self:
        """Make an agent with networks of its own and normalised observations.

        Args:
            observation_space: Box, Discrete, MultiDiscrete or MultiBinary, anything with
                Gymnasium's attributes.
            action_space: a Box with finite bounds.
            seed: of initial weights, noise and minibatches; None for a fresh one.
            hyperparams: those not given have their defaults.
            hidden: width of each hidden layer of actor and critics.
            jit_compile: see the constructor.

        Raises:
            ConfigurationError: if a space is not supported.
            HyperparamError: if a hyperparameter is unknown or out of range.
        """
        for_weights, for_agent = seed_children(seed, 2)
        rng = np.random.default_rng(for_weights)
        given = HyperparamSet() if hyperparams is None else hyperparams
        settings = SACSettings.from_params(given.params)
        shape, size = encoding_of(observation_space).encoded_shape, ActionBox(action_space).size
        return cls(
            build_plain_network(shape, 2 * size, rng=rng, hidden=hidden, output_scale=_SMALL),
            [build_critic(shape, size, rng=rng, hidden=hidden) for _ in range(2)],
            keras.optimizers.Adam(settings.learning_rate),
            given,
            action_space=action_space,
            seed=for_agent,
            observation_space=observation_space,
            normalise=True,
            jit_compile=jit_compile,
        )

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


def _split(outputs: NDArray[Any]) -> tuple[FloatArray, FloatArray]:
    mean, log_std = np.split(outputs.astype(np.float64), 2, axis=-1)
    return mean, np.exp(np.clip(log_std, *LOG_STD_RANGE))
