"""Plain stacks of dense layers, the networks that agents make for themselves."""

from collections.abc import Sequence

import numpy as np

from optix_tf._tensorflow import Model, keras


def build_plain_network(
    input_shape: tuple[int, ...],
    n_outputs: int,
    *,
    rng: np.random.Generator,
    hidden: Sequence[int],
    output_scale: float = 1.0,
    is_normalised: bool = False,
) -> Model:
    """Build a model of hidden layers with rectifiers and a linear output [B, n_outputs].

    Args:
        input_shape: of one input; more than one axis is flattened.
        n_outputs: width of the output.
        rng: what the initial weights are drawn from (He et al., 2015).
        hidden: width of each hidden layer.
        is_normalised: whether each hidden layer is normalised before its rectifier.
        output_scale: variance of the output layer's weights, relative to the others'.
    """

    def dense(units: int, scale: float, activation: str | None) -> object:
        seed = int(rng.integers(2**31))
        start = keras.initializers.VarianceScaling(scale, distribution="uniform", seed=seed)
        return keras.layers.Dense(units, activation=activation, kernel_initializer=start)

    layers = [keras.Input(input_shape)]
    if len(input_shape) != 1:
        layers.append(keras.layers.Flatten())
    for width in hidden:
        if is_normalised:
            layers += [
                dense(width, 2.0, None),
                keras.layers.LayerNormalization(),
                keras.layers.ReLU(),
            ]
        else:
            layers.append(dense(width, 2.0, "relu"))
    return keras.Sequential([*layers, dense(n_outputs, output_scale, None)])
