"""TD3, and DDPG as a setting of it, with any Keras actor and critics."""

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
from optix_tf.seed_children import seed_children
from optix_tf.target_network import TargetNetwork
from optix_tf.td3_settings import TD3Settings
from optix_tf.td3_update import TD3Networks, TD3Updates

_SMALL = 0.01
"""Variance of the actor's output weights: the first policy is the same whatever it sees."""


class TD3Agent(ActorCriticAgent):
    """Learns real actions between bounds from a replay memory, deterministic save for exploration.

    The actor's first output is an action before tanh, [B, A]. `for_spaces` makes one with defaults
    meant for every environment. Actions are scaled to the space. A truncated episode is continued
    by the value of the true next observation; a termination alone ends the return. Layers behave
    as at inference throughout. With `is_twin=False, policy_delay=1, target_noise=0.0` it is DDPG.

    Hyperparameters: see `TD3Settings`. An unknown name is an error.
    """

    settings_type: ClassVar[type[OffPolicySettings]] = TD3Settings

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
            optimizer: any Keras optimizer; it trains actor and critics.
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
        self._target_actor: TargetNetwork | None = None
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
        settings = TD3Settings.from_params(given.params)
        shape, size = encoding_of(observation_space).encoded_shape, ActionBox(action_space).size
        return cls(
            build_plain_network(shape, size, rng=rng, hidden=hidden, output_scale=_SMALL),
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
    def settings(self) -> TD3Settings:
        """Hyperparameters in force."""
        return cast("TD3Settings", self._settings)

    def _exploring(self, outputs: NDArray[Any], noise: FloatArray) -> NDArray[Any]:
        return np.clip(np.tanh(outputs) + self.settings.exploration_noise * noise, -1.0, 1.0)

    def _greedy(self, outputs: NDArray[Any]) -> NDArray[Any]:
        return np.tanh(outputs)

    def _moments(self, outputs: NDArray[Any]) -> tuple[FloatArray, FloatArray]:
        """Return those before the bounds cut the noise off."""
        mean = np.tanh(outputs.astype(np.float64))
        return mean, np.full_like(mean, self.settings.exploration_noise)

    def _make_updates(self) -> ReplayUpdates:
        networks = TD3Networks(
            actor=self.model,
            target_actor=self._target_of_actor(),
            critics=self.critics,
            target_critics=self._target_critics(),
        )
        return TD3Updates(networks, self.optimizer, jit_compile=self._is_jit)

    def _tunable(self) -> Sequence[float]:
        settings = self.settings
        return (
            settings.tau,
            settings.policy_delay,
            settings.target_noise,
            settings.target_noise_limit,
            float(settings.is_twin),
        )

    def _draws(self, n_updates: int, batch_size: int) -> Mapping[str, NDArray[Any]]:
        shape = n_updates, batch_size, self._box.size
        return {"noise": self._rng.standard_normal(shape, np.float32)}

    def _fixed_variables(self) -> Mapping[str, Any]:
        return {**super()._fixed_variables(), **self._target_of_actor().variables}

    def _target_of_actor(self) -> TargetNetwork:
        if self._target_actor is None:
            self._target_actor = TargetNetwork(self.model, "target_actor")
        return self._target_actor
