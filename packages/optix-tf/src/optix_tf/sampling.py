"""Drawing discrete actions from logits with a NumPy generator."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_core.episode_data import FloatArray
from optix_core.errors import ContractViolationError

_FEW = 32
"""Up to so many logits a loop over Python floats beats NumPy calls (1.1 against 6 μs at two)."""


def sample_index(logits: NDArray[Any], rng: np.random.Generator) -> int:
    """Draw one index from softmax(logits) by inverting the distribution function.

    Takes one uniform number, as `sample_indices` does a row, so that both draw the same.

    Raises:
        ContractViolationError: if a logit is NaN or infinite.
    """
    if len(logits) > _FEW:
        return int(_sample_many(logits[np.newaxis], rng)[0])
    return _invert(logits.tolist(), rng.random())


def sample_indices(logits: NDArray[Any], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw an index for each row of logits [B, K].

    Raises:
        ContractViolationError: if a logit is NaN or infinite.
    """
    if logits.size > _FEW:
        return _sample_many(logits, rng)
    uniform = rng.random(len(logits)).tolist()
    pairs = zip(logits.tolist(), uniform, strict=True)
    return np.array([_invert(row, u) for row, u in pairs], np.int64)


def _invert(logits: list[float], uniform: float) -> int:
    top = max(logits)
    weights = [math.exp(value - top) for value in logits]
    total = sum(weights)
    if not 1.0 <= total < math.inf:
        _refuse(logits)
    threshold = uniform * total
    reached = 0.0
    for index, weight in enumerate(weights):
        reached += weight
        if threshold < reached:
            return index
    return len(weights) - 1


def _sample_many(logits: NDArray[Any], rng: np.random.Generator) -> NDArray[np.int64]:
    wide = logits.astype(np.float64)
    cumulative = np.cumsum(np.exp(wide - wide.max(axis=-1, keepdims=True)), axis=-1)
    total = cumulative[:, -1]
    if not np.isfinite(total).all():
        _refuse(logits.tolist())
    threshold = rng.random(len(wide)) * total
    drawn = (threshold[:, np.newaxis] >= cumulative).sum(axis=-1)
    return np.minimum(drawn, wide.shape[-1] - 1)


def log_softmax(logits: NDArray[Any]) -> FloatArray:
    """Logarithms of softmax over the last axis."""
    wide = logits.astype(np.float64)
    shifted = wide - wide.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _refuse(logits: Any) -> None:
    raise ContractViolationError(
        f"the policy's logits are not finite: {logits}; check observation and weights"
    )
