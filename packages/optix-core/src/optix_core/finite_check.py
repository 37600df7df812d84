"""Whether observations and rewards are finite: one before an agent sees it, or a whole window."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from optix_core.episode_data import EpisodeData

NON_FINITE = "non_finite"
"""Entry of a window's `metadata`: how often an observation or reward of it was not finite."""

_SINGLE = 4
"""Bytes of the shortest float whose exponent fills a byte but for one bit."""

NON_FINITE_BYTES = (127, 255)
"""One of these is in the bytes of a float of four or more that is NaN or infinite."""

_ARRAYS = (np.ndarray, np.generic)
_SMALL = 32
"""Up to so many numbers a sum in Python beats a call of NumPy, tenfold for four of them."""


def is_finite(value: Any) -> bool:
    """Whether no number in an observation is NaN or infinite.

    Arrays, mappings, lists and tuples are entered; anything else than real numbers is finite.
    """
    if isinstance(value, _ARRAYS):
        return _is_array_finite(np.asarray(cast("NDArray[Any]", value)))
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, Mapping):
        return all(map(is_finite, cast("Mapping[Any, Any]", value).values()))
    if isinstance(value, list | tuple):
        return all(map(is_finite, cast("list[Any]", value)))
    return True


def check_for(first: Any) -> Callable[[Any], bool] | None:
    """Return the check for observations like this one; None where none can fail."""
    is_whole = isinstance(first, np.ndarray) and cast("NDArray[Any]", first).dtype.kind in "biu"
    return None if is_whole else is_finite


def shows_in_bytes(first: Any) -> bool:
    """Whether numbers that are not finite show in the bytes of arrays like this one.

    NaN and infinities have an exponent of ones alone, so that the byte of the sign holds seven of
    these and is one of `NON_FINITE_BYTES`. To look for these takes a third of adding up a few
    numbers. By chance one in eight arrays of four has one elsewhere, and nearly every large array.
    """
    if not isinstance(first, np.ndarray):
        return False
    array = cast("NDArray[Any]", first)
    return array.dtype.kind == "f" and array.itemsize >= _SINGLE and array.size <= _SMALL


def count_non_finite(window: EpisodeData) -> int:
    """Return how often a window is not finite, by its own account or by a look at its arrays."""
    stated = window.metadata.get(NON_FINITE, 0)
    if stated:
        return int(stated)
    arrays = (window.rewards, window.observations, window.next_observations)
    return sum(not is_finite(array) for array in arrays)


def _is_array_finite(array: NDArray[Any]) -> bool:
    kind = array.dtype.kind
    if kind == "O":
        return all(map(is_finite, array.ravel().tolist()))
    if kind not in "fc":
        return True
    if kind == "f" and array.ndim == 1 and array.size <= _SMALL and isfinite(sum(array.tolist())):
        return True
    # A sum that overflows is no proof. Counting takes half of what `all` does.
    return np.count_nonzero(np.isfinite(array)) == array.size
