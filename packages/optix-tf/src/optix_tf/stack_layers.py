"""A plain Keras policy as a network of one member, ready to be stacked with others."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_core.network_steps import Activate, Activation, Affine, Dense, LayerNorm, Step
from optix_core.stacked_network import StackedNetwork
from optix_tf._tensorflow import Model, keras
from optix_tf.mirror_layers import Float32Array, array_of
from optix_tf.observation_inputs import ObservationInputs
from optix_tf.policy_mirror import chains_of


def network_of(
    model: Model, inputs: ObservationInputs, input_shape: tuple[int, ...]
) -> StackedNetwork | None:
    """Copy a policy's normalisation and its model's first head into a network of one.

    Returns:
        None if the model is no plain stack of layers known here. What it takes are encoded
        observations, flat.
    """
    chains = chains_of(model)
    if chains is None:
        return None
    program = _Program(input_shape)
    scaling = inputs.scaling
    try:
        if scaling is not None:
            mean, inverse_sd, limit = scaling
            program.add_affine(mean.ravel(), inverse_sd.ravel(), 0.0, limit)
        for layer in chains[0]:
            program.add_layer(layer)
    except KeyError:
        return None
    return StackedNetwork.of_one(program.steps, program.arrays) if program.steps else None


class _Program:
    """Steps and their arrays, collected layer by layer."""

    def __init__(self, input_shape: tuple[int, ...]) -> None:
        self.steps: list[Step] = []
        self.arrays: list[Float32Array] = []
        self._width = int(np.prod(input_shape))
        self._is_flat = len(input_shape) == 1

    def add_layer(self, layer: Any) -> None:
        """Append a layer; raises KeyError if it, or one of its options, is not known here."""
        kind: type[object] = layer.__class__
        name = kind.__name__
        if kind is not getattr(keras.layers, name, None) or layer.compute_dtype != "float32":
            raise KeyError(name)
        if name in _NEUTRAL:
            return
        if name == "Flatten":
            self._is_flat = True
            return
        if not self._is_flat:
            raise KeyError(name)
        _TRANSLATIONS[name](self, layer)

    def add_dense(self, layer: Any) -> None:
        kernel = array_of(layer.kernel)
        if kernel.shape[0] != self._width:
            raise KeyError(kernel.shape)
        bias = array_of(layer.bias) if layer.use_bias else np.zeros(kernel.shape[1], np.float32)
        n_inputs, self._width = kernel.shape
        self._add(Dense(n_inputs=n_inputs, n_outputs=self._width), kernel, bias)
        self.add_activation(_activation_of(layer.activation))

    def add_batch_normalisation(self, layer: Any) -> None:
        _require_last_axis(layer)
        variance = array_of(layer.moving_variance).astype(np.float64)
        scale = 1.0 / np.sqrt(variance + layer.epsilon)
        if layer.scale:
            scale = scale * array_of(layer.gamma)
        offset = array_of(layer.beta) if layer.center else 0.0
        self.add_affine(array_of(layer.moving_mean), scale, offset)

    def add_layer_normalisation(self, layer: Any) -> None:
        _require_last_axis(layer)
        scale = array_of(layer.gamma) if layer.scale else np.ones(self._width, np.float32)
        offset = array_of(layer.beta) if layer.center else np.zeros(self._width, np.float32)
        self._add(LayerNorm(width=self._width, epsilon=float(layer.epsilon)), scale, offset)

    def add_rescaling(self, layer: Any) -> None:
        self.add_affine(0.0, layer.scale, layer.offset)

    def add_activation_layer(self, layer: Any) -> None:
        self.add_activation(_activation_of(layer.activation))

    def add_relu(self, layer: Any) -> None:
        if layer.max_value is not None or layer.threshold:
            raise KeyError(layer.max_value)
        slope = float(layer.negative_slope)
        self.add_activation((Activation.LEAKY_RELU if slope else Activation.RELU, slope))

    def add_leaky_relu(self, layer: Any) -> None:
        self.add_activation((Activation.LEAKY_RELU, float(layer.negative_slope)))

    def add_activation(self, activation: tuple[Activation, float]) -> None:
        """Append an activation, as part of the dense layer before it where there is one."""
        kind, slope = activation
        if kind is Activation.LINEAR:
            return
        last = self.steps[-1] if self.steps else None
        if isinstance(last, Dense) and last.activation is Activation.LINEAR:
            self.steps[-1] = dataclasses.replace(last, activation=kind, slope=slope)
        else:
            self._add(Activate(width=self._width, activation=kind, slope=slope))

    def add_affine(self, shift: Any, scale: Any, offset: Any, limit: float = np.inf) -> None:
        full = (np.broadcast_to(np.asarray(a), (self._width,)) for a in (shift, scale, offset))
        self._add(Affine(width=self._width, limit=limit), *full)

    def _add(self, step: Step, *arrays: NDArray[Any]) -> None:
        self.steps.append(step)
        self.arrays.extend(np.asarray(array, np.float32) for array in arrays)


_NEUTRAL = frozenset(
    {
        "ActivityRegularization",
        "AlphaDropout",
        "Dropout",
        "GaussianDropout",
        "GaussianNoise",
        "Identity",
        "InputLayer",
    }
)
"""Layers that do nothing at inference."""

_TRANSLATIONS: dict[str, Callable[[_Program, Any], None]] = {
    "Activation": _Program.add_activation_layer,
    "BatchNormalization": _Program.add_batch_normalisation,
    "Dense": _Program.add_dense,
    "LayerNormalization": _Program.add_layer_normalisation,
    "LeakyReLU": _Program.add_leaky_relu,
    "ReLU": _Program.add_relu,
    "Rescaling": _Program.add_rescaling,
}


def _activation_of(function: Any) -> tuple[Activation, float]:
    activations = keras.activations
    known: dict[Any, tuple[Activation, float]] = {
        activations.linear: (Activation.LINEAR, 0.0),
        activations.relu: (Activation.RELU, 0.0),
        activations.tanh: (Activation.TANH, 0.0),
        activations.sigmoid: (Activation.SIGMOID, 0.0),
        activations.silu: (Activation.SILU, 0.0),
        activations.softplus: (Activation.SOFTPLUS, 0.0),
        activations.elu: (Activation.ELU, 0.0),
        activations.leaky_relu: (Activation.LEAKY_RELU, 0.2),
    }
    return known[function]


def _require_last_axis(layer: Any) -> None:
    # With a batch of vectors the last axis is 1 too; anything else is left to Keras.
    if layer.axis not in (-1, 1, [-1], [1]):
        raise KeyError(layer.axis)
