"""TD3's update: critics each time, actor and targets each few times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, final

from optix_tf._tensorflow import Model, Optimizer, Tensor, tf
from optix_tf.critic_gradients import critic_gradients, value_of
from optix_tf.measured_update import apply_measured
from optix_tf.network import heads_of
from optix_tf.reinforce_update import apply_finite
from optix_tf.replay_updates import ReplayUpdates
from optix_tf.target_network import TargetNetwork


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TD3Networks:
    """What TD3 trains, and what follows it."""

    actor: Model
    """Observation to an action before tanh, [B, A]."""
    target_actor: TargetNetwork
    """Of the actor."""
    critics: Sequence[Model]
    """[observation, action] to a value [B, 1]."""
    target_critics: Sequence[TargetNetwork]
    """Of the critics."""


@final
class TD3Updates(ReplayUpdates):
    """Twin delayed deep deterministic policy gradient.

    Critics: Q_k(o, a) towards R + d min_k Q'_k(o', a') with a' = π'(o') + ε, ε clipped; each
    `policy_delay` updates the actor: up Q_1(o, π(o)), and the targets follow.

    References:
        Fujimoto et al., Addressing function approximation error in actor-critic methods, 2018.
        Lillicrap et al., Continuous control with deep reinforcement learning, 2016.
    """

    measures: ClassVar[tuple[str, ...]] = (
        "critic_loss",
        "actor_loss",
        "q_mean",
        "grad_norm",
        "update_ratio",
        "update_skipped",
    )

    def __init__(self, networks: TD3Networks, optimizer: Optimizer, *, jit_compile: bool) -> None:
        """Update these networks with this optimizer, which has its slots already."""
        super().__init__(jit_compile=jit_compile)
        self._networks = networks
        self._optimizer = optimizer

    def update(
        self, batch: Mapping[str, Tensor], step: Tensor, tunable: Tensor
    ) -> tuple[Sequence[Tensor], Tensor]:
        """Make one update; `noise` is among the columns, [B, A].

        `tunable` is (τ, policy_delay, target_noise, target_noise_limit, 1 for twin and 0 for not).
        """
        tau, delay, noise, limit, is_twin = tf.unstack(tunable)
        added = tf.clip_by_value(noise * batch["noise"], -limit, limit)
        wanted = self._wanted(batch, added, is_twin)
        critic = critic_gradients(self._networks.critics, batch, wanted)
        applied = apply_measured(self._optimizer, critic.gradients, critic.variables)
        is_actors_turn = tf.equal((step + 1) % tf.cast(delay, tf.int32), 0)
        actor_loss, actor_skipped = self._update_actor(batch, tau, is_actors_turn)
        skipped = tf.maximum(applied["update_skipped"], actor_skipped)
        measures = [
            critic.loss,
            actor_loss,
            critic.q_mean,
            applied["grad_norm"],
            applied["update_ratio"],
        ]
        return [*measures, skipped], critic.error_size

    def _wanted(self, batch: Mapping[str, Tensor], added: Tensor, is_twin: Tensor) -> Tensor:
        following = batch["next_observation"]
        chosen = tf.tanh(self._networks.target_actor(following))
        action = tf.clip_by_value(chosen + added, -1.0, 1.0)
        first, second = (
            tf.reshape(target([following, action]), [-1])
            for target in self._networks.target_critics
        )
        ahead = tf.where(is_twin > 0.0, tf.minimum(first, second), first)
        return batch["reward"] + batch["discount"] * ahead

    def _update_actor(
        self, batch: Mapping[str, Tensor], tau: Tensor, is_actors_turn: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the actor's loss and 1 where its update was refused; update if it is its turn."""
        networks, observation = self._networks, batch["observation"]
        variables = [v.value for v in networks.actor.trainable_variables]

        def update() -> tuple[Tensor, Tensor]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(variables)
                action = tf.tanh(heads_of(networks.actor(observation, training=False))[0])
                loss = -tf.reduce_mean(value_of(networks.critics[0], [observation, action]))
            applied = apply_finite(self._optimizer, tape.gradient(loss, variables), variables)
            for target in (networks.target_actor, *networks.target_critics):
                target.follow(tau)
            return loss, applied["update_skipped"]

        nothing = tf.constant(0.0)
        return tf.cond(is_actors_turn, update, lambda: (nothing, nothing))
