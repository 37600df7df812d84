"""Running mean and variance of observations, part of the agent and saved with its weights."""

import math
from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optix_core.errors import CheckpointCorruptError, ConfigurationError, ContractViolationError

_LARGEST = 1e100


@final
class RunningNormalisation:
    """Normalises to mean 0 and variance 1 by all that was seen: clip((x − μ) / √(σ² + ε), ±clip).

    Batches are merged by Chan's update in float64, which agrees with the mean and the population
    variance of all rows at once: n = nₐ + n_b, μ = μₐ + Δ n_b/n, M = Mₐ + M_b + Δ² nₐ n_b/n with
    Δ = μ_b − μₐ and σ² = M/n.

    A row that holds NaN, an infinity or a number beyond ±10¹⁰⁰, whose square could overflow, is
    left out. An empty batch changes nothing. Before the
    first row μ = 0 and σ² = 1. A constant feature has σ² = 0 and comes out as 0; ε keeps what
    later differs from it finite, and `clip` keeps it small.

    References:
        Chan, Golub, LeVeque (1983), Algorithms for computing the sample variance.

    Raises:
        ConfigurationError: if clip or epsilon is not a positive number, or shape no shape.
    """

    def __init__(self, shape: tuple[int, ...], clip: float = 10.0, epsilon: float = 1e-8) -> None:
        """Begin with nothing seen, for observations of one shape; () for scalars."""
        for name, value in (("clip", clip), ("epsilon", epsilon)):
            if not 0.0 < value < math.inf:
                raise ConfigurationError(f"{name} must be positive and finite, got {value}")
        if any(size < 0 for size in shape):
            raise ConfigurationError(f"shape cannot hold a negative size, got {shape}")
        self._shape = tuple(int(size) for size in shape)
        self._clip = float(clip)
        self._epsilon = float(epsilon)
        self._is_frozen = False
        self._put(0, np.zeros(self._shape), np.zeros(self._shape))

    @property
    def count(self) -> int:
        """How many rows were seen."""
        return self._count

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean of the rows seen; 0 before the first."""
        return self._mean.copy()

    @property
    def variance(self) -> NDArray[np.float64]:
        """Population variance of the rows seen; 1 before the first."""
        return self._variance()

    @property
    def is_frozen(self) -> bool:
        """Whether updates are ignored."""
        return self._is_frozen

    def freeze(self) -> None:
        """Ignore updates from here on, as in validation. Not part of the state."""
        self._is_frozen = True

    def unfreeze(self) -> None:
        """Heed updates again."""
        self._is_frozen = False

    def update(self, batch: ArrayLike) -> None:
        """Take in observations.

        Args:
            batch: shape [..., *shape], any number of leading axes.

        Raises:
            ContractViolationError: if the last axes are not `shape`.
        """
        rows = self._rows(batch)
        if self._is_frozen or len(rows) == 0:
            return
        n_new = len(rows)
        mean_new = rows.mean(axis=0)
        squares_new = np.square(rows - mean_new).sum(axis=0)
        count = self._count + n_new
        delta = mean_new - self._mean
        mean = self._mean + delta * (n_new / count)
        squares = self._squares + squares_new + np.square(delta) * (self._count * n_new / count)
        self._put(count, mean, squares)

    def normalise(self, observations: ArrayLike) -> NDArray[np.floating[Any]]:
        """Normalise observations; changes nothing.

        Args:
            observations: shape [..., *shape].

        Returns:
            The same shape within ±clip; float32 for float32, else float64. NaN stays NaN.
        """
        given = np.asarray(observations)
        scaled = (given - self._mean) * self._inverse_sd
        # The two ufuncs cost half of np.clip on the few numbers of one observation.
        clipped = np.minimum(np.maximum(scaled, -self._clip), self._clip)
        return clipped.astype(np.float32) if given.dtype == np.float32 else clipped

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Return what was seen: `count` [], `mean` and `squares` (Σ (x − μ)²) of `shape`."""
        return {
            "count": np.array(self._count, dtype=np.int64),
            "mean": self._mean.copy(),
            "squares": self._squares.copy(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned.

        Raises:
            CheckpointCorruptError: if an array is missing, of another shape or impossible.
        """
        try:
            count = int(state["count"])
            mean = np.array(state["mean"], dtype=np.float64)
            squares = np.array(state["squares"], dtype=np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointCorruptError(f"not a state of a normalisation: {error!r}") from error
        if mean.shape != self._shape or squares.shape != self._shape:
            raise CheckpointCorruptError(
                f"statistics of shape {mean.shape} and {squares.shape} do not fit observations "
                f"of shape {self._shape}"
            )
        is_possible = (
            np.isfinite(mean).all() and np.isfinite(squares).all() and np.all(squares >= 0)
        )
        if count < 0 or not is_possible:
            raise CheckpointCorruptError(f"impossible statistics: count {count}, mean {mean}")
        self._put(count, mean, squares)

    def _put(self, count: int, mean: NDArray[np.float64], squares: NDArray[np.float64]) -> None:
        self._count = count
        self._mean = np.asarray(mean)
        self._squares = np.asarray(squares)
        self._inverse_sd = 1.0 / np.sqrt(self._variance() + self._epsilon)

    def _variance(self) -> NDArray[np.float64]:
        return self._squares / self._count if self._count else np.ones(self._shape)

    def _rows(self, batch: ArrayLike) -> NDArray[np.float64]:
        array = np.asarray(batch, dtype=np.float64)
        n_leading = array.ndim - len(self._shape)
        if n_leading < 0 or array.shape[n_leading:] != self._shape:
            raise ContractViolationError(
                f"observations of shape {array.shape} do not end in {self._shape}"
            )
        n_rows = math.prod(array.shape[:n_leading])
        rows = array.reshape(n_rows, *self._shape)
        is_usable = (np.abs(rows) <= _LARGEST).reshape(n_rows, math.prod(self._shape)).all(axis=1)
        return rows[is_usable]
