"""Actions of any kind as two tables: discrete components, and continuous ones."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np
from numpy.typing import NDArray

from optix_core.row_values import stack_rows

_DISCRETE_KINDS = "biu"


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ActionColumns:
    """Actions of B rows, component by component."""

    discrete: NDArray[np.int64]
    """[B, n]; integers and booleans."""
    continuous: NDArray[np.float64]
    """[B, m]."""

    def __len__(self) -> int:
        """B, the number of actions."""
        return len(self.discrete)


def columns_of(actions: Sequence[Any] | NDArray[Any]) -> ActionColumns | None:
    """Take actions apart: numbers, arrays, and dicts, tuples and lists of them, however deep.

    Returns:
        None where they are anything else (texts, None, complex numbers), or differ in structure.
    """
    parts = _leaves(actions)
    if parts is None:
        return None
    n_rows = len(actions)
    discrete = [part for part in parts if part.dtype.kind in _DISCRETE_KINDS]
    continuous = [part for part in parts if part.dtype.kind == "f"]
    return ActionColumns(
        discrete=_joined(discrete, n_rows).astype(np.int64),
        continuous=_joined(continuous, n_rows).astype(np.float64),
    )


def _leaves(actions: Sequence[Any] | NDArray[Any]) -> list[NDArray[Any]] | None:
    rows = actions if isinstance(actions, np.ndarray) else stack_rows(actions)
    if rows.dtype != np.object_:
        return [rows] if rows.dtype.kind in f"{_DISCRETE_KINDS}f" else None
    keys = _keys(rows[0]) if len(rows) else None
    if keys is None or any(_keys(row) != keys for row in rows):
        return None
    parts = [_leaves([row[key] for row in rows]) for key in keys]
    if any(part is None for part in parts):
        return None
    return [leaf for part in parts if part is not None for leaf in part]


def _keys(action: object) -> list[Any] | None:
    if isinstance(action, dict):
        return sorted(cast("dict[Any, Any]", action), key=repr)
    if isinstance(action, tuple | list):
        return list(range(len(cast("Sequence[Any]", action))))
    return None


def _joined(parts: Sequence[NDArray[Any]], n_rows: int) -> NDArray[Any]:
    if not parts:
        return np.zeros((n_rows, 0))
    return np.concatenate(
        [part.reshape(n_rows, math.prod(part.shape[1:])) for part in parts], axis=1
    )
