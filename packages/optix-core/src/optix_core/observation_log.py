"""Copies of the observations of one environment, taken at the least cost a step."""

from typing import Any, cast, final

import numpy as np
from numpy.typing import NDArray

from optix_core.row_values import own, stack_rows


@final
class ObservationLog:
    """Keeps observations as bytes while all have the layout of the first one.

    `tobytes` and one join cost a third of a copy each and one conversion, measured on four float32
    numbers. Whatever has another layout, or is no array, is kept as a copy.
    """

    __slots__ = ("_dtype", "_odd", "_shape", "_tail", "rows")

    def __init__(self) -> None:
        self.rows: list[bytes] = []
        """One entry a row: what `tobytes` gave, or what `keep_odd` returned."""
        self._dtype: np.dtype[Any] | None = None
        self._shape: tuple[int, ...] = ()
        self._odd: dict[int, Any] = {}
        self._tail: list[Any] = []

    def layout(self, observation: Any) -> tuple[np.dtype[Any] | None, tuple[int, ...]]:
        """Return (dtype, shape) of what may be appended as bytes; the first row decides.

        The dtype is None, which no array has, where nothing may.
        """
        if not self.rows and isinstance(observation, np.ndarray):
            array = cast("NDArray[Any]", observation)
            if array.size and not array.dtype.hasobject:
                self._dtype, self._shape = array.dtype, array.shape
        return self._dtype, self._shape

    def keep_odd(self, observation: Any) -> bytes:
        """Keep the next row as a copy; returns what stands for it in `rows`."""
        self._odd[len(self.rows)] = own(observation)
        return b""

    def add_successor(self, observation: Any) -> int:
        """Keep what followed a row without being a row; returns its place behind the rows."""
        self._tail.append(own(observation))
        return len(self._tail) - 1

    def stack(self) -> NDArray[Any]:
        """Make one array of all rows, then all successors that were added."""
        dtype, shape = self._dtype, self._shape
        if dtype is not None and not self._odd and all(map(self._fits, self._tail)):
            parts = self.rows + [successor.tobytes() for successor in self._tail]
            flat = np.frombuffer(bytearray().join(parts), dtype)
            return flat.reshape(len(parts), *shape)
        return stack_rows([*map(self._decode, range(len(self.rows))), *self._tail])

    def _fits(self, observation: Any) -> bool:
        if not isinstance(observation, np.ndarray):
            return False
        array = cast("NDArray[Any]", observation)
        return array.dtype == self._dtype and array.shape == self._shape

    def _decode(self, row: int) -> Any:
        if row in self._odd:
            return self._odd[row]
        return np.frombuffer(self.rows[row], self._dtype).reshape(self._shape)
