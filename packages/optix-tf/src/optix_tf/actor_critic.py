"""The ready-made network of PPO: two towers, one for the policy and one for the value."""

import math

import numpy as np

from optix_tf._tensorflow import Model, keras

_HIDDEN_GAIN = math.sqrt(2.0)
_POLICY_GAIN = 0.01
"""So small that the first policy is all but uniform, whatever it sees."""


def build_actor_critic(
    input_shape: tuple[int, ...],
    n_outputs: int,
    *,
    rng: np.random.Generator,
    hidden: tuple[int, ...] = (64, 64),
) -> Model:
    """Build a model with outputs [policy [B, n_outputs], value [B, 1]] that share no weights.

    Args:
        input_shape: of one observation.
        n_outputs: width of the policy output.
        rng: what the orthogonal initial weights are drawn from.
        hidden: width of each hidden layer of a tower; tanh.
    """
    inputs = keras.Input(input_shape, name="observation")

    def dense(units: int, gain: float, activation: str | None) -> object:
        seed = int(rng.integers(2**31))
        start = keras.initializers.Orthogonal(gain, seed=seed)
        return keras.layers.Dense(units, activation=activation, kernel_initializer=start)

    def tower(units: int, gain: float) -> object:
        x = inputs if len(input_shape) == 1 else keras.layers.Flatten()(inputs)
        layers = [dense(width, _HIDDEN_GAIN, "tanh") for width in hidden]
        for layer in [*layers, dense(units, gain, None)]:
            x = layer(x)  # pyright: ignore[reportCallIssue, reportUnknownVariableType]
        return x  # pyright: ignore[reportUnknownVariableType]

    return keras.Model(inputs, [tower(n_outputs, _POLICY_GAIN), tower(1, 1.0)])
