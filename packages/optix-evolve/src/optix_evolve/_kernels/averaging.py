"""Weighted mean of the outputs of many members, one member a row; float32 and float64."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_evolve._kernels._jit import kernel, parallel_kernel, prange

FloatArray = NDArray[np.floating[Any]]

# 4,096 columns at a time, so that the part of `out` being summed stays in the first cache, and
# 8 members a pass: a walk down the columns reaches a sixth of the speed, 16 members a pass half.


@kernel
def weighted_sum(outputs: FloatArray, weights: FloatArray, out: FloatArray) -> None:
    """Write Σ wᵢ outputsᵢ to `out`; members of weight zero are not read."""
    for low in range(0, outputs.shape[1], 4096):
        high = min(low + 4096, outputs.shape[1])
        _sum_columns(outputs, weights, out[low:high], low)


@parallel_kernel
def weighted_sum_parallel(outputs: FloatArray, weights: FloatArray, out: FloatArray) -> None:
    """As `weighted_sum`, on all threads."""
    for block in prange((outputs.shape[1] + 4095) // 4096):
        low = 4096 * block
        high = min(low + 4096, outputs.shape[1])
        _sum_columns(outputs, weights, out[low:high], low)


@kernel
def _sum_columns(outputs: FloatArray, weights: FloatArray, out: FloatArray, low: int) -> None:
    members = np.flatnonzero(weights)
    width = out.size
    high = low + width
    in_eights = members.size - members.size % 8
    for j in range(width):
        out[j] = 0
    for first in range(0, in_eights, 8):
        i0, i1, i2, i3 = members[first], members[first + 1], members[first + 2], members[first + 3]
        i4, i5, i6 = members[first + 4], members[first + 5], members[first + 6]
        i7 = members[first + 7]
        w0, w1, w2, w3 = weights[i0], weights[i1], weights[i2], weights[i3]
        w4, w5, w6, w7 = weights[i4], weights[i5], weights[i6], weights[i7]
        a0, a1, a2 = outputs[i0, low:high], outputs[i1, low:high], outputs[i2, low:high]
        a3, a4, a5 = outputs[i3, low:high], outputs[i4, low:high], outputs[i5, low:high]
        a6, a7 = outputs[i6, low:high], outputs[i7, low:high]
        for j in range(width):
            four = (w0 * a0[j] + w1 * a1[j]) + (w2 * a2[j] + w3 * a3[j])
            out[j] += four + ((w4 * a4[j] + w5 * a5[j]) + (w6 * a6[j] + w7 * a7[j]))
    for rest in range(in_eights, members.size):
        weight = weights[members[rest]]
        row = outputs[members[rest], low:high]
        for j in range(width):
            out[j] += weight * row[j]
