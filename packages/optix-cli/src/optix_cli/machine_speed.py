"""What this machine can do at most: bytes read and products of matrices a second, measured."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_READ_BYTES = 256 << 20
"""More than any cache holds, so that memory is what is waited for."""
_MATRIX_SIZE = 1024
_SHORTEST_S = 0.02
"""A clock reading is lost in this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSpeed:
    """The measured limits of a machine, with the threads that NumPy uses."""

    read_bytes_per_s: float
    """Bytes of float32 read from memory by a product of a matrix and a vector."""
    products_per_s: float
    """Multiplications, each with its addition, of float32 matrices of 1024 × 1024."""


def measure_machine(*, repeats: int, read_bytes: int = _READ_BYTES) -> MachineSpeed:
    """Measure the limits of this machine, the quickest of some repeats.

    Args:
        repeats: how often to measure each.
        read_bytes: how much to read at a time; below the size of the cache it is the cache that
            is measured.
    """
    shape = (64, max(1, read_bytes // 4 // 64))
    matrix, weights = np.ones(shape, np.float32), np.ones(shape[0], np.float32)
    out = np.empty(shape[1], np.float32)
    read_s = seconds_of(lambda: np.dot(weights, matrix, out=out), repeats=repeats)
    square = np.ones((_MATRIX_SIZE, _MATRIX_SIZE), np.float32)
    product: NDArray[Any] = np.empty_like(square)
    product_s = seconds_of(lambda: np.dot(square, square, out=product), repeats=repeats)
    return MachineSpeed(
        read_bytes_per_s=matrix.nbytes / read_s, products_per_s=_MATRIX_SIZE**3 / product_s
    )


def seconds_of(
    call: Callable[[], object],
    *,
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return the seconds of a call: the quickest of some repeats, after one to warm up.

    Calls shorter than the clock can tell are repeated within a measurement.
    """
    call()
    began = clock()
    call()
    count = max(1, int(_SHORTEST_S / max(clock() - began, 1e-9)))
    return min(_mean_of(call, count, clock) for _ in range(repeats))


def _mean_of(call: Callable[[], object], count: int, clock: Callable[[], float]) -> float:
    began = clock()
    for _ in range(count):
        call()
    return (clock() - began) / count
