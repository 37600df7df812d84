"""What an off-policy agent remembers: transitions, and how minibatches are drawn from them."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from optix_core import EpisodeData
from optix_core.episode_data import FloatArray
from optix_core.replay_extent import ReplayExtent
from optix_tf.mirror_layers import Float32Array
from optix_tf.n_step_rows import NStepRows, Rows
from optix_tf.replay_ring import Positions, ReplayRing
from optix_tf.sum_tree import SumTree

PRIORITY_EXPONENT = 0.6
"""A row's priority is the size of its last error to this power."""
CORRECTION_EXPONENT = 0.4
"""Rows drawn more often than others weigh less, by this power of how much more often."""
_LEAST_ERROR = 1e-6


class Draw(NamedTuple):
    """Which rows some minibatches are made of."""

    positions: Positions
    """Places in the ring, [U, B]."""
    weights: Float32Array
    """What each row counts for in the loss, [U, B]; at most 1."""


@final
class ReplayMemory:
    """A ring of n-step transitions, drawn uniformly or by the size of their last error.

    Prioritised, row i is drawn with probability P_i = p_i / Σ p, p_i = (|δ_i| + ε)^0.6, and counts
    for (N P_i)^−0.4, over the largest such weight of its minibatch. A new row has the largest
    priority so far.

    References:
        Schaul et al., Prioritized experience replay, 2016.
    """

    def __init__(self, capacity: int, *, is_prioritised: bool) -> None:
        """Remember this many transitions."""
        self._rows = NStepRows()
        self._ring = ReplayRing(capacity)
        self._tree = SumTree(capacity) if is_prioritised else None
        self._largest = 1.0

    def __len__(self) -> int:
        """Transitions that are held."""
        return len(self._ring)

    @property
    def capacity(self) -> int:
        """Transitions that it can hold."""
        return self._ring.capacity

    @property
    def is_prioritised(self) -> bool:
        """Whether rows are drawn by priority."""
        return self._tree is not None

    def add(
        self,
        window: EpisodeData,
        encode_actions: Callable[[NDArray[Any]], NDArray[Any]],
        *,
        n: int,
        gamma: float,
    ) -> None:
        """Take in the transitions of a window; see `NStepRows`."""
        rows = self._rows.transitions(window, n=n, gamma=gamma)
        if not len(rows["reward"]):
            return
        positions = self._ring.append(rows | {"action": encode_actions(rows["action"])})
        if self._tree is not None:
            self._tree.put(positions, np.full(len(positions), self._largest))

    def draw(self, n_updates: int, batch_size: int, rng: np.random.Generator) -> Draw:
        """Draw rows for minibatches, with replacement; some must be held."""
        shape = n_updates, batch_size
        if self._tree is None:
            positions = rng.integers(len(self._ring), size=shape)
            return Draw(positions, np.ones(shape, np.float32))
        # One from each of B equal parts of the sum: the same probabilities, less variance.
        fractions = (np.arange(batch_size) + rng.random(shape)) / batch_size
        positions = self._tree.find(np.minimum(fractions, np.nextafter(1.0, 0.0)))
        rarity = self._tree.priorities[positions] / self._tree.total * len(self._ring)
        weights = rarity**-CORRECTION_EXPONENT
        return Draw(positions, (weights / weights.max(axis=1, keepdims=True)).astype(np.float32))

    def take(self, positions: Positions) -> Rows:
        """Copy rows out: `observation`, `action`, `reward`, `discount`, `next_observation`."""
        return self._ring.take(positions)

    def put_errors(self, positions: Positions, errors: FloatArray) -> None:
        """Hear the errors δ of rows that were learned from; what is not finite is left out."""
        if self._tree is None:
            return
        is_known = np.isfinite(errors)
        priorities = (np.abs(errors[is_known]) + _LEAST_ERROR) ** PRIORITY_EXPONENT
        if priorities.size:
            self._tree.put(positions[is_known], priorities)
            self._largest = max(self._largest, float(priorities.max()))

    def state_dict(self) -> dict[str, Any]:
        """Return all transitions, the steps that wait to become some, and priorities."""
        return {**self.state_without_rows(), "ring": self._ring.state_dict()}

    @property
    def extent(self) -> ReplayExtent | None:
        """Which transitions are held; None where there are none."""
        return self._ring.extent

    def rows(self, start: int, end: int) -> Rows:
        """Copy out the transitions that were remembered as number `start` up to `end`."""
        return self._ring.rows(start, end)

    def state_without_rows(self) -> dict[str, Any]:
        """Return what `state_dict` returns, of the transitions their number alone."""
        state: dict[str, Any] = {
            "ring": {"appended": self._ring.appended},
            "rows": self._rows.state_dict(),
        }
        if self._tree is not None:
            state["priorities"] = self._tree.priorities
            state["largest_priority"] = self._largest
        return state

    def whole_state(self, state: Mapping[str, Any], rows: Rows) -> dict[str, Any]:
        """Make what `state_dict` returned of its part without rows, and of these, oldest first."""
        appended: int = state["ring"]["appended"]
        columns = self._ring.laid(rows, appended)
        return {**state, "ring": {"appended": appended, "columns": columns}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned.

        Raises:
            CheckpointError: if it is of another capacity; nothing was changed.
        """
        self._ring.load_state_dict(state["ring"])
        self._rows.load_state_dict(state["rows"])
        if self._tree is None:
            return
        # A memory that was drawn from evenly has none: each row counts as a new one.
        self._tree = SumTree(self.capacity)
        priorities: FloatArray = np.asarray(state.get("priorities", np.ones(len(self._ring))))
        self._largest = float(state.get("largest_priority", 1.0))
        if priorities.size:
            self._tree.put(np.arange(len(priorities)), priorities)
