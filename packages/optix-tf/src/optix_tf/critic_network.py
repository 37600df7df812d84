"""The ready-made networks of actor-critic agents."""

from collections.abc import Sequence

import numpy as np

from optix_tf._tensorflow import Model, keras
from optix_tf.plain_network import build_plain_network


def build_critic(
    observation_shape: tuple[int, ...],
    n_actions: int,
    *,
    rng: np.random.Generator,
    hidden: Sequence[int],
) -> Model:
    """Build a model from [observation, action] to a value [B, 1]: one plain stack on both.

    Args:
        observation_shape: of one observation; more than one axis is flattened.
        n_actions: components of an action.
        rng: what the initial weights are drawn from.
        hidden: width of each hidden layer.
    """
    observation = keras.Input(observation_shape, name="observation")
    action = keras.Input((n_actions,), name="action")
    is_flat = len(observation_shape) == 1
    flat = observation if is_flat else keras.layers.Flatten()(observation)
    joined = keras.layers.Concatenate()([flat, action])
    stack = build_plain_network((int(joined.shape[-1]),), 1, rng=rng, hidden=hidden)
    return keras.Model([observation, action], stack(joined))
