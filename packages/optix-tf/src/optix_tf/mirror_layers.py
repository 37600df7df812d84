"""Keras layers as they act at inference, each a NumPy function of its present weights."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_tf._tensorflow import keras

Float32Array = NDArray[np.float32]
ArrayFn = Callable[[Float32Array], Float32Array]
InPlaceFn = Callable[[Float32Array], Any]

_ZERO = np.float32(0)
_ONE = np.float32(1)


@dataclass(frozen=True, slots=True, eq=False)
class DenseStep:
    """A `Dense` layer: x ↦ activation(x · kernel + bias)."""

    kernel: Float32Array
    """[inputs, units]."""
    bias: Float32Array
    """[units]; zeros where the layer has none."""
    activate: InPlaceFn | None
    """Overwrites its argument with the activation; None for the identity."""

    def __call__(self, x: Float32Array) -> Float32Array:
        """Apply the layer to the last axis."""
        y = x @ self.kernel
        y += self.bias
        if self.activate is not None:
            self.activate(y)
        return y


MirrorStep = DenseStep | ArrayFn


def _relu(x: Float32Array) -> None:
    np.maximum(x, _ZERO, out=x)


def _tanh(x: Float32Array) -> None:
    np.tanh(x, out=x)


def _sigmoid(x: Float32Array) -> None:
    # tanh saturates where exp would overflow.
    x *= np.float32(0.5)
    np.tanh(x, out=x)
    x += _ONE
    x *= np.float32(0.5)


def _silu(x: Float32Array) -> None:
    gate = x.copy()
    _sigmoid(gate)
    x *= gate


def _softplus(x: Float32Array) -> None:
    np.logaddexp(x, _ZERO, out=x)


def _elu(x: Float32Array) -> None:
    np.copyto(x, np.expm1(np.minimum(x, _ZERO)), where=x < 0)


def _leaky_relu(slope: float) -> InPlaceFn:
    factor = np.float32(slope)

    def apply(x: Float32Array) -> None:
        np.multiply(x, factor, out=x, where=x < 0)

    return apply


def _activation(function: Any) -> InPlaceFn | None:
    """Find the NumPy form of a Keras activation.

    Raises:
        KeyError: if there is none.
    """
    activations = keras.activations
    known: dict[Any, InPlaceFn | None] = {
        activations.linear: None,
        activations.relu: _relu,
        activations.tanh: _tanh,
        activations.sigmoid: _sigmoid,
        activations.silu: _silu,
        activations.softplus: _softplus,
        activations.elu: _elu,
        activations.leaky_relu: _leaky_relu(0.2),
    }
    return known[function]


def _out_of_place(activate: InPlaceFn) -> ArrayFn:
    def apply(x: Float32Array) -> Float32Array:
        y = x.copy()
        activate(y)
        return y

    return apply


def _affine(scale: Any, offset: Any) -> ArrayFn:
    factor, shift = np.asarray(scale, np.float32), np.asarray(offset, np.float32)
    return lambda x: x * factor + shift


def _dense(layer: Any) -> list[MirrorStep]:
    kernel = array_of(layer.kernel)
    bias = array_of(layer.bias) if layer.use_bias else np.zeros(kernel.shape[1], np.float32)
    return [DenseStep(kernel, bias, _activation(layer.activation))]


def _batch_normalisation(layer: Any) -> list[MirrorStep]:
    _require_last_axis(layer)
    mean, variance = array_of(layer.moving_mean), array_of(layer.moving_variance)
    scale = 1.0 / np.sqrt(variance.astype(np.float64) + layer.epsilon)
    if layer.scale:
        scale = scale * array_of(layer.gamma)
    offset = -mean * scale
    if layer.center:
        offset = offset + array_of(layer.beta)
    return [_affine(scale, offset)]


def _layer_normalisation(layer: Any) -> list[MirrorStep]:
    _require_last_axis(layer)
    epsilon = np.float32(layer.epsilon)

    def normalise(x: Float32Array) -> Float32Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        return centred / np.sqrt(variance + epsilon)

    scale = array_of(layer.gamma) if layer.scale else _ONE
    offset = array_of(layer.beta) if layer.center else _ZERO
    return [normalise, _affine(scale, offset)]


def _require_last_axis(layer: Any) -> None:
    # With a batch of vectors the last axis is 1 too; anything else is left to Keras.
    if layer.axis not in (-1, 1, [-1], [1]) or len(layer.input.shape[1:]) != 1:
        raise KeyError(layer.axis)


def _flatten(layer: Any) -> list[MirrorStep]:
    del layer
    return [lambda x: x.reshape(len(x), math.prod(x.shape[1:]))]


def _activation_layer(function: Any) -> list[MirrorStep]:
    activate = _activation(function)
    return [] if activate is None else [_out_of_place(activate)]


def _relu_layer(layer: Any) -> list[MirrorStep]:
    if layer.max_value is not None or layer.threshold:
        raise KeyError(layer.max_value)
    slope = float(layer.negative_slope)
    return [_out_of_place(_leaky_relu(slope) if slope else _relu)]


def _nothing(layer: Any) -> list[MirrorStep]:
    del layer
    return []


_TRANSLATIONS: dict[str, Callable[[Any], list[MirrorStep]]] = {
    "InputLayer": _nothing,
    "Identity": _nothing,
    "Dropout": _nothing,
    "GaussianDropout": _nothing,
    "GaussianNoise": _nothing,
    "AlphaDropout": _nothing,
    "ActivityRegularization": _nothing,
    "Dense": _dense,
    "BatchNormalization": _batch_normalisation,
    "LayerNormalization": _layer_normalisation,
    "Flatten": _flatten,
    "Rescaling": lambda layer: [_affine(layer.scale, layer.offset)],
    "Activation": lambda layer: _activation_layer(layer.activation),
    "ReLU": _relu_layer,
    "LeakyReLU": lambda layer: [_out_of_place(_leaky_relu(float(layer.negative_slope)))],
}


def steps_of(layer: Any) -> list[MirrorStep]:
    """Translate one layer with its present weights.

    Raises:
        KeyError: if the layer, or one of its options, has no NumPy form here. A subclass of a
            known layer has none: it may compute anything.
    """
    kind: type[object] = layer.__class__
    if kind is not getattr(keras.layers, kind.__name__, None) or layer.compute_dtype != "float32":
        raise KeyError(kind.__name__)
    return _TRANSLATIONS[kind.__name__](layer)


def array_of(variable: Any) -> Float32Array:
    """Copy a Keras variable into an array."""
    return np.array(variable.numpy())
