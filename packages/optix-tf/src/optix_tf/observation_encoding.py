"""Observations of a space as the vectors that a network takes."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_core.errors import ConfigurationError
from optix_tf.mirror_layers import Float32Array
from optix_tf.spaces import BoxSpace, DiscreteSpace, MultiBinarySpace, MultiDiscreteSpace


@dataclass(frozen=True, slots=True)
class NumericEncoding:
    """Numbers as they are, one behind the other."""

    shape: tuple[int, ...]
    """Shape of one observation."""
    is_flat: bool = True
    """Whether they are laid out as a vector; otherwise the shape is kept."""
    is_normalised: bool = True
    """Whether they gain from being normalised: they have no common scale by themselves."""

    @property
    def encoded_shape(self) -> tuple[int, ...]:
        """Shape of one encoded observation."""
        return (math.prod(self.shape),) if self.is_flat else self.shape

    def encode(self, observations: NDArray[Any]) -> Float32Array:
        """Encode observations [..., *shape] as [B, ...], all leading axes made one."""
        return np.asarray(observations, np.float32).reshape(-1, *self.encoded_shape)


@dataclass(frozen=True, slots=True, eq=False)
class OneHotEncoding:
    """Categories as vectors of zeros with a one each."""

    sizes: NDArray[np.int64]
    """Number of values of each category."""
    starts: NDArray[np.int64]
    """Smallest value of each."""
    shape: tuple[int, ...]
    """Shape of one observation."""
    is_normalised: bool = False
    """Zeros and ones have a scale."""

    @property
    def encoded_shape(self) -> tuple[int, ...]:
        """Shape of one encoded observation."""
        return (int(self.sizes.sum()),)

    def encode(self, observations: NDArray[Any]) -> Float32Array:
        """Encode observations [..., *shape] as [B, ΣK], all leading axes made one."""
        values = np.asarray(observations, np.int64).reshape(-1, len(self.sizes)) - self.starts
        offsets = np.concatenate(([0], np.cumsum(self.sizes)[:-1]))
        encoded = np.zeros((len(values), int(self.sizes.sum())), np.float32)
        np.put_along_axis(encoded, values + offsets, 1.0, axis=1)
        return encoded


ObservationEncoding = NumericEncoding | OneHotEncoding


def encoding_of(space: object) -> ObservationEncoding:
    """Choose the encoding of an observation space.

    Raises:
        ConfigurationError: if it is neither Box, Discrete, MultiDiscrete nor MultiBinary.
    """
    match space:
        case BoxSpace():
            return NumericEncoding(tuple(space.shape))
        case MultiDiscreteSpace():
            sizes = np.asarray(space.nvec, np.int64)
            return OneHotEncoding(sizes.ravel(), np.zeros(sizes.size, np.int64), sizes.shape)
        case DiscreteSpace():
            sizes, starts = np.array([space.n], np.int64), np.array([space.start], np.int64)
            return OneHotEncoding(sizes, starts, ())
        case MultiBinarySpace():
            return NumericEncoding(tuple(space.shape), is_normalised=False)
        case _:
            raise ConfigurationError(
                f"observations of {space!r} have no encoding here; flatten them with a wrapper "
                "such as gymnasium.wrappers.FlattenObservation"
            )
