"""Rows of a window as learning takes them: flat, steps alone, of one type."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from optix_core import EpisodeData
from optix_core.episode_data import FloatArray
from optix_core.errors import ContractViolationError

S = TypeVar("S", bound=np.generic)


def by_environment(array: NDArray[S]) -> NDArray[S]:
    """Give a window's array its environment axis: [T] becomes [T, 1], [T, N] stays."""
    return array.reshape(len(array), -1)


def valid_rows(array: NDArray[S], window: EpisodeData) -> NDArray[S]:
    """Rows of all environments that were steps: [T, ...] or [T, N, ...] becomes [R, ...]."""
    rows = array.reshape(window.rewards.size, *array.shape[window.rewards.ndim :])
    return rows if window.valid is None else rows[window.valid.ravel()]


def discrete_actions(actions: NDArray[Any]) -> NDArray[np.int32]:
    """Actions [R] as integers.

    Raises:
        ContractViolationError: if they are not one integer each.
    """
    if actions.dtype == object:
        actions = np.array(actions.tolist())
    if actions.ndim != 1 or actions.dtype.kind not in "iub":
        raise ContractViolationError(
            f"discrete actions must be one integer a step, got shape {actions.shape[1:]} of "
            f"{actions.dtype}; this agent plays Discrete action spaces alone"
        )
    return actions.astype(np.int32)


def mean_kl(before: FloatArray, after: FloatArray) -> float:
    """Mean KL divergence Σ p (log p − log q) of two policies' log-probabilities [R, K]."""
    return float((np.exp(before) * (before - after)).sum(axis=-1).mean())
