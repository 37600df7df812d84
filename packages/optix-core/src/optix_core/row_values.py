"""Values of rows: copies that share no memory with their source, and arrays made of many."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

ATOMS = frozenset({int, float, bool, str, bytes, type(None), np.int64, np.float64, np.float32})
"""The commonest types that need no copy: a set to look in is faster than a call of `own`."""

_NUMERIC_KINDS = "biufc"
_STACKABLE = (bool, int, float, complex, np.generic, np.ndarray, list)


def own(value: Any) -> Any:
    """Copy a value that its maker may change later.

    Arrays are copied, dicts, lists and tuples (named ones too) with all they hold; objects of
    other kinds are kept as they are.
    """
    if isinstance(value, np.ndarray):
        return cast("NDArray[Any]", value).copy()
    if isinstance(value, dict):
        return {key: own(item) for key, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list):
        return [own(item) for item in cast("list[Any]", value)]
    if isinstance(value, tuple):
        items = [own(item) for item in cast("tuple[Any, ...]", value)]
        kind = cast("type[tuple[Any, ...]]", type(cast("object", value)))
        return tuple(items) if kind is tuple else _rebuilt(kind, items)
    return value


def stack_rows(rows: Sequence[Any]) -> NDArray[Any]:
    """Make one array of rows, time first.

    Numbers, arrays and lists of numbers are stacked where all shapes are equal; NumPy's promotion
    decides the dtype. Everything else (dicts, tuples, strings, ragged rows) becomes a
    one-dimensional array of objects, each the row itself.
    """
    if all(issubclass(kind, _STACKABLE) for kind in set(map(type, rows))):
        try:
            stacked = np.array(rows)
        except ValueError:  # ragged
            return object_rows(rows)
        if stacked.dtype.kind in _NUMERIC_KINDS:
            return stacked
    return object_rows(rows)


def object_rows(rows: Sequence[Any]) -> NDArray[Any]:
    """Make a one-dimensional array whose elements are the rows themselves."""
    array = np.empty(len(rows), dtype=np.object_)
    for index, row in enumerate(rows):
        array[index] = row
    return array


def _rebuilt(kind: type[tuple[Any, ...]], items: list[Any]) -> tuple[Any, ...]:
    # A named tuple takes its fields one by one, any other subclass of tuple takes one iterable.
    return kind(*items) if "_fields" in vars(kind) else kind(items)
