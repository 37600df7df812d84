"""How numbers, durations and curves are written."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_cli.sparkline import sparkline
from optix_cli.wording import clock_text, duration_text, error_text, score_text, score_with_error


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (500.0, "500.0"),
        (-73.456, "-73.5"),
        (9.5, "9.50"),
        (-1234.56, "-1,234.6"),
        (0.0, "0.0"),
        (0.0123416, "0.0123"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (None, "-"),
    ],
)
def test_scores(value: float | None, text: str) -> None:
    assert score_text(value) == text


def test_a_score_has_its_error_where_there_is_one() -> None:
    assert score_with_error(500.0, 0.0) == "500.0 ± 0.0"
    assert score_with_error(0.5, 0.0123) == "0.5 ± 0.012"
    assert score_with_error(12.5, math.nan) == "12.5"
    assert score_with_error(12.5, None) == "12.5"
    assert error_text(3.14159) == "3.1"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (59.97, "1 min 00 s"),
        (65.0, "1 min 05 s"),
        (7620.0, "2 h 07 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(7.9, "0:07"), (754, "12:34"), (3723, "1:02:03")])
def test_clock(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text


def test_a_curve_goes_from_lowest_to_highest() -> None:
    assert sparkline([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([5.0, 5.0], 8) == "▁▁"
    assert sparkline([], 8) == ""
    assert sparkline([0.0, math.nan, 1.0], 8) == "▁ █"


@given(st.lists(st.floats(), max_size=200), st.integers(1, 60))
def test_a_curve_never_exceeds_its_width(scores: list[float], width: int) -> None:
    curve = sparkline(scores, width)
    assert len(curve) == min(len(scores), width)
    assert set(curve) <= set("▁▂▃▄▅▆▇█ ")
