"""Forward passes of many plain networks for few observations, one network a row of weights."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_evolve._kernels._jit import kernel

AnyFloats = NDArray[np.floating[Any]]

DENSE, AFFINE, LAYER_NORM, ACTIVATE = range(4)
LARGEST = 700.0  # its power, and that of its negative, are far from overflow and underflow
LINEAR, RELU, LEAKY_RELU, TANH, SIGMOID, SILU, SOFTPLUS, ELU = range(8)

NARROW = 8  # outputs of a layer below which it has no use for vector instructions

# A layer walks its kernel row by row, four at a time: the products of a row are then vector
# instructions, and the sums are read and written once in four.


@kernel
def forward(
    inputs: AnyFloats,
    weights: AnyFloats,
    plan: tuple[NDArray[np.int64], AnyFloats, AnyFloats, NDArray[np.float64]],
    out: AnyFloats,
) -> None:
    """Write the outputs of every member for every input to `out`.

    Args:
        inputs: [B, n_inputs].
        weights: [M, n_weights], as `StackedNetwork` keeps them.
        plan: operation, inputs, outputs and activation of each step, [steps, 4]; its slope, limit
            or epsilon, [steps]; scratch of [2, widest step], and such of float64.
        out: [M, B, n_outputs].
    """
    program, numbers, scratch, powers = plan
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
                _activate(target, program[s, 3], numbers[s], powers)
                source = target
            out[member, row, :] = source


@kernel
def _dense(x: AnyFloats, weights: AnyFloats, y: AnyFloats, n_in: int) -> None:
    n = y.size
    rows = weights[: (n_in + 1) * n].reshape(n_in + 1, n)
    in_fours = n_in - n_in % 4
    if n < NARROW:
        _narrow(x, rows, y)
        return
    y[:] = rows[n_in]
    for i in range(0, in_fours, 4):
        x0, x1, x2, x3 = x[i], x[i + 1], x[i + 2], x[i + 3]
        w = rows[i : i + 4]
        for j in range(n):
            y[j] += (x0 * w[0, j] + x1 * w[1, j]) + (x2 * w[2, j] + x3 * w[3, j])
    for i in range(in_fours, n_in):
        value = x[i]
        for j in range(n):
            y[j] += value * rows[i, j]


@kernel
def _narrow(x: AnyFloats, rows: AnyFloats, y: AnyFloats) -> None:
    # Too few outputs for a vector: four sums of each, so that none waits for the one before.
    n_in = len(rows) - 1
    in_fours = n_in - n_in % 4
    for j in range(y.size):
        sum0 = rows[n_in, j]
        sum1 = sum2 = sum3 = sum0 - sum0
        for i in range(0, in_fours, 4):
            sum0 += x[i] * rows[i, j]
            sum1 += x[i + 1] * rows[i + 1, j]
            sum2 += x[i + 2] * rows[i + 2, j]
            sum3 += x[i + 3] * rows[i + 3, j]
        for i in range(in_fours, n_in):
            sum0 += x[i] * rows[i, j]
        y[j] = (sum0 + sum1) + (sum2 + sum3)


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
def _activate(y: AnyFloats, activation: int, slope: float, powers: NDArray[np.float64]) -> None:
    if activation in (RELU, LEAKY_RELU):
        factor = slope if activation == LEAKY_RELU else 0.0
        for j in range(y.size):
            y[j] = factor * y[j] if y[j] < 0 else y[j]
    elif activation in (ELU, SOFTPLUS):
        _activate_rarely(y, activation)
    elif activation != LINEAR:
        _activate_by_powers(y, activation, powers)


@kernel
def _activate_by_powers(y: AnyFloats, activation: int, powers: NDArray[np.float64]) -> None:
    n = y.size
    _exponentials(y, 2.0 if activation == TANH else -1.0, powers)
    if activation == TANH:
        for j in range(n):
            y[j] = 1.0 - 2.0 / (powers[0, j] + 1.0)
    elif activation == SIGMOID:
        for j in range(n):
            y[j] = 1.0 / (1.0 + powers[0, j])
    else:
        for j in range(n):
            y[j] = y[j] / (1.0 + powers[0, j])


@kernel
def _activate_rarely(y: AnyFloats, activation: int) -> None:
    for j in range(y.size):
        if activation == SOFTPLUS:
            y[j] = max(y[j], 0.0) + math.log1p(math.exp(-abs(float(y[j]))))
        elif y[j] < 0:
            y[j] = math.expm1(y[j])


@kernel
def _exponentials(x: AnyFloats, factor: float, powers: NDArray[np.float64]) -> None:
    # exp(factor · x) into the first row: 2ⁿ times the Taylor sum of eʳ, |r| ≤ ½ ln 2. `math.exp`
    # and `math.tanh` are a call a number; these loops are vector instructions.
    n = x.size
    values, scales = powers[0, :n], powers[1, :n]
    for j in range(n):
        value = factor * float(x[j])
        value = LARGEST if value > LARGEST else value  # noqa: FURB136  keeps NaN
        value = -LARGEST if value < -LARGEST else value  # noqa: FURB136  keeps NaN
        # Adding 1.5 · 2⁵² rounds to an integer and leaves it in the lowest bits.
        shifted = value * 1.4426950408889634 + 6755399441055744.0
        whole = shifted - 6755399441055744.0
        r = (value - whole * 0.693147180369123816490) - whole * 1.90821492927058770002e-10
        high = 1.0 / 39916800 + r * (1.0 / 479001600 + r * (1.0 / 6227020800))
        high = 1.0 / 40320 + r * (1.0 / 362880 + r * (1.0 / 3628800 + r * high))
        high = 1.0 / 120 + r * (1.0 / 720 + r * (1.0 / 5040 + r * high))
        values[j] = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6 + r * (1.0 / 24 + r * high))))
        scales[j] = shifted
    bits = scales.view(np.int64)
    for j in range(n):
        bits[j] = (bits[j] + 1023) << 52
    for j in range(n):
        values[j] *= scales[j]
