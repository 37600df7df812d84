"""Votes and mean probabilities of many members over discrete actions, one member a row."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_evolve._kernels._jit import kernel

FloatArray = NDArray[np.float64]

TIE = 1e-12  # shares this close tie: 0.1 + 0.2 against 0.3 is not for rounding to decide
SMALLEST_EXPONENT = -700.0  # its power is the last far from underflow; below, e⁻⁷⁰⁰ stands for 0


@kernel
def weighted_vote(
    actions: NDArray[np.integer[Any]], weights: FloatArray, n_actions: int, out: NDArray[np.int64]
) -> bool:
    """Write the action of most weight in each column to `out`, the lowest of several.

    Weights sum to 1.

    Returns:
        False, with `out` undefined, if an action is outside [0, n_actions).
    """
    members, columns = actions.shape
    tally = np.empty(min(512, columns) * n_actions)
    for low in range(0, columns, 512):
        width = min(512, columns - low)
        tally[: width * n_actions] = 0.0
        for i in range(members):
            row = actions[i, low : low + width]
            weight = weights[i]
            # Checked in a loop of its own, which is vector instructions, and added as unsigned,
            # which spares the test for an index from the end: a third of the time.
            outside = 0
            for j in range(width):
                outside += (row[j] < 0) | (row[j] >= n_actions)
            if outside:
                return False
            for j in range(width):
                tally[np.uint64(j * n_actions) + np.uint64(row[j])] += weight
        for j in range(width):
            most = 0.0
            for action in range(n_actions):
                most = max(most, tally[j * n_actions + action])
            best = 0
            while tally[j * n_actions + best] < most - TIE:
                best += 1
            out[low + j] = best
    return True


@kernel
def mean_softmax(logits: NDArray[np.floating[Any]], weights: FloatArray, out: FloatArray) -> None:
    """Write Σ wᵢ softmax(logitsᵢ) to `out`; logits [members, rows, actions], out [rows, actions].

    A row with NaN, +∞ or nothing but −∞ gives NaN.
    """
    members, rows, n_actions = logits.shape
    rows_at_once = max(1, 2048 // n_actions)
    powers = np.empty(rows_at_once * n_actions)
    scales = np.empty(rows_at_once * n_actions)
    out[:] = 0.0
    for low in range(0, rows, rows_at_once):
        count = min(rows_at_once, rows - low)
        used = count * n_actions
        for i in range(members):
            if weights[i] == 0.0:
                continue
            _subtract_maxima(logits[i, low : low + count], powers)
            _exponentiate(powers[:used], scales[:used])
            _add_normalised(powers, weights[i], out[low : low + count])


@kernel
def _subtract_maxima(logits: NDArray[np.floating[Any]], shifted: FloatArray) -> None:
    rows, n_actions = logits.shape
    for row in range(rows):
        largest = logits[row, 0]
        for action in range(1, n_actions):
            largest = max(largest, logits[row, action])
        for action in range(n_actions):
            shifted[row * n_actions + action] = np.float64(logits[row, action]) - np.float64(
                largest
            )


@kernel
def _exponentiate(x: FloatArray, scales: FloatArray) -> None:
    # exp of x ≤ 0 in place: 2ⁿ times the Taylor sum of eʳ, |r| ≤ ½ ln 2. `math.exp` is a call a
    # number; these three loops are vector instructions, 5 times as fast.
    for j in range(x.size):
        value = SMALLEST_EXPONENT if x[j] < SMALLEST_EXPONENT else x[j]  # noqa: FURB136  keeps NaN
        # Adding 1.5 · 2⁵² rounds to an integer and leaves it in the lowest bits.
        shifted = value * 1.4426950408889634 + 6755399441055744.0
        n = shifted - 6755399441055744.0
        r = (value - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10
        high = 1.0 / 39916800 + r * (1.0 / 479001600 + r * (1.0 / 6227020800))
        high = 1.0 / 40320 + r * (1.0 / 362880 + r * (1.0 / 3628800 + r * high))
        high = 1.0 / 120 + r * (1.0 / 720 + r * (1.0 / 5040 + r * high))
        x[j] = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6 + r * (1.0 / 24 + r * high))))
        scales[j] = shifted
    bits = scales.view(np.int64)
    for j in range(bits.size):
        bits[j] = (bits[j] + 1023) << 52
    for j in range(x.size):
        x[j] *= scales[j]


@kernel
def _add_normalised(powers: FloatArray, weight: float, out: FloatArray) -> None:
    rows, n_actions = out.shape
    for row in range(rows):
        total = 0.0
        for action in range(n_actions):
            total += powers[row * n_actions + action]
        share = weight / total
        for action in range(n_actions):
            out[row, action] += share * powers[row * n_actions + action]
