"""One step of REINFORCE as one compiled function."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_tf._tensorflow import Model, Optimizer, Tensor, tf
from optix_tf.network import heads_of


class ReinforceUpdate:
    """Moves a model along the gradient of mean(advantage · log π(action | observation)).

    Traced once: the number of rows is left open.
    """

    def __init__(self, model: Model, optimizer: Optimizer) -> None:
        """Update this model with this optimizer, which has its slots already."""
        self._model = model
        self._optimizer = optimizer
        self._traced: Any = None

    @property
    def n_traces(self) -> int:
        """How often TensorFlow traced it."""
        return 0 if self._traced is None else int(self._traced.experimental_get_tracing_count())

    def __call__(
        self,
        observations: NDArray[Any],
        actions: NDArray[np.int32],
        advantages: NDArray[np.float64],
    ) -> dict[str, float]:
        """Make one step; a gradient that is not finite changes nothing.

        Returns:
            `loss`, `entropy`, `grad_norm` and `update_skipped`.
        """
        if self._traced is None:
            signature = [
                tf.TensorSpec([None, *observations.shape[1:]], observations.dtype),
                tf.TensorSpec([None], tf.int32),
                tf.TensorSpec([None], tf.float32),
            ]
            self._traced = tf.function(self._step, signature, autograph=False)
        results = self._traced(
            tf.constant(observations),
            tf.constant(actions),
            tf.constant(advantages.astype(np.float32)),
        )
        return {name: float(value) for name, value in results.items()}

    def _step(self, observations: Tensor, actions: Tensor, advantages: Tensor) -> dict[str, Tensor]:
        variables = self._model.trainable_variables
        with tf.GradientTape() as tape:
            logits = heads_of(self._model(observations, training=True))[0]
            log_probabilities = tf.nn.log_softmax(logits)
            chosen = tf.gather(log_probabilities, actions, batch_dims=1)
            loss = -tf.reduce_mean(advantages * chosen)
        gradients = tape.gradient(loss, variables)
        return {
            "loss": loss,
            "entropy": -tf.reduce_mean(
                tf.reduce_sum(tf.exp(log_probabilities) * log_probabilities, axis=-1)
            ),
            **apply_finite(self._optimizer, gradients, variables),
        }


def apply_finite(optimizer: Optimizer, gradients: Any, variables: Any) -> dict[str, Tensor]:
    """Apply gradients if all are finite, inside a compiled function.

    Args:
        optimizer: with its slots built.
        gradients: one a variable; None where a variable has no part in the loss.
        variables: what they belong to.

    Returns:
        `grad_norm`, and `update_skipped` as 0.0 or 1.0.
    """
    filled = [
        tf.zeros_like(variable) if gradient is None else gradient
        for gradient, variable in zip(gradients, variables, strict=True)
    ]
    norm = tf.linalg.global_norm(filled)

    def apply() -> Tensor:
        optimizer.apply(filled, variables)
        return tf.constant(0.0)

    skipped = tf.cond(tf.math.is_finite(norm), apply, lambda: tf.constant(1.0))
    return {"grad_norm": norm, "update_skipped": skipped}
