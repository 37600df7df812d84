"""Deep Q-learning with any Keras model of action values."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray

from optix_core import HyperparamSet
from optix_core.errors import ConfigurationError
from optix_tf._tensorflow import Model, Optimizer, keras
from optix_tf.dqn_settings import DQNSettings
from optix_tf.dqn_update import DQNUpdates
from optix_tf.epsilon_greedy_head import EpsilonGreedyHead
from optix_tf.head_agent import HeadAgent
from optix_tf.observation_encoding import encoding_of
from optix_tf.off_policy_agent import OffPolicyAgent
from optix_tf.off_policy_settings import OffPolicySettings
from optix_tf.plain_network import build_plain_network
from optix_tf.replay_updates import ReplayUpdates
from optix_tf.seed_children import seed_children
from optix_tf.spaces import DiscreteSpace, MultiDiscreteSpace


class DQNAgent(HeadAgent[EpsilonGreedyHead], OffPolicyAgent):
    """Learns the values of discrete actions from a replay memory: double DQN over n steps.

    The model's first output is the values [B, K]. `for_spaces` makes one with defaults meant for
    every environment. Actions are the best one, or any with a probability ε that falls with the
    steps. A truncated episode is continued by the value of the true next observation; a
    termination alone ends the return. Layers behave as at inference throughout.

    Hyperparameters: see `DQNSettings`. An unknown name is an error.
    """

    settings_type: ClassVar[type[OffPolicySettings]] = DQNSettings

    def __init__(
        self,
        model: Model,
        optimizer: Optimizer,
        hyperparams: HyperparamSet,
        *,
        seed: int | np.random.SeedSequence | None = None,
        observation_space: object = None,
        action_space: object = None,
        normalise: bool = False,
        jit_compile: bool = True,
    ) -> None:
        """Make an agent.

        Args:
            model: returns action values.
            optimizer: any Keras optimizer.
            hyperparams: those not given have their defaults; the learning rate the optimizer's.
            seed: of the agent's own generator: actions and minibatches; None for a fresh one.
            observation_space: how to encode observations; None passes them as they are.
            action_space: a Discrete space; None for actions 0 … K − 1.
            normalise: whether to normalise observations by running statistics, which are saved
                with the policy; needs observation_space.
            jit_compile: whether XLA compiles the training.

        Raises:
            ConfigurationError: if a space is not supported, or missing.
            HyperparamError: if a hyperparameter is unknown or out of range.
        """
        self._head = EpsilonGreedyHead() if action_space is None else _head_of(action_space)
        super().__init__(
            model,
            optimizer,
            hyperparams,
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
        hidden: Sequence[int] = (256, 256),
        jit_compile: bool = True,
    ) -> Self:
        """Make an agent with a network of its own and normalised observations.

        Its hidden layers are normalised too, without which the values of quickly following target
        networks diverge (on CartPole-v1 to 10⁶, where 100 is the most there is).

        References:
            Gallici et al., Simplifying deep temporal difference learning, 2025.

        Args:
            observation_space: Box, Discrete, MultiDiscrete or MultiBinary, anything with
                Gymnasium's attributes.
            action_space: Discrete.
            seed: of initial weights, actions and minibatches; None for a fresh one.
            hyperparams: those not given have their defaults.
            hidden: width of each hidden layer.
            jit_compile: see the constructor.

        Raises:
            ConfigurationError: if a space is not supported.
            HyperparamError: if a hyperparameter is unknown or out of range.
        """
        for_weights, for_agent = seed_children(seed, 2)
        given = HyperparamSet() if hyperparams is None else hyperparams
        settings = DQNSettings.from_params(given.params)
        model = build_plain_network(
            encoding_of(observation_space).encoded_shape,
            _head_of(action_space).n_outputs or 1,
            rng=np.random.default_rng(for_weights),
            hidden=hidden,
            is_normalised=True,
        )
        return cls(
            model,
            keras.optimizers.Adam(settings.learning_rate),
            given,
            seed=for_agent,
            observation_space=observation_space,
            action_space=action_space,
            normalise=True,
            jit_compile=jit_compile,
        )

    @property
    def settings(self) -> DQNSettings:
        """Hyperparameters in force."""
        return cast("DQNSettings", self._settings)

    @property
    def epsilon(self) -> float:
        """Share of random actions at present."""
        return self._head.epsilon

    def _encode_actions(self, actions: NDArray[Any]) -> NDArray[Any]:
        return self._head.encode(actions)

    def _make_updates(self) -> ReplayUpdates:
        return DQNUpdates(
            self.model, self._targets["target"], self.optimizer, jit_compile=self._is_jit
        )

    def _tunable(self) -> Sequence[float]:
        settings = self.settings
        return settings.tau, settings.max_grad_norm, float(settings.is_double)

    def _after_steps(self) -> None:
        self._head.epsilon = self.settings.epsilon(self._steps)

    def _followed(self) -> Mapping[str, Model]:
        return {"target": self.model}


def _head_of(action_space: object) -> EpsilonGreedyHead:
    if isinstance(action_space, DiscreteSpace) and not isinstance(action_space, MultiDiscreteSpace):
        return EpsilonGreedyHead(int(action_space.n), int(action_space.start))
    raise ConfigurationError(
        f"DQNAgent plays Discrete actions, got {action_space!r}; SACAgent, TD3Agent and PPOAgent "
        "play Box, and PPOAgent MultiDiscrete and MultiBinary spaces too"
    )
