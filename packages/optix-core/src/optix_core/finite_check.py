"""Whether observations and rewards are finite: one before an agent sees it, or a whole window."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from optix_core.episode_data import EpisodeData

NON_FINITE = "non_finite"
"""Entry of a window's `metadata`: how often an observation or reward of it was not finite."""

_SMALL = 32
"""Up to so many numbers a sum in Python beats a call of NumPy, tenfold for four of them."""


def is_finite(value: Any) -> bool:
    """Whether no number in an observation is NaN or infinite.

    Arrays, mappings, lists and tuples are entered; anything else than real numbers is finite.
    """
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(cast("NDArray[Any]", value))
        if array.dtype.kind == "O":
            return all(map(is_finite, array.ravel().tolist()))
        # Counting takes half of what `all` does.
        return array.dtype.kind not in "fc" or np.count_nonzero(np.isfinite(array)) == array.size
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, Mapping):
        return all(map(is_finite, cast("Mapping[Any, Any]", value).values()))
    if isinstance(value, list | tuple):
        return all(map(is_finite, cast("list[Any]", value)))
    return True


def check_for(first: Any) -> Callable[[Any], bool] | None:
    """Return the cheapest check for observations like this one; None where none can fail."""
    if not isinstance(first, np.ndarray):
        return is_finite
    array = cast("NDArray[Any]", first)
    if array.dtype.kind in "biu":
        return None
    if array.dtype.kind == "f" and array.ndim == 1 and array.size <= _SMALL:
        return _is_small_finite
    return is_finite


def count_non_finite(window: EpisodeData) -> int:
    """Return how often a window is not finite, by its own account or by a look at its arrays."""
    stated = window.metadata.get(NON_FINITE, 0)
    if stated:
        return int(stated)
    arrays = (window.rewards, window.observations, window.next_observations)
    return sum(not is_finite(array) for array in arrays)


def _is_small_finite(observation: Any) -> bool:
    # A sum that overflows is no proof; nor is an observation of another kind than the first.
    if type(observation) is np.ndarray and observation.ndim == 1:
        return isfinite(sum(observation.tolist())) or is_finite(observation)
    return is_finite(observation)
