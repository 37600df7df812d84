"""Where live windows end: functions of how far the window in progress has come."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

from optix_core.environment_pipeline import positive_int
from optix_core.errors import ConfigurationError


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class WindowProgress:
    """How far a window of at least one row has come."""

    n_rows: int
    """Rows so far."""
    elapsed_s: float
    """Seconds since its first row was played."""
    terminated: bool
    """Flag of the last row."""
    truncated: bool
    """Flag of the last row; also True where the connection was lost after it."""
    info: Mapping[str, Any]
    """What the source told with the last row."""


Boundary = Callable[[WindowProgress], bool]
"""Whether a window ends here. Asked after every row and, while the source is silent, every 50 ms;
so it should depend on its argument alone."""


def at_episode_end(progress: WindowProgress) -> bool:
    """End windows with the source's episodes."""
    return progress.terminated or progress.truncated


def every_n_steps(n: int) -> Boundary:
    """End windows after n rows.

    Raises:
        ConfigurationError: if n is no whole number or below 1.
    """
    n_rows = positive_int("every_n_steps", n)
    return lambda progress: progress.n_rows >= n_rows


def every_n_seconds(n: float) -> Boundary:
    """End windows n seconds after their first row was played, to within 50 ms.

    Raises:
        ConfigurationError: if n is not a positive finite number.
    """
    if not 0.0 < n < math.inf:
        raise ConfigurationError(f"every_n_seconds must be a positive number, got {n!r}")
    return lambda progress: progress.elapsed_s >= n
