"""What a state says of the files that hold the rows of a replay memory."""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from optix_core.errors import CheckpointCorruptError, ContractViolationError

Columns = Mapping[str, NDArray[Any]]

_WIDE = (f"<{kind}{size}" for kind in "iuf" for size in (2, 4, 8))
_DTYPES = frozenset({"|b1", "|i1", "|u1", *_WIDE})
_Count = Annotated[int, msgspec.Meta(ge=0, le=10**15)]
_Some = Annotated[int, msgspec.Meta(ge=1, le=10**15)]


class StoredColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column of every row."""

    name: str
    dtype: str
    """As NumPy writes it, little-endian."""
    shape: tuple[_Count, ...]
    """Of one row's entry."""


class RowFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of rows, one behind the other; what lies beyond `n_rows` belongs to no state."""

    number: _Count
    first: _Count
    """Number of its first row, of all that were ever appended."""
    n_rows: _Some
    sha256: str
    """Of its first `n_rows` rows."""

    @property
    def name(self) -> str:
        """Its name in the folder of states."""
        return f"rows-{self.number}"

    @property
    def end(self) -> int:
        """Number of the row behind its last."""
        return self.first + self.n_rows


class ReplayRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rows that belong to a state: from `first` to the end of the last file."""

    first: _Count
    columns: tuple[StoredColumn, ...]
    files: Annotated[tuple[RowFile, ...], msgspec.Meta(min_length=1)]
    """Oldest first; each begins where the one before it ends."""

    @property
    def end(self) -> int:
        """Number of the row behind the last."""
        return self.files[-1].end


def columns_of(rows: Columns) -> tuple[StoredColumn, ...]:
    """Describe the columns of rows, each [R, ...].

    Raises:
        ContractViolationError: if they hold nothing, or not bools, integers, or floats of up to 64
            bits.
    """
    if not any(math.prod(column.shape[1:]) for column in rows.values()):
        raise ContractViolationError(
            f"replay_rows returned rows without a number in them, of columns {list(rows)}; return "
            "all columns of a row"
        )
    columns = tuple(
        StoredColumn(name, column.dtype.newbyteorder("<").str, column.shape[1:])
        for name, column in rows.items()
    )
    for column in columns:
        if column.dtype not in _DTYPES:
            raise ContractViolationError(
                f"replay_rows returned {column.name!r} of dtype {column.dtype}; store bools, "
                "integers, or floats of up to 64 bits"
            )
    return columns


def row_type(columns: tuple[StoredColumn, ...]) -> np.dtype[Any]:
    """Make the type of a whole row, without gaps between its columns.

    Raises:
        CheckpointCorruptError: if no row can be like that.
    """
    unknown = [column.dtype for column in columns if column.dtype not in _DTYPES]
    try:
        fields = [(str(i), column.dtype, column.shape) for i, column in enumerate(columns)]
        kind = np.dtype([] if unknown else fields)
    except (ValueError, OverflowError, MemoryError) as error:
        raise CheckpointCorruptError(f"a state tells of rows that cannot be: {error}") from error
    if not kind.itemsize:
        raise CheckpointCorruptError(f"a state tells of rows of {unknown or 0}; it is damaged")
    return kind


def pack_rows(rows: Columns, columns: tuple[StoredColumn, ...], n_rows: int) -> bytes:
    """Lay rows out one behind the other.

    Raises:
        ContractViolationError: if they are not so many, or not like this.
    """
    lengths = {name: len(column) for name, column in rows.items()}
    if columns_of(rows) != columns or set(lengths.values()) != {n_rows}:
        raise ContractViolationError(
            f"replay_rows was asked for {n_rows} rows of {columns}, and returned {lengths} of "
            f"{columns_of(rows)}; let columns stay as they are, and all rows be there"
        )
    packed = np.empty(n_rows, row_type(columns))
    for index, column in enumerate(rows.values()):
        packed[str(index)] = column
    return packed.tobytes()


def unpack_rows(packed: NDArray[Any], columns: tuple[StoredColumn, ...]) -> dict[str, NDArray[Any]]:
    """Part rows of `row_type` into columns [R, ...] of their own memory."""
    return {column.name: np.ascontiguousarray(packed[str(i)]) for i, column in enumerate(columns)}


def check_record(record: ReplayRecord, where: str) -> None:
    """Check that files follow each other and hold what the record says.

    Raises:
        CheckpointCorruptError: if not.
    """
    follows = all(left.end == right.first for left, right in pairwise(record.files))
    names = {column.name for column in record.columns}
    is_distinct = len(names) == len(record.columns) > 0
    head = record.files[0]
    if not (follows and is_distinct and head.first <= record.first < head.end):
        raise CheckpointCorruptError(f"{where} tells of rows that do not follow each other")
