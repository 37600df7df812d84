"""The only file that imports numba: one decorator and one set of options.

No `fastmath`: it drops NaN handling and may undo the shift that makes the statistics exact far
from zero. No signatures: each kernel compiles, or loads from the cache, at its first call.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

prange = numba.prange
"""`range`, spread over threads inside a parallel kernel."""


def kernel(function: F) -> F:
    """Compile a function at its first call."""
    return cast("F", numba.njit(cache=True)(function))


def parallel_kernel(function: F) -> F:
    """Compile a function whose `prange` loops run on every thread that numba may use.

    It needs a def of its own: kernels that differ in options alone share one cache entry, and the
    parallel one would silently load the serial binary.
    """
    return cast("F", numba.njit(cache=True, parallel=True)(function))
