"""Rows come back as one array equal to what stacking copies of them gives."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_equal

from optix_core.row_log import RowLog
from optix_core.row_values import stack_rows

ROWS = st.sampled_from(
    [
        np.zeros(2, np.float32),
        np.ones(2, np.float32),
        np.ones(2, np.float64),
        np.ones((2, 1), np.float32),
        np.array(["a", None], dtype=object),
        np.zeros(0),
        3,
        2.5,
        [1.0, 2.0],
        (1, 2),
        {"image": np.ones(1)},
        "text",
        None,
    ]
)


def _stacked(rows: list[Any], tail: list[Any]) -> np.ndarray[Any, Any]:
    log = RowLog()
    for row in rows:
        log.append(row)
    assert [log.append_behind(value) for value in tail] == list(range(len(tail)))
    return log.stack()


@given(rows=st.lists(ROWS, min_size=1, max_size=6), tail=st.lists(ROWS, max_size=3))
def test_rows_are_stacked_as_if_they_had_been_copied(rows: list[Any], tail: list[Any]) -> None:
    found, expected = _stacked(rows, tail), stack_rows([*rows, *tail])
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert_equal(found.tolist(), expected.tolist())


@pytest.mark.parametrize("odd", [None, 3.0])
def test_rows_share_no_memory_with_their_source(odd: float | None) -> None:
    buffer = np.zeros(2)
    log = RowLog()
    for number in range(3):
        buffer[:] = number
        log.append(buffer)
    log.append_behind(buffer)
    if odd is not None:
        log.append(odd)
    buffer[:] = -1.0
    assert_equal([row.tolist() for row in log.stack()[:3]], [[0, 0], [1, 1], [2, 2]])


def test_what_is_stacked_may_be_written_to() -> None:
    stacked = _stacked([np.zeros(2), np.ones(2)], [])
    stacked[0, 0] = 5.0
    assert stacked[0, 0] == 5.0


BAD = [math.nan, -math.nan, math.inf, -math.inf]
NUMBERS = [0.0, -0.0, 1.0, -1.5, 6e4, -6e4, 1e-7, -3.4e38, 3.4e38, 1e-45]


@st.composite
def _observations(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    """Arrays of every kind of number, a few of them with one that is not finite."""
    dtype = np.dtype(draw(st.sampled_from(["f2", "f4", "f8", ">f4", ">f8", "g", "i4", "u1", "?"])))
    shape = draw(st.sampled_from([(1,), (4,), (32,), (33,), (2, 2)]))
    with np.errstate(over="ignore", invalid="ignore"):
        row = np.resize(draw(st.lists(st.sampled_from(NUMBERS), min_size=1)), shape).astype(dtype)
    if dtype.kind == "f" and draw(st.booleans()):
        row.flat[draw(st.integers(0, row.size - 1))] = draw(st.sampled_from(BAD))
    return row


def _expected(row: np.ndarray[Any, Any], *, is_alike: bool) -> bytes | None:
    if not np.isfinite(row).all():
        return None
    return row.tobytes() if is_alike else b""


@given(first=_observations(), other=_observations())
def test_a_look_tells_what_is_not_finite_and_what_is_odd(
    first: np.ndarray[Any, Any], other: np.ndarray[Any, Any]
) -> None:
    look = RowLog().looking(first)
    assert look(np.array(first)) == _expected(first, is_alike=True)
    is_alike = first.dtype is other.dtype and first.shape == other.shape
    assert look(other) == _expected(other, is_alike=is_alike)


@given(first=_observations(), odd=ROWS.filter(lambda row: not isinstance(row, np.ndarray)))
def test_what_is_no_array_is_odd(first: np.ndarray[Any, Any], odd: Any) -> None:
    assert RowLog().looking(first)(odd) == b""
    assert RowLog().looking(odd)(first) == _expected(first, is_alike=False)


@pytest.mark.parametrize("bad", BAD)
def test_what_is_not_finite_inside_of_anything_is_seen(bad: float) -> None:
    look = RowLog().looking(np.zeros(4, np.float32))
    for row in (bad, np.float64(bad), [1.0, bad], {"a": (0, np.array([bad]))}, np.array([[bad]])):
        assert look(row) is None
