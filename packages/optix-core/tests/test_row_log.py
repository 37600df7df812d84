"""Rows come back as one array equal to what stacking copies of them gives."""

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
