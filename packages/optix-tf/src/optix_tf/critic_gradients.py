"""What critics of observation and action learn from one minibatch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optix_tf._tensorflow import Model, Tensor, tf
from optix_tf.network import heads_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CriticGradients:
    """The gradient of all critics' loss, and what is measured on the way."""

    variables: Sequence[Any]
    """Values of the critics' trainable variables, one critic after the other."""
    gradients: Sequence[Tensor]
    """One for each variable."""
    loss: Tensor
    """Sum over critics of the mean of w δ²."""
    q_mean: Tensor
    """Mean of the first critic's values."""
    error_size: Tensor
    """Mean of |δ| over the critics, for each row: [B]."""


def critic_gradients(
    critics: Sequence[Model], batch: Mapping[str, Tensor], wanted: Tensor
) -> CriticGradients:
    """Differentiate Σ_k mean(w δ_k²), δ_k = wanted − Q_k(o, a), inside a compiled function.

    Args:
        critics: [observation, action] to a value [B, 1]; at least one.
        batch: `observation`, `action` and the rows' weights w, `weight`: columns [B, ...].
        wanted: the values that are learned, [B]; no gradient flows into them.
    """
    variables = [v.value for critic in critics for v in critic.trainable_variables]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(variables)
        pair = [batch["observation"], batch["action"]]
        errors = [wanted - value_of(critic, pair) for critic in critics]
        loss = tf.add_n([tf.reduce_mean(batch["weight"] * e * e) for e in errors])
    return CriticGradients(
        variables=variables,
        gradients=tape.gradient(loss, variables),
        loss=loss,
        q_mean=tf.reduce_mean(wanted - errors[0]),
        error_size=tf.add_n([tf.abs(error) for error in errors]) / len(errors),
    )


def value_of(critic: Model, pair: Sequence[Tensor]) -> Tensor:
    """Return a critic's values [B] of [observations, actions], at inference."""
    return tf.reshape(heads_of(critic(pair, training=False))[0], [-1])
