"""A ring of experience: named columns of one length, the oldest rows overwritten by the newest."""

from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from optix_core.errors import CheckpointError, ConfigurationError, ContractViolationError
from optix_core.replay_extent import ReplayExtent

Positions = NDArray[np.int64]
"""Places in a ring, counted from its start in memory."""


@final
class ReplayRing:
    """Holds the newest `capacity` rows; row k of all ever appended lies at k mod capacity.

    Columns get their shapes and types from the first rows, and their memory at once; the operating
    system provides it as it is filled.

    Raises:
        ConfigurationError: if capacity is below 1.
    """

    def __init__(self, capacity: int) -> None:
        """Make an empty ring for this many rows."""
        if capacity < 1:
            raise ConfigurationError(f"a ring needs a capacity of at least 1, got {capacity}")
        self._capacity = capacity
        self._appended = 0
        self._history = object()
        self._columns: dict[str, NDArray[Any]] = {}

    def __len__(self) -> int:
        """Rows that are held."""
        return min(self._appended, self._capacity)

    @property
    def capacity(self) -> int:
        """Rows that it can hold."""
        return self._capacity

    @property
    def appended(self) -> int:
        """Rows that were ever appended."""
        return self._appended

    @property
    def extent(self) -> ReplayExtent | None:
        """Which rows are held; None where there are none."""
        if not self._appended:
            return None
        return ReplayExtent(history=self._history, appended=self._appended, capacity=self._capacity)

    def append(self, rows: Mapping[str, NDArray[Any]]) -> Positions:
        """Copy rows in, each column [R, ...], and return where they lie now, [R'].

        Of more rows than the capacity the last are kept: R' = min(R, capacity).

        Raises:
            ContractViolationError: if names or shapes are not those of the rows before.
        """
        n_rows = len(next(iter(rows.values())))
        if not self._columns:
            self._columns = {
                name: np.empty((self._capacity, *column.shape[1:]), column.dtype)
                for name, column in rows.items()
            }
        self._check(rows, n_rows)
        kept = min(n_rows, self._capacity)
        first = self._appended + n_rows - kept
        positions = np.arange(first, first + kept, dtype=np.int64) % self._capacity
        for name, column in rows.items():
            self._columns[name][positions] = column[n_rows - kept :]
        self._appended += n_rows
        return positions

    def take(self, positions: Positions) -> dict[str, NDArray[Any]]:
        """Copy rows out; columns have the shape of `positions` and then their own."""
        return {name: column[positions] for name, column in self._columns.items()}

    def rows(self, start: int, end: int) -> dict[str, NDArray[Any]]:
        """Copy out the rows that were appended as number `start` up to `end`; they are held."""
        return self.take(np.arange(start, end, dtype=np.int64) % self._capacity)

    def laid(self, rows: Mapping[str, NDArray[Any]], appended: int) -> dict[str, NDArray[Any]]:
        """Lay out all rows held after so many, given oldest first, as `state_dict` has them."""
        shift = max(0, appended - self._capacity) % self._capacity
        return {name: np.roll(column, shift, axis=0) for name, column in rows.items()}

    def state_dict(self) -> dict[str, Any]:
        """Return copies of the rows as they lie, and how many there ever were."""
        held = {name: column[: len(self)].copy() for name, column in self._columns.items()}
        return {"appended": self._appended, "columns": held}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned.

        A ring that holds just that goes on with its history.

        Raises:
            CheckpointError: if it does not fill a ring of this capacity; nothing was changed.
        """
        appended: int = state["appended"]
        held: Mapping[str, NDArray[Any]] = state["columns"]
        wanted = min(appended, self._capacity)
        lengths = {name: len(column) for name, column in held.items()}
        if any(length != wanted for length in lengths.values()):
            raise CheckpointError(
                f"a ring of {self._capacity} rows holds {wanted} after {appended}, got {lengths}; "
                "resume with the capacity that was saved"
            )
        if appended == self._appended and self._holds(held):
            return
        self._appended, self._history = appended, object()
        self._columns = {}
        for name, column in held.items():
            self._columns[name] = np.empty((self._capacity, *column.shape[1:]), column.dtype)
            self._columns[name][:wanted] = column

    def _holds(self, held: Mapping[str, NDArray[Any]]) -> bool:
        own = {name: column[: len(self)] for name, column in self._columns.items()}
        return own.keys() == held.keys() and all(
            own[name].dtype == column.dtype
            and own[name].shape == column.shape
            and own[name].tobytes() == column.tobytes()
            for name, column in held.items()
        )

    def _check(self, rows: Mapping[str, NDArray[Any]], n_rows: int) -> None:
        if rows.keys() != self._columns.keys():
            raise ContractViolationError(
                f"the ring has columns {sorted(self._columns)}, got {sorted(rows)}"
            )
        for name, column in rows.items():
            wanted = (n_rows, *self._columns[name].shape[1:])
            if column.shape != wanted:
                raise ContractViolationError(
                    f"{name} must have shape {wanted}, got {column.shape}; check that environment "
                    "and agent belong together"
                )
