"""What agents with a replay memory that play real actions have in common."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from optix_core import EpisodeData, HyperparamSet
from optix_core.episode_data import FloatArray
from optix_core.errors import ConfigurationError
from optix_tf._tensorflow import Model, Optimizer, keras
from optix_tf.action_box import ActionBox
from optix_tf.critic_network import build_critic
from optix_tf.observation_encoding import encoding_of
from optix_tf.off_policy_agent import OffPolicyAgent
from optix_tf.plain_network import build_plain_network
from optix_tf.seed_children import seed_children
from optix_tf.smooth_noise import SmoothNoise
from optix_tf.target_network import TargetNetwork
from optix_tf.window_rows import valid_rows

_N_CRITICS = 2
_SMALL = 0.01
"""Variance of the actor's output weights: the first policy is the same whatever it sees."""


class ActorCriticAgent(OffPolicyAgent):
    """An actor and two critics, each with a target that follows it; actions between bounds.

    Exploration is a random function of the observation, drawn anew at each `learn` (`SmoothNoise`);
    in the warm-up it is all there is to an action, which then is uniform between the bounds.
    """

    outputs_per_action: ClassVar[int]
    """Numbers in the actor's first output for each component of an action."""

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
            optimizer: any Keras optimizer; it trains everything, so that there is one step size.
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
        if len(critics) != _N_CRITICS or not all(critic.built for critic in critics):
            raise ConfigurationError(
                f"two critics that have their inputs are needed, got {len(critics)}; make them as "
                "keras.Model([observation, action], value)"
            )
        self.critics = list(critics)
        self._box = ActionBox(action_space)
        self._noise: SmoothNoise | None = None
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
        settings = cls.settings_type.from_params(given.params)
        shape, size = encoding_of(observation_space).encoded_shape, ActionBox(action_space).size
        width = cls.outputs_per_action * size
        return cls(
            build_plain_network(shape, width, rng=rng, hidden=hidden, output_scale=_SMALL),
            [build_critic(shape, size, rng=rng, hidden=hidden) for _ in range(_N_CRITICS)],
            keras.optimizers.Adam(settings.learning_rate),
            given,
            action_space=action_space,
            seed=for_agent,
            observation_space=observation_space,
            normalise=True,
            jit_compile=jit_compile,
        )

    @abstractmethod
    def _exploring(self, outputs: NDArray[Any], noise: FloatArray) -> NDArray[Any]:
        """Actions [B, A] from −1 to 1 of actor outputs [B, P] and standard normal noise [B, A]."""

    @abstractmethod
    def _greedy(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Actions [B, A] from −1 to 1 held best."""

    @abstractmethod
    def _moments(self, outputs: NDArray[Any]) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation [B, A] of exploring actions from −1 to 1."""

    def act(self, observation: Any) -> Any:
        """Draw an action for one observation."""
        return self.act_batch(np.asarray(observation)[np.newaxis])[0]

    def act_batch(self, observations: NDArray[Any]) -> Any:
        """Draw actions [B, ...] for observations [B, ...]; the same draws as `act` one by one."""
        encoded = self._inputs.encode(np.asarray(observations))
        outputs = self._network.head(0, self._inputs.normalise(encoded))
        noise = self._ready_noise()(encoded.reshape(len(encoded), -1))
        own = _uniform(noise) if self.is_warming_up else self._exploring(outputs, noise)
        return self._box.played(own)

    def act_greedy(self, observation: Any) -> Any:
        """Return the action held best; takes nothing from the generator."""
        return self.act_greedy_batch(np.asarray(observation)[np.newaxis])[0]

    def act_greedy_batch(self, observations: NDArray[Any]) -> Any:
        """Return the actions [B, ...] held best."""
        return self._box.played(self._greedy(self._outputs(observations)))

    def action_distribution(self, observations: NDArray[Any]) -> Any:
        """(mean, std) of actions in the environment's units, each [B, A], over draws of noise."""
        outputs = self._outputs(observations)
        if self.is_warming_up:
            shape = len(outputs), self._box.size
            return self._box.moments(np.zeros(shape), np.full(shape, 1.0 / math.sqrt(3.0)))
        return self._box.moments(*self._moments(outputs))

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        """Remember the window, make the updates that are due, and explore otherwise from now on.

        Returns:
            See `OffPolicyAgent.learn`.
        """
        diagnostics = super().learn(episode_data)
        seen = valid_rows(episode_data.observations, episode_data)
        if len(seen):
            encoded = self._inputs.encode(seen)
            self._ready_noise().observe(encoded.reshape(len(encoded), -1))
        self._ready_noise().renew(self._rng)
        return diagnostics

    def state_without_replay(self) -> dict[str, Any]:
        """Return generator, counters and noise, and of the memory what are no transitions."""
        noise = None if self._noise is None else self._noise.state_dict()
        return {**super().state_without_replay(), "noise": noise}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned.

        Raises:
            CheckpointError: if the memory was of another size.
        """
        self._noise = None
        if state["noise"] is not None:
            self._ready_noise().load_state_dict(state["noise"])
        super().load_state_dict(state)

    def _encode_actions(self, actions: NDArray[Any]) -> NDArray[Any]:
        return self._box.own(actions)

    def _after_steps(self) -> None:
        """Nothing to do: whether it is warming up is asked at each action."""

    def _ready_noise(self) -> SmoothNoise:
        if self._noise is None:
            n_inputs = math.prod(self._network.input_shape)
            self._noise = SmoothNoise(n_inputs, self._box.size, self._rng)
        return self._noise

    def _head_variables(self) -> dict[str, Any]:
        return {
            f"critic{k}/{i:03d}/{variable.name}": variable
            for k, critic in enumerate(self.critics)
            for i, variable in enumerate(critic.trainable_variables)
        }

    def _fixed_variables(self) -> Mapping[str, Any]:
        fixed = {
            f"critic{k}/fixed/{i:03d}/{variable.name}": variable
            for k, critic in enumerate(self.critics)
            for i, variable in enumerate(critic.non_trainable_variables)
        }
        return {**fixed, **super()._fixed_variables()}

    def _followed(self) -> Mapping[str, Model]:
        return {_target_name(k): critic for k, critic in enumerate(self.critics)}

    def _target_critics(self) -> list[TargetNetwork]:
        return [self._targets[_target_name(k)] for k in range(_N_CRITICS)]


def _target_name(k: int) -> str:
    return f"target_critic{k}"


def _uniform(noise: FloatArray) -> FloatArray:
    """Standard normal noise as uniform noise from −1 to 1: erf(ε / √2), within 6 · 10⁻⁴.

    References:
        Page, Approximations to the cumulative normal function and its inverse, 1977.
    """
    return np.tanh(math.sqrt(2.0 / math.pi) * (noise + 0.044715 * noise**3))
