"""Copies of one field of the rows, taken at the least cost a step."""

from collections.abc import Callable
from typing import Any, cast, final

import numpy as np
from numpy.typing import NDArray

from optix_core.finite_check import (
    NON_FINITE_BYTES,
    check_for,
    is_finite,
    shows_in_bytes,
)
from optix_core.row_values import own, stack_rows


@final
class RowLog:
    """Keeps rows as bytes while all are arrays with the layout of the first one.

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

    def looking(self, first: Any) -> Callable[[Any], bytes | None]:
        """Return what looks at rows like this one, at the cost of one call a row.

        It returns None for a row that is not finite; else its bytes, which may be appended to
        `rows`, or b"" for one that is to be kept by `keep_odd`.
        """
        self._begin_with(first)
        dtype, shape, array = self._dtype, self._shape, np.ndarray
        may_fail, is_hidden = check_for(first) is not None, not shows_in_bytes(first)
        positive, negative = NON_FINITE_BYTES

        def look(row: Any) -> bytes | None:
            if type(row) is array and row.dtype is dtype and row.shape == shape:
                seen = row.tobytes()
                is_suspect = may_fail and (is_hidden or positive in seen or negative in seen)
                return None if is_suspect and not is_finite(row) else seen
            return b"" if is_finite(row) else None

        return look

    def append(self, row: Any) -> None:
        """Keep a row. Where this call would be felt, append to `rows` what it would."""
        self._begin_with(row)
        if type(row) is np.ndarray and row.dtype is self._dtype and row.shape == self._shape:
            self.rows.append(row.tobytes())
        else:
            self.rows.append(self.keep_odd(row))

    def keep_odd(self, row: Any) -> bytes:
        """Keep the next row as a copy; returns what stands for it in `rows`."""
        self._odd[len(self.rows)] = own(row)
        return b""

    def append_behind(self, value: Any) -> int:
        """Keep what comes behind all rows; returns its place there."""
        self._tail.append(own(value))
        return len(self._tail) - 1

    def stack(self) -> NDArray[Any]:
        """Make one array of all rows, then of what comes behind them."""
        dtype, shape = self._dtype, self._shape
        if dtype is not None and not self._odd and all(map(self._fits, self._tail)):
            parts = self.rows + [value.tobytes() for value in self._tail]
            flat = np.frombuffer(bytearray().join(parts), dtype)
            return flat.reshape(len(parts), *shape)
        return stack_rows([*map(self._decode, range(len(self.rows))), *self._tail])

    def _begin_with(self, first: Any) -> None:
        """Let the first row decide what may be appended as bytes."""
        if not self.rows and isinstance(first, np.ndarray):
            array = cast("NDArray[Any]", first)
            if array.size and not array.dtype.hasobject:
                self._dtype, self._shape = array.dtype, array.shape

    def _fits(self, value: Any) -> bool:
        if not isinstance(value, np.ndarray):
            return False
        array = cast("NDArray[Any]", value)
        return array.dtype == self._dtype and array.shape == self._shape

    def _decode(self, row: int) -> Any:
        if row in self._odd:
            return self._odd[row]
        return np.frombuffer(bytearray(self.rows[row]), self._dtype).reshape(self._shape)
