"""The one door to the statistics kernels: slope, correlation and noise of one window or of many.

One window never loads numba. Many windows do from `COMPILED_FROM` scores on, or when asked.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optix_core.errors import ConfigurationError
from optix_evolve import short_window
from optix_evolve.adaptive_noise import NoiseLimits, noise_signals

FloatArray = NDArray[np.float64]

COMPILED_FROM = 10_000
"""Scores in a batch from which the kernels are used. In plain Python these take about a
millisecond; loading numba takes more than a second, which some thousand such batches repay."""

BATCH_AXES = 2


def slope(scores: Sequence[float] | FloatArray) -> float:
    """Least-squares slope of a score window against its index: Σ (i − ī)(sᵢ − s̄) / Σ (i − ī)².

    Exact to rounding whatever the offset of the scores.

    Args:
        scores: primary scores, oldest first; shape [n].

    Returns:
        Score change per evaluation. 0.0 for n < 2 and for non-finite scores, where no trend is
        defined; the largest float where the slope exceeds it.

    Raises:
        ConfigurationError: if scores is not one-dimensional.
    """
    return short_window.line_slope(_window(scores))


def pearson(first: Sequence[float] | FloatArray, second: Sequence[float] | FloatArray) -> float:
    """Pearson correlation of two score windows, within [−1, 1].

    Args:
        first: scores, shape [n].
        second: as many scores.

    Returns:
        r. 0.0 where it is not defined: n < 2, a constant window, non-finite scores.

    Raises:
        ConfigurationError: if the two are not one-dimensional and of one length.
    """
    x, y = _window(first), _window(second)
    if len(x) != len(y):
        raise ConfigurationError(
            f"the two windows must have the same length, got {len(x)} and {len(y)}"
        )
    r = short_window.correlation(x, y)
    return r if r == r else 0.0  # noqa: PLR0124  NaN, without a call


def slopes(
    series: ArrayLike, *, compiled: bool | None = None, parallel: bool = False
) -> FloatArray:
    """`slope` of many windows.

    Args:
        series: one window a row, shape [windows, n].
        compiled: True for the kernel, False for plain Python, None to choose by size.
        parallel: use every thread that numba may; implies the kernel.

    Returns:
        Shape [windows].

    Raises:
        ConfigurationError: if series is not two-dimensional.
    """
    rows = _batch(series)
    if parallel or _is_compiled(rows, compiled=compiled):
        from optix_evolve._kernels import series as kernels  # noqa: PLC0415  loads numba

        with np.errstate(all="ignore"):
            return kernels.slopes_parallel(rows) if parallel else kernels.slopes(rows)
    return np.array([short_window.line_slope(row) for row in _lists(rows)], dtype=np.float64)


def pearsons(first: ArrayLike, second: ArrayLike, *, compiled: bool | None = None) -> FloatArray:
    """`pearson` of many pairs of windows.

    Args:
        first: one window a row, shape [windows, n].
        second: the same shape.
        compiled: as in `slopes`.

    Returns:
        Shape [windows].

    Raises:
        ConfigurationError: if the shapes differ or are not two-dimensional.
    """
    x, y = _batch(first), _batch(second)
    _check_same_shape(x, y)
    if _is_compiled(x, compiled=compiled):
        from optix_evolve._kernels import series as kernels  # noqa: PLC0415  loads numba

        with np.errstate(all="ignore"):
            r = kernels.correlations(x, y)
    else:
        pairs = zip(_lists(x), _lists(y), strict=True)
        r = np.array([short_window.correlation(*pair) for pair in pairs], dtype=np.float64)
    return np.nan_to_num(r, nan=0.0)


def noise_scales(
    scores: ArrayLike,
    train: ArrayLike,
    val: ArrayLike,
    *,
    limits: NoiseLimits | None = None,
    compiled: bool | None = None,
) -> FloatArray:
    """Documented noise scale of many windows; `noise_signals` says how, and for what is degenerate.

    Args:
        scores: primary scores, one window a row, shape [windows, n].
        train: training scores, the same shape.
        val: validation scores, the same shape.
        limits: the scales and the slope between which noise moves.
        compiled: as in `slopes`.

    Returns:
        Shape [windows].

    Raises:
        ConfigurationError: if the shapes differ or are not two-dimensional.
    """
    windows = _batch(scores), _batch(train), _batch(val)
    _check_same_shape(*windows)
    bounds = limits or NoiseLimits()
    if _is_compiled(windows[0], compiled=compiled):
        from optix_evolve._kernels import series as kernels  # noqa: PLC0415  loads numba

        values = np.array([bounds.min_scale, bounds.max_scale, bounds.max_slope])
        with np.errstate(all="ignore"):
            return kernels.noise_scales(*windows, values)
    rows = zip(*(_lists(window) for window in windows), strict=True)
    return np.array(
        [noise_signals(*row, limits=bounds).noise_scale for row in rows], dtype=np.float64
    )


def _window(scores: Sequence[float] | FloatArray) -> Sequence[float]:
    if isinstance(scores, list | tuple) and not (scores and isinstance(scores[0], Sequence)):
        return scores
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim != 1:
        raise ConfigurationError(
            f"scores must be one-dimensional, got shape {array.shape}; for many windows use "
            "`slopes` or `pearsons`"
        )
    return cast("list[float]", array.tolist())


def _batch(series: ArrayLike) -> FloatArray:
    rows = np.ascontiguousarray(series, dtype=np.float64)
    if len(np.shape(series)) != BATCH_AXES:
        raise ConfigurationError(
            f"series must be two-dimensional, one window a row, got shape {np.shape(series)}"
        )
    return rows


def _check_same_shape(*arrays: FloatArray) -> None:
    shapes = [array.shape for array in arrays]
    if len(set(shapes)) > 1:
        raise ConfigurationError(f"windows must have one shape, got {shapes}")


def _is_compiled(rows: FloatArray, *, compiled: bool | None) -> bool:
    return rows.size >= COMPILED_FROM if compiled is None else compiled


def _lists(rows: FloatArray) -> list[list[float]]:
    return cast("list[list[float]]", rows.tolist())
