"""Draws rows in proportion to their priorities, which change all the time."""

from typing import final

import numpy as np
from numpy.typing import NDArray

from optix_core.episode_data import FloatArray
from optix_core.errors import ConfigurationError


@final
class SumTree:
    """Sums of priorities over ever larger halves: to change or to draw one costs log₂ n steps.

    Node 1 is the sum of all; node i has the children 2i and 2i + 1; leaf k is node n + k, where n
    is the capacity rounded up to a power of two.

    Raises:
        ConfigurationError: if capacity is below 1.
    """

    def __init__(self, capacity: int) -> None:
        """Make a tree of this many leaves, all 0."""
        if capacity < 1:
            raise ConfigurationError(f"a tree needs at least one leaf, got {capacity}")
        self._capacity = capacity
        self._n_leaves = 1 << (capacity - 1).bit_length()
        self._nodes = np.zeros(2 * self._n_leaves)

    @property
    def total(self) -> float:
        """Sum of all priorities."""
        return float(self._nodes[1])

    @property
    def priorities(self) -> FloatArray:
        """A copy of all priorities, [capacity]."""
        return self._nodes[self._n_leaves :][: self._capacity].copy()

    def put(self, positions: NDArray[np.int64], priorities: FloatArray) -> None:
        """Set priorities [R] ≥ 0 at positions [R]; of equal positions the last one counts."""
        self._nodes[self._n_leaves + positions] = priorities
        nodes = np.unique(self._n_leaves + positions)
        while nodes[0] > 1:
            nodes = np.unique(nodes >> 1)
            # Summed anew from the children: no rounding error stays behind.
            self._nodes[nodes] = self._nodes[2 * nodes] + self._nodes[2 * nodes + 1]

    def find(self, fractions: FloatArray) -> NDArray[np.int64]:
        """Find for each u in [0, 1) the first position whose cumulated sum exceeds u·total.

        A position of priority 0 is never found, unless all are 0.
        """
        rest: FloatArray = fractions * self._nodes[1]
        nodes: NDArray[np.int64] = np.ones(fractions.shape, np.int64)
        for _ in range(self._n_leaves.bit_length() - 1):
            left = self._nodes[2 * nodes]
            # What rounding left of a sum beyond the last leaf must not lead into an empty half.
            goes_right = (rest >= left) & (self._nodes[2 * nodes + 1] > 0.0)
            rest = np.where(goes_right, rest - left, rest)
            nodes = 2 * nodes + goes_right
        return nodes - self._n_leaves
