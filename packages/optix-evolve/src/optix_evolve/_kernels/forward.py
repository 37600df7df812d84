"""Forward passes of many plain networks for few observations, one network a row of weights."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_evolve._kernels._jit import kernel

AnyFloats = NDArray[np.floating[Any]]

DENSE, AFFINE, LAYER_NORM, ACTIVATE = range(4)
LINEAR, RELU, LEAKY_RELU, TANH, SIGMOID, SILU, SOFTPLUS, ELU = range(8)

# A layer walks its kernel row by row, eight at a time: the products of a row are then vector
# instructions, and the sums are read and written once in eight.


@kernel
def forward(
    inputs: AnyFloats,
    weights: AnyFloats,
    plan: tuple[NDArray[np.int64], AnyFloats, AnyFloats],
    out: AnyFloats,
) -> None:
    """Write the outputs of every member for every input to `out`.

    Args:
        inputs: [B, n_inputs].
        weights: [M, n_weights], as `StackedNetwork` keeps them.
        plan: operation, inputs, outputs and activation of each step, [steps, 4]; its slope, limit
            or epsilon, [steps]; scratch of [2, widest step].
        out: [M, B, n_outputs].
    """
    program, numbers, scratch = plan
    steps = len(program)
    for member in range(len(weights)):
        for row in range(len(inputs)):
            source = inputs[row]
            offset = 0
            for s in range(steps):
                operation, n_in, n_out = program[s, 0], program[s, 1], program[s, 2]
                target = scratch[s % 2, :n_out]
                own = weights[member, offset:]
                if operation == DENSE:
                    _dense(source, own, target, n_in)
                    offset += (n_in + 1) * n_out
                elif operation == AFFINE:
                    _affine(source, own, target, numbers[s])
                    offset += 3 * n_out
                elif operation == LAYER_NORM:
                    _layer_norm(source, own, target, numbers[s])
                    offset += 2 * n_out
                else:
                    target[:] = source[:n_out]
                _activate(target, program[s, 3], numbers[s])
                source = target
            out[member, row, :] = source


@kernel
def _dense(x: AnyFloats, weights: AnyFloats, y: AnyFloats, n_in: int) -> None:
    n = y.size
    y[:] = weights[n_in * n : (n_in + 1) * n]
    in_eights = n_in - n_in % 8
    for i in range(0, in_eights, 8):
        x0, x1, x2, x3 = x[i], x[i + 1], x[i + 2], x[i + 3]
        x4, x5, x6, x7 = x[i + 4], x[i + 5], x[i + 6], x[i + 7]
        base = i * n
        w0, w1 = weights[base : base + n], weights[base + n : base + 2 * n]
        w2, w3 = weights[base + 2 * n : base + 3 * n], weights[base + 3 * n : base + 4 * n]
        w4, w5 = weights[base + 4 * n : base + 5 * n], weights[base + 5 * n : base + 6 * n]
        w6, w7 = weights[base + 6 * n : base + 7 * n], weights[base + 7 * n : base + 8 * n]
        for j in range(n):
            four = (x0 * w0[j] + x1 * w1[j]) + (x2 * w2[j] + x3 * w3[j])
            y[j] += four + ((x4 * w4[j] + x5 * w5[j]) + (x6 * w6[j] + x7 * w7[j]))
    for i in range(in_eights, n_in):
        value = x[i]
        w = weights[i * n : (i + 1) * n]
        for j in range(n):
            y[j] += value * w[j]


@kernel
def _affine(x: AnyFloats, weights: AnyFloats, y: AnyFloats, limit: float) -> None:
    n = y.size
    for j in range(n):
        value = (x[j] - weights[j]) * weights[n + j] + weights[2 * n + j]
        # Comparisons rather than min and max, which lose NaN.
        if value > limit:
            value = limit
        elif value < -limit:
            value = -limit
        y[j] = value


@kernel
def _layer_norm(x: AnyFloats, weights: AnyFloats, y: AnyFloats, epsilon: float) -> None:
    n = y.size
    total = 0.0
    for j in range(n):
        total += x[j]
    mean = total / n
    squares = 0.0
    for j in range(n):
        squares += (x[j] - mean) ** 2
    factor = 1.0 / math.sqrt(squares / n + epsilon)
    for j in range(n):
        y[j] = (x[j] - mean) * factor * weights[j] + weights[n + j]


@kernel
def _activate(y: AnyFloats, activation: int, slope: float) -> None:
    if activation == RELU:
        for j in range(y.size):
            y[j] = 0 if y[j] < 0 else y[j]  # noqa: FURB136  keeps NaN
    elif activation == LEAKY_RELU:
        for j in range(y.size):
            y[j] = slope * y[j] if y[j] < 0 else y[j]
    elif activation == TANH:
        for j in range(y.size):
            y[j] = math.tanh(y[j])
    elif activation > TANH:
        _activate_rarely(y, activation)


@kernel
def _activate_rarely(y: AnyFloats, activation: int) -> None:
    for j in range(y.size):
        x = float(y[j])
        if activation == SIGMOID:
            y[j] = 0.5 + 0.5 * math.tanh(0.5 * x)
        elif activation == SILU:
            y[j] = x * (0.5 + 0.5 * math.tanh(0.5 * x))
        elif activation == SOFTPLUS:
            y[j] = max(x, 0.0) + math.log1p(math.exp(-abs(x)))
        elif x < 0:
            y[j] = math.expm1(x)
