"""Proximal policy optimization with an actor-critic Keras model."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from optix_core import Domain, EpisodeData, HyperparamSet
from optix_core.domain_arithmetic import clip
from optix_core.episode_data import FloatArray
from optix_core.running_normalisation import RunningNormalisation
from optix_tf._tensorflow import Model, Optimizer, keras
from optix_tf.action_heads import head_of
from optix_tf.actor_critic import build_actor_critic
from optix_tf.categorical_head import CategoricalHead
from optix_tf.encoded_agent import part_of
from optix_tf.head_agent import HeadAgent
from optix_tf.observation_encoding import encoding_of
from optix_tf.policy_head import PolicyHead
from optix_tf.ppo_settings import PPOSettings
from optix_tf.ppo_update import PPOBatch, PPOUpdate
from optix_tf.returns import generalised_advantages
from optix_tf.seed_children import seed_children
from optix_tf.window_rows import by_environment, valid_rows

_INITIAL_LOG_STD = -0.5
_TUNABLE = {
    "clip_ratio": Domain(low=0.02, high=0.5, log=True),
    "entropy_coeff": Domain(low=1e-5, high=0.1, log=True),
    "gamma": Domain(low=0.5, high=0.999, role="branches"),
    "gae_lambda": Domain(low=0.5, high=1.0, role="branches"),
}
"""What no step size makes up for; evolution's variants differ in the first two as well. The
horizons move where branches of training prove it, and never drift."""


class PPOAgent(HeadAgent[PolicyHead]):
    """Learns by PPO from windows of any number of environments; plays Discrete and Box actions.

    The model returns (policy, value): logits for discrete actions, means for real ones (their
    standard deviation is a variable of the agent), and the value [B, 1] or [B]. `for_spaces` makes
    one with defaults meant for every environment. MultiDiscrete and MultiBinary actions work too.

    Real actions are scaled to the space where it is bounded. A truncated episode, and the window's
    last row, are continued by the value of the true next observation. Model and likelihood are the
    same in acting and learning: layers that behave otherwise in training (dropout, batch
    statistics) behave as at inference.

    Hyperparameters: see `PPOSettings`. An unknown name is an error.
    """

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
            model: returns (policy, value).
            optimizer: any Keras optimizer.
            hyperparams: those not given have their defaults; the learning rate the optimizer's.
            seed: of the agent's own generator: actions and shuffles; None for a fresh one.
            observation_space: how to encode observations; None passes them as they are.
            action_space: what the policy output means; None for logits of discrete actions.
            normalise: whether to normalise observations and value targets by running statistics,
                which are saved with the policy; needs observation_space.
            jit_compile: whether XLA compiles the training: a few seconds once, then two to six
                times faster. A model that XLA cannot compile trains without, with a warning.

        Raises:
            ConfigurationError: if a space is not supported, or missing.
            HyperparamError: if a hyperparameter is unknown or out of range.
        """
        self._value_statistics = RunningNormalisation(()) if normalise else None
        self._head = (
            CategoricalHead()
            if action_space is None
            else head_of(action_space, log_std=_INITIAL_LOG_STD)
        )
        self._passes: PPOUpdate | None = None
        self._settings = PPOSettings()
        super().__init__(
            model,
            optimizer,
            hyperparams,
            defaults=self._settings,
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
        hidden: tuple[int, ...] = (64, 64),
        jit_compile: bool = True,
    ) -> Self:
        """Make an agent with a network of its own: a policy and a value tower, normalised inputs.

        Args:
            observation_space: Box, Discrete, MultiDiscrete or MultiBinary, anything with
                Gymnasium's attributes.
            action_space: likewise.
            seed: of initial weights, actions and shuffles; None for a fresh one.
            hyperparams: those not given have their defaults.
            hidden: width of each hidden layer of a tower.
            jit_compile: see the constructor.

        Raises:
            ConfigurationError: if a space is not supported.
            HyperparamError: if a hyperparameter is unknown or out of range.
        """
        for_weights, for_agent = seed_children(seed, 2)
        given = HyperparamSet() if hyperparams is None else hyperparams
        settings = PPOSettings.from_params(given.params)
        model = build_actor_critic(
            encoding_of(observation_space).encoded_shape,
            head_of(action_space, log_std=_INITIAL_LOG_STD).n_outputs or 1,
            rng=np.random.default_rng(for_weights),
            hidden=hidden,
        )
        return cls(
            model,
            keras.optimizers.Adam(settings.learning_rate, epsilon=1e-5),
            given,
            seed=for_agent,
            observation_space=observation_space,
            action_space=action_space,
            normalise=True,
            jit_compile=jit_compile,
        )

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        """Make PPO's passes over the window, in one compiled function.

        Returns:
            `policy_loss`, `value_loss`, `entropy`, `clip_fraction`, `grad_norm`, `kl` (mean KL
            divergence of the new policy from the one that acted), `explained_variance`,
            `n_updates`, and `update_skipped`: how many updates were refused because they were not
            finite. A window with a reward or observation that is not finite changes nothing.
        """
        lead = episode_data.rewards.ndim
        everything = episode_data.observations
        encoded = self._inputs.encode(everything.reshape(-1, *everything.shape[lead:]))
        is_step = slice(None) if episode_data.valid is None else episode_data.valid.ravel()
        rewards = episode_data.rewards.ravel()[is_step]
        if not (
            len(rewards) and np.isfinite(rewards).all() and np.isfinite(encoded[is_step]).all()
        ):
            return {"update_skipped": 1.0, "n_updates": 0.0}
        behaviour = self._inputs.normalise(encoded[is_step])
        self._inputs.observe(encoded[is_step])
        inputs = self._inputs.normalise(encoded)
        values = self._value(inputs)
        gains = self._advantages(episode_data, values)[is_step]
        targets = values[is_step] + gains
        batch = PPOBatch(
            behaviour_inputs=self._network.as_batch(behaviour),
            inputs=self._network.as_batch(inputs[is_step]),
            actions=self._head.encode(valid_rows(episode_data.actions, episode_data)),
            advantages=((gains - gains.mean()) / (gains.std() + 1e-8)).astype(np.float32),
            value_targets=self._scaled_targets(targets),
            capacity=episode_data.rewards.size,
        )
        self._build_optimizer()
        diagnostics = self._update_passes()(batch, self._settings, self._rng)
        spread = float(targets.var())
        unexplained = float(gains.var()) / spread if spread > 0 else 1.0
        return {**diagnostics, "explained_variance": 1.0 - unexplained}

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        """Put hyperparameters into force; those not given have their defaults.

        Raises:
            HyperparamError: if one is unknown or out of range; then nothing was changed.
        """
        settings = PPOSettings.from_params(hp.params)
        super().set_hyperparams(hp)
        self._settings = settings

    def hyperparam_space(self) -> Mapping[str, Domain]:
        """Declare the step size, what else may be tuned, and what must not drift.

        A change of the number of epochs or of the minibatch would cost a compilation. A value
        outside of the usual range was meant, and stays.
        """
        params = self._hyperparams.params
        tunable = {
            name: domain
            for name, domain in _TUNABLE.items()
            if name in params and clip(domain, params[name]) == params[name]
        }
        fixed = {
            name: Domain(choices=(params[name],))
            for name in ("n_epochs", "minibatch_size")
            if name in params
        }
        return {**super().hyperparam_space(), **tunable, **fixed}

    def _value(self, inputs: NDArray[Any]) -> FloatArray:
        """Values [B] in the environment's units for prepared observations [B, ...]."""
        values = self._network.head(1, inputs).reshape(-1).astype(np.float64)
        mean, scale = self._value_units()
        return values * scale + mean

    def _value_units(self) -> tuple[float, float]:
        statistics = self._value_statistics
        if statistics is None:
            return 0.0, 1.0
        return float(statistics.mean), float(np.sqrt(statistics.variance + 1e-8))

    def _scaled_targets(self, targets: FloatArray) -> NDArray[np.float32]:
        """Take targets [R] into the statistics and return them in the value output's units."""
        if self._value_statistics is not None:
            self._value_statistics.update(targets)
        mean, scale = self._value_units()
        return ((targets - mean) / scale).astype(np.float32)

    def _advantages(self, window: EpisodeData, flat_values: FloatArray) -> FloatArray:
        """Generalised advantages of all T · N rows; meaningless in those that are no steps."""
        rewards = by_environment(window.rewards)
        terminated, ended = by_environment(window.terminated), by_environment(window.dones)
        valid = None if window.valid is None else by_environment(window.valid)
        values = flat_values.reshape(rewards.shape)
        unseen = ended.copy()
        unseen[-1] = True
        unseen &= ~terminated if valid is None else ~terminated & valid
        successors = np.zeros_like(values)
        successors[:-1] = values[1:]
        if unseen.any():
            rows = window.next_observations[unseen.reshape(window.rewards.shape)]
            successors[unseen] = self._value(self._inputs.batch(rows))
        successors = np.where(terminated, 0.0, successors)
        deltas = rewards + self._settings.gamma * successors - values
        decay = self._settings.gamma * self._settings.gae_lambda
        return generalised_advantages(deltas, ended, decay=decay, valid=valid).ravel()

    def _update_passes(self) -> PPOUpdate:
        if self._passes is None:
            self._passes = PPOUpdate(
                self.model,
                self._head,
                self.optimizer,
                variables=self._trainable_variables(),
                jit_compile=self._is_jit,
            )
        return self._passes

    def _head_variables(self) -> dict[str, Any]:
        return {f"policy/{name}": variable for name, variable in self._head.variables.items()}

    def _agent_arrays(self) -> dict[str, NDArray[Any]]:
        values = {} if self._value_statistics is None else self._value_statistics.state_dict()
        return {
            **super()._agent_arrays(),
            **{f"agent/values/{name}": array for name, array in values.items()},
        }

    def _set_agent_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        super()._set_agent_arrays(arrays)
        if self._value_statistics is not None:
            self._value_statistics.load_state_dict(part_of(arrays, "agent/values/"))
