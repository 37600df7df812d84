"""SAC's update: critics, actor and temperature at once."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

from optix_tf._tensorflow import Model, Optimizer, Tensor, tf
from optix_tf.critic_gradients import critic_gradients, value_of
from optix_tf.measured_update import apply_measured
from optix_tf.network import heads_of
from optix_tf.replay_updates import ReplayUpdates
from optix_tf.target_network import TargetNetwork

LOG_STD_RANGE = (-5.0, 2.0)
"""The logarithm of the actor's standard deviation is held within."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SACNetworks:
    """What SAC trains, and what follows it."""

    actor: Model
    """Observation to mean and log standard deviation, one behind the other: [B, 2A]."""
    critics: Sequence[Model]
    """[observation, action] to a value [B, 1]."""
    targets: Sequence[TargetNetwork]
    """Of the critics."""
    log_temperature: Any
    """A variable."""


@final
class SACUpdates(ReplayUpdates):
    """Soft actor-critic with two critics and a temperature that is learned.

    Critics: Q_k(o, a) towards R + d (min_k Q'_k(o', a') − α log π(a'|o')); actor: down
    α log π(a|o) − min_k Q_k(o, a) with a = tanh(μ + σ ε); temperature: log α down
    (−log π(a|o) − H) · log α, for the wanted entropy H. All gradients are taken at the same
    weights and go into one optimizer, so that there is one step size. The actor's loss does not
    compute the critics' gradients, a sixth of the arithmetic.

    References:
        Haarnoja et al., Soft actor-critic algorithms and applications, 2018.
    """

    measures: ClassVar[tuple[str, ...]] = (
        "critic_loss",
        "actor_loss",
        "q_mean",
        "entropy",
        "temperature",
        "grad_norm",
        "update_ratio",
        "update_skipped",
    )

    def __init__(self, networks: SACNetworks, optimizer: Optimizer, *, jit_compile: bool) -> None:
        """Update these networks with this optimizer, which has its slots already."""
        super().__init__(jit_compile=jit_compile)
        self._networks = networks
        self._optimizer = optimizer

    def update(
        self, batch: Mapping[str, Tensor], step: Tensor, tunable: Tensor
    ) -> tuple[Sequence[Tensor], Tensor]:
        """Make one update; `noise` is among the columns, [B, 2, A].

        `tunable` is (τ, wanted entropy).
        """
        del step
        tau, wanted_entropy = tf.unstack(tunable)
        networks = self._networks
        log_temperature = networks.log_temperature.value
        temperature = tf.exp(log_temperature)
        critic = critic_gradients(networks.critics, batch, self._wanted(batch, temperature))
        actor_variables = [v.value for v in networks.actor.trainable_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(actor_variables)
            action, log_probability = self._policy(batch["observation"], batch["noise"][:, 0])
            pair = [batch["observation"], action]
            values = tf.minimum(*(value_of(model, pair) for model in networks.critics))
            actor_loss = tf.reduce_mean(temperature * log_probability - values)
        actor_gradients = tape.gradient(actor_loss, actor_variables)
        entropy = -tf.reduce_mean(log_probability)
        gradients = [*actor_gradients, *critic.gradients, entropy - wanted_entropy]
        variables = [*actor_variables, *critic.variables, log_temperature]
        applied = apply_measured(self._optimizer, gradients, variables)
        for target in networks.targets:
            target.follow(tau)
        measures = [critic.loss, actor_loss, critic.q_mean, entropy, temperature]
        return [
            *measures,
            applied["grad_norm"],
            applied["update_ratio"],
            applied["update_skipped"],
        ], critic.error_size

    def _wanted(self, batch: Mapping[str, Tensor], temperature: Tensor) -> Tensor:
        action, log_probability = self._policy(batch["next_observation"], batch["noise"][:, 1])
        pair = [batch["next_observation"], action]
        ahead = tf.minimum(*(tf.reshape(t(pair), [-1]) for t in self._networks.targets))
        return batch["reward"] + batch["discount"] * (ahead - temperature * log_probability)

    def _policy(self, observations: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Actions [B, A] from −1 to 1, and their log-likelihoods [B]."""
        outputs = heads_of(self._networks.actor(observations, training=False))[0]
        mean, log_std = tf.split(outputs, 2, axis=-1)
        log_std = tf.clip_by_value(log_std, *LOG_STD_RANGE)
        free = mean + tf.exp(log_std) * noise
        # log(1 − tanh² u) = 2 (log 2 − u − softplus(−2u)), which does not round to log 0.
        squeeze = 2.0 * (math.log(2.0) - free - tf.nn.softplus(-2.0 * free))
        each = -0.5 * tf.square(noise) - log_std - 0.5 * math.log(2.0 * math.pi) - squeeze
        return tf.tanh(free), tf.reduce_sum(each, axis=-1)
