"""The steps that plain networks are made of, each applied to many members at once.

A step says by its numbers alone what it computes; weights are passed in, one member a row. Hidden
values lie in arrays [members, B, width + 1] whose last column is 1: it carries the next layer's
bias, so that a dense layer is one product without a pass of its own for the bias.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_core.errors import ConfigurationError

AnyFloats = NDArray[np.floating[Any]]
InPlace = Callable[[AnyFloats], object]
Applied = Callable[[], object]
"""One step of one block of members, bound to the arrays that it reads and writes."""


class Activation(StrEnum):
    """Functions of one number that a step may apply to each of its outputs."""

    LINEAR = "linear"
    RELU = "relu"
    LEAKY_RELU = "leaky_relu"
    """`slope` · x below zero."""
    TANH = "tanh"
    SIGMOID = "sigmoid"
    SILU = "silu"
    SOFTPLUS = "softplus"
    ELU = "elu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense:
    """x ↦ activation(x · kernel + bias).

    Weights: kernel [n_inputs, n_outputs], bias [n_outputs].
    """

    n_inputs: int
    n_outputs: int
    activation: Activation = Activation.LINEAR
    slope: float = 0.0
    """Of LEAKY_RELU."""

    def __post_init__(self) -> None:
        if self.n_inputs < 1 or self.n_outputs < 1:
            raise ConfigurationError(
                f"a layer needs inputs and outputs, got {self.n_inputs} and {self.n_outputs}"
            )

    @property
    def n_weights(self) -> int:
        """Numbers of one member."""
        return (self.n_inputs + 1) * self.n_outputs

    def bind(self, source: AnyFloats, weights: AnyFloats, target: AnyFloats) -> Applied:
        """Make the step from `source` [·, B, n_inputs + 1] to `target` [M, B, n_outputs]."""
        matrices = weights.reshape(len(weights), self.n_inputs + 1, self.n_outputs)
        activate = in_place(self.activation, self.slope)
        multiply = partial(np.matmul, source, matrices, target)
        if activate is None:
            return multiply

        def apply() -> None:
            multiply()
            activate(target)

        return apply


@dataclass(frozen=True, slots=True, kw_only=True)
class _KeepsWidth:
    """What steps whose output is as wide as their input have in common."""

    width: int

    @property
    def n_inputs(self) -> int:
        """Width of the input."""
        return self.width

    @property
    def n_outputs(self) -> int:
        """Width of the output."""
        return self.width


@dataclass(frozen=True, slots=True, kw_only=True)
class Affine(_KeepsWidth):
    """x ↦ clip((x − shift) · scale + offset, ±limit). Weights: shift, scale, offset, each [width].

    Normalisation of observations and of batches at inference. The shift comes first, since a mean
    that is large against the spread would otherwise cost all digits.
    """

    limit: float = math.inf

    @property
    def n_weights(self) -> int:
        """Numbers of one member."""
        return 3 * self.width

    def bind(self, source: AnyFloats, weights: AnyFloats, target: AnyFloats) -> Applied:
        """Make the step from `source` [·, B, width + 1] to `target` [M, B, width]."""
        shift, scale, offset = np.moveaxis(weights.reshape(len(weights), 3, 1, self.width), 1, 0)
        values = source[..., :-1]
        limit = target.dtype.type(self.limit)

        def apply() -> None:
            np.subtract(values, shift, out=target)
            np.multiply(target, scale, out=target)
            np.add(target, offset, out=target)
            if limit < math.inf:
                np.minimum(target, limit, out=target)
                np.maximum(target, -limit, out=target)

        return apply


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerNorm(_KeepsWidth):
    """x ↦ (x − mean(x)) / √(var(x) + epsilon) · scale + offset. Weights: scale, offset [width]."""

    epsilon: float

    @property
    def n_weights(self) -> int:
        """Numbers of one member."""
        return 2 * self.width

    def bind(self, source: AnyFloats, weights: AnyFloats, target: AnyFloats) -> Applied:
        """Make the step from `source` [·, B, width + 1] to `target` [M, B, width]."""
        scale, offset = np.moveaxis(weights.reshape(len(weights), 2, 1, self.width), 1, 0)
        values = source[..., :-1]
        epsilon, share = target.dtype.type(self.epsilon), target.dtype.type(1.0 / self.width)

        def apply() -> None:
            # `np.mean` and `np.var` cost several times these on the few numbers of one row.
            mean = np.add.reduce(values, axis=-1, keepdims=True) * share
            np.subtract(values, mean, out=target)
            spread = np.vecdot(target, target)[..., np.newaxis] * share
            np.multiply(target, scale / np.sqrt(spread + epsilon), out=target)
            np.add(target, offset, out=target)

        return apply


@dataclass(frozen=True, slots=True, kw_only=True)
class Activate(_KeepsWidth):
    """x ↦ activation(x), for an activation that follows no dense layer."""

    activation: Activation
    slope: float = 0.0

    @property
    def n_weights(self) -> int:
        """Numbers of one member."""
        return 0

    def bind(self, source: AnyFloats, weights: AnyFloats, target: AnyFloats) -> Applied:
        """Make the step from `source` [·, B, width + 1] to `target` [M, B, width]."""
        del weights
        values = source[..., :-1]
        activate = in_place(self.activation, self.slope)

        def apply() -> None:
            np.copyto(target, values)
            if activate is not None:
                activate(target)

        return apply


Step = Dense | Affine | LayerNorm | Activate


def in_place(activation: Activation, slope: float = 0.0) -> InPlace | None:
    """Find the function that overwrites an array with its activation; None for the identity."""
    if activation is Activation.LEAKY_RELU:
        return lambda x: np.multiply(x, x.dtype.type(slope), out=x, where=x < 0)
    return _IN_PLACE[activation]


def _relu(x: AnyFloats) -> None:
    np.maximum(x, _ZEROS[x.dtype], out=x)


def _tanh(x: AnyFloats) -> None:
    np.tanh(x, out=x)


def _sigmoid(x: AnyFloats) -> None:
    # tanh saturates where exp would overflow.
    x *= 0.5
    np.tanh(x, out=x)
    x += 1.0
    x *= 0.5


def _silu(x: AnyFloats) -> None:
    gate = x.copy()
    _sigmoid(gate)
    x *= gate


def _softplus(x: AnyFloats) -> None:
    np.logaddexp(x, _ZEROS[x.dtype], out=x)


def _elu(x: AnyFloats) -> None:
    np.copyto(x, np.expm1(np.minimum(x, _ZEROS[x.dtype])), where=x < 0)


# A Python zero is converted at every call.
_ZEROS: dict[np.dtype[Any], Any] = {
    np.dtype(np.float32): np.float32(0),
    np.dtype(np.float64): np.float64(0),
}
_IN_PLACE: dict[Activation, InPlace | None] = {
    Activation.LINEAR: None,
    Activation.RELU: _relu,
    Activation.TANH: _tanh,
    Activation.SIGMOID: _sigmoid,
    Activation.SILU: _silu,
    Activation.SOFTPLUS: _softplus,
    Activation.ELU: _elu,
}
