"""DQN's update: values towards bootstrapped returns."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, final

from optix_tf._tensorflow import Model, Optimizer, Tensor, tf
from optix_tf.measured_update import apply_measured
from optix_tf.network import heads_of
from optix_tf.replay_updates import ReplayUpdates
from optix_tf.target_network import TargetNetwork


@final
class DQNUpdates(ReplayUpdates):
    """Moves Q(o, a) towards R + d · Q'(o', argmax Q(o', ·)) by Huber's loss.

    Without `is_double` the maximum is that of Q' itself.

    References:
        Mnih et al., Human-level control through deep reinforcement learning, 2015.
        van Hasselt et al., Deep reinforcement learning with double Q-learning, 2016.
    """

    measures: ClassVar[tuple[str, ...]] = (
        "loss",
        "q_mean",
        "td_error",
        "grad_norm",
        "update_ratio",
        "update_skipped",
    )

    def __init__(
        self, model: Model, target: TargetNetwork, optimizer: Optimizer, *, jit_compile: bool
    ) -> None:
        """Update this model with this optimizer, which has its slots already."""
        super().__init__(jit_compile=jit_compile)
        self._model = model
        self._target = target
        self._optimizer = optimizer

    def update(
        self, batch: Mapping[str, Tensor], step: Tensor, tunable: Tensor
    ) -> tuple[Sequence[Tensor], Tensor]:
        """Make one update; `tunable` is (τ, max_grad_norm, 1 for double and 0 for not)."""
        del step
        tau, max_grad_norm, is_double = tf.unstack(tunable)
        following = batch["next_observation"]
        target_values = self._target(following)
        online = heads_of(self._model(following, training=False))[0]
        chooser = tf.where(is_double > 0.0, online, target_values)
        ahead = tf.gather(target_values, tf.argmax(chooser, axis=-1), batch_dims=1)
        wanted = batch["reward"] + batch["discount"] * ahead
        variables = self._model.trainable_variables
        with tf.GradientTape() as tape:
            values = heads_of(self._model(batch["observation"], training=False))[0]
            chosen = tf.gather(values, batch["action"], batch_dims=1)
            errors = wanted - chosen
            size = tf.abs(errors)
            huber = tf.where(size < 1.0, 0.5 * tf.square(errors), size - 0.5)
            loss = tf.reduce_mean(batch["weight"] * huber)
        gradients = tape.gradient(loss, variables)
        gradients, norm = tf.clip_by_global_norm(gradients, max_grad_norm)
        applied = apply_measured(self._optimizer, gradients, variables)
        self._target.follow(tau)
        measures = [
            loss,
            tf.reduce_mean(chosen),
            tf.reduce_mean(size),
            norm,
            applied["update_ratio"],
        ]
        return [*measures, applied["update_skipped"]], errors
