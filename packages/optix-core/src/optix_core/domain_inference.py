"""What a hyperparameter may become, inferred from its value."""

import enum
import math
from typing import Any, cast

import numpy as np

from optix_core.domain import Domain

POSITIVE = Domain(low=math.nextafter(0.0, 1.0))
"""Inferred for a positive float: it stays positive."""
UNIT_INTERVAL = Domain(low=math.nextafter(0.0, 1.0), high=math.nextafter(1.0, 0.0))
"""Inferred for a float in (0, 1): it stays inside, both ends excluded."""
POSITIVE_INTEGER = Domain(low=1, integer=True)
"""Inferred for a positive int: a batch size or a number of epochs never becomes 0."""
INTEGER = Domain(integer=True)
"""Inferred for another int: it stays one."""
REAL = Domain()
"""Inferred for another float."""

_LARGEST_INTEGER = 2**53
"""Beyond it a float cannot tell whole numbers apart; such an int is an identifier, not a knob."""


def is_number(value: object) -> bool:
    """Whether a value takes part in arithmetic: an int or a finite float, Python's or NumPy's.

    A bool, an enum member, a string, None, a container or array, a complex number, NaN, an
    infinity and an int beyond ±2⁵³ do not.
    """
    if isinstance(value, bool | enum.Enum | np.timedelta64):
        return False
    if isinstance(value, int | np.integer):
        return abs(int(cast("int", value))) <= _LARGEST_INTEGER
    return isinstance(value, float | np.floating) and math.isfinite(cast("float", value))


def infer_domain(value: object) -> Domain | None:
    """Infer from its value where a hyperparameter may move.

    Returns:
        None for what is never touched (`is_number` says what). An int stays an int, a positive one
        at least 1; a float in (0, 1) stays inside, a positive float positive; other numbers are
        without bounds.
    """
    if not is_number(value):
        return None
    if isinstance(value, int | np.integer):
        return POSITIVE_INTEGER if value > 0 else INTEGER
    number = float(value)  # pyright: ignore[reportArgumentType]
    if 0.0 < number < 1.0:
        return UNIT_INTERVAL
    return POSITIVE if number > 0.0 else REAL


def as_python(value: float | np.number[Any]) -> float:
    """Return a number as Python's int or float, to be stored."""
    return int(value) if isinstance(value, int | np.integer) else float(value)
