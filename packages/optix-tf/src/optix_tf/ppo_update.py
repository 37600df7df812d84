"""All of PPO's passes over one window as one compiled function."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from optix_tf._tensorflow import Model, Optimizer, Tensor, tf
from optix_tf.compiled_function import CompiledFunction
from optix_tf.mirror_layers import Float32Array
from optix_tf.network import heads_of
from optix_tf.policy_head import PolicyHead
from optix_tf.ppo_settings import PPOSettings
from optix_tf.reinforce_update import apply_finite

_MEASURES = ("policy_loss", "value_loss", "entropy", "clip_fraction", "grad_norm", "update_skipped")
_KL_SLACK = 1.5
"""Passes end when the estimated divergence exceeds this many times `target_kl`."""


class _Window(NamedTuple):
    """What the compiled function takes: rows padded to capacity, the deal, what a tuner moves."""

    behaviour_inputs: Tensor
    inputs: Tensor
    actions: Tensor
    advantages: Tensor
    value_targets: Tensor
    mask: Tensor
    indices: Tensor
    weights: Tensor
    n_updates: Tensor
    tunable: Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PPOBatch:
    """The steps of one window, ready to learn from."""

    behaviour_inputs: Float32Array
    """What the network saw when it acted, [R, ...]."""
    inputs: Float32Array
    """The same observations as the network will see them from now on, [R, ...]."""
    actions: NDArray[Any]
    """Encoded actions, [R, k]."""
    advantages: Float32Array
    """Standardised advantages, [R]."""
    value_targets: Float32Array
    """What the value output should say, [R]."""
    capacity: int
    """Rows of the whole window, those that are no steps included, ≥ R."""

    def __len__(self) -> int:
        """R, the number of steps."""
        return len(self.advantages)

    def padded(self, rows: int) -> list[NDArray[Any]]:
        """Return the arrays with rows of zeros appended, which no minibatch takes, and a mask."""
        mask = np.zeros(rows, np.float32)
        mask[: len(self)] = 1.0
        arrays = [
            self.behaviour_inputs,
            self.inputs,
            self.actions,
            self.advantages,
            self.value_targets,
        ]
        return [*(_padded(array, rows) for array in arrays), mask]


class PPOUpdate:
    """Proximal policy optimization with a clipped ratio, all epochs and minibatches in one call.

    Compiled once by XLA for a number of rows; smaller windows are padded to it, so that a window
    with a few rows that are no steps costs no second compilation. What a tuner moves are
    arguments, not constants. Shuffles are drawn outside, by the agent's generator.

    References:
        Schulman et al., Proximal policy optimization algorithms, 2017.
    """

    def __init__(
        self,
        model: Model,
        head: PolicyHead,
        optimizer: Optimizer,
        *,
        variables: Sequence[Any],
        jit_compile: bool,
    ) -> None:
        """Update these variables of this model and its head with this optimizer."""
        self._model = model
        self._head = head
        self._optimizer = optimizer
        self._variables = list(variables)
        self._rows = 0
        self._run = CompiledFunction(self._passes, jit_compile=jit_compile)

    @property
    def n_traces(self) -> int:
        """How often TensorFlow traced it."""
        return self._run.n_traces

    def __call__(
        self, batch: PPOBatch, settings: PPOSettings, rng: np.random.Generator
    ) -> dict[str, float]:
        """Make the passes; a minibatch whose gradient is not finite changes nothing.

        Returns:
            `policy_loss`, `value_loss`, `entropy`, `clip_fraction` and `grad_norm` as means over
            the minibatches, `kl` of the new policy from the old over all rows, `n_updates`, and
            `update_skipped`: how many minibatches were refused.
        """
        self._rows = max(self._rows, batch.capacity)
        indices, weights, n_updates = shuffled_minibatches(
            len(batch), self._rows, settings=settings, rng=rng
        )
        window = _Window(
            *(tf.constant(array) for array in batch.padded(self._rows)),
            indices=tf.constant(indices),
            weights=tf.constant(weights),
            n_updates=tf.constant(n_updates, tf.int32),
            tunable=tf.constant(_tunable(settings), tf.float32),
        )
        return {name: float(value) for name, value in self._run(window).items()}

    def _passes(self, window: _Window) -> dict[str, Tensor]:
        self._head.remember()
        old_outputs = self._outputs(window.behaviour_inputs)[0]
        columns = [
            window.inputs,
            window.actions,
            window.advantages,
            window.value_targets,
            self._head.log_probability(old_outputs, window.actions),
        ]

        def should_go_on(step: Tensor, sums: Tensor, is_over: Tensor) -> Tensor:
            del sums
            return tf.logical_and(step < window.n_updates, tf.logical_not(is_over))

        def update(step: Tensor, sums: Tensor, is_over: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            del is_over
            minibatch = [tf.gather(column, window.indices[step]) for column in columns]
            measures, kl = self._update(minibatch, window.weights[step], window.tunable)
            return step + 1, sums + measures, kl > _KL_SLACK * window.tunable[-1]

        start = (tf.constant(0), tf.zeros(len(_MEASURES)), tf.constant(value=False))
        steps, sums, _ = tf.while_loop(should_go_on, update, start)
        kl = self._head.divergence(old_outputs, self._outputs(window.inputs)[0])
        means = sums / tf.cast(tf.maximum(steps, 1), tf.float32)
        measured = dict(zip(_MEASURES, tf.unstack(means), strict=True))
        return {
            **measured,
            "kl": tf.reduce_sum(kl * window.mask) / tf.reduce_sum(window.mask),
            "n_updates": steps,
            "update_skipped": sums[-1],
        }

    def _update(
        self, minibatch: Sequence[Tensor], weights: Tensor, tunable: Tensor
    ) -> tuple[Tensor, Tensor]:
        inputs, actions, advantages, value_targets, old_log_probabilities = minibatch
        clip_ratio, entropy_coeff, value_coeff, max_grad_norm, _ = tf.unstack(tunable)

        def mean(values: Tensor) -> Tensor:
            return tf.reduce_sum(values * weights) / tf.reduce_sum(weights)

        with tf.GradientTape() as tape:
            outputs, values = self._outputs(inputs)
            log_ratio = self._head.log_probability(outputs, actions) - old_log_probabilities
            ratio = tf.exp(log_ratio)
            clipped = tf.clip_by_value(ratio, 1.0 - clip_ratio, 1.0 + clip_ratio)
            policy_loss = -mean(tf.minimum(ratio * advantages, clipped * advantages))
            value_loss = mean(tf.square(values - value_targets))
            entropy = mean(self._head.entropy(outputs))
            loss = policy_loss + value_coeff * value_loss - entropy_coeff * entropy
        gradients = tape.gradient(loss, self._variables, unconnected_gradients="zero")
        gradients, norm = tf.clip_by_global_norm(gradients, max_grad_norm)
        applied = apply_finite(self._optimizer, gradients, self._variables)
        outside = mean(tf.cast(tf.abs(ratio - 1.0) > clip_ratio, tf.float32))
        measures = [policy_loss, value_loss, entropy, outside, norm, applied["update_skipped"]]
        return tf.stack(measures), mean(ratio - 1.0 - log_ratio)

    def _outputs(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        policy, value, *_ = heads_of(self._model(inputs, training=False))
        return policy, tf.reshape(value, [-1])


def shuffled_minibatches(
    n_rows: int, capacity: int, *, settings: PPOSettings, rng: np.random.Generator
) -> tuple[NDArray[np.int32], Float32Array, int]:
    """Deal the rows out into minibatches of equal size, shuffled anew for each epoch.

    Args:
        n_rows: rows to deal out, ≥ 1.
        capacity: rows that the arrays are made for, ≥ n_rows: their shapes depend on it alone.
        settings: number of epochs and size of a minibatch.
        rng: draws the shuffles.

    Returns:
        Indices [U, minibatch], weights of the same shape, 0 for places left empty, and how many
        of the U minibatches there are to make.
    """
    size = min(settings.minibatch_size, capacity)
    per_epoch = -(-n_rows // size)
    n_updates = settings.n_epochs * per_epoch
    shape = (settings.n_epochs * -(-capacity // size), size)
    indices, weights = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    for epoch in range(settings.n_epochs):
        parts = np.array_split(rng.permutation(n_rows), per_epoch)
        for i, part in enumerate(parts, start=epoch * per_epoch):
            indices[i, : len(part)] = part
            weights[i, : len(part)] = 1.0
    return indices, weights, n_updates


def _tunable(settings: PPOSettings) -> list[float]:
    limit = np.inf if settings.target_kl is None else settings.target_kl
    return [
        settings.clip_ratio,
        settings.entropy_coeff,
        settings.value_coeff,
        settings.max_grad_norm,
        limit,
    ]


def _padded(array: NDArray[Any], rows: int) -> NDArray[Any]:
    if len(array) == rows:
        return array
    return np.concatenate((array, np.zeros((rows - len(array), *array.shape[1:]), array.dtype)))
