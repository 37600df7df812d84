"""Student's t against the integral of its density, and the laws of a distribution."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core.errors import ConfigurationError
from optix_core.student_t import student_quantile, student_tail

DF = st.floats(0.7, 300.0)


def integrated_tail(t: float, df: float) -> float:
    """Upper tail as ½ minus the integral of the density from 0 to t, by Simpson's rule."""
    x = np.linspace(0.0, t, 20_001)
    log_front = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - 0.5 * math.log(df * math.pi)
    density = np.exp(log_front - (df + 1) / 2 * np.log1p(x * x / df))
    weights = np.ones_like(x)
    weights[1:-1:2], weights[2:-1:2] = 4.0, 2.0
    return 0.5 - float((weights * density).sum()) * t / (len(x) - 1) / 3


@given(t=st.floats(0.0, 20.0), df=DF)
def test_tail_is_the_integral_of_the_density(t: float, df: float) -> None:
    assert student_tail(t, df) == pytest.approx(integrated_tail(t, df), abs=1e-10)


@given(t=st.floats(0.0, 1e6))
def test_tail_has_its_closed_forms(t: float) -> None:
    # Cauchy's distribution, and that of 2 degrees of freedom. 1/2 − F would lose all digits.
    assert student_tail(t, 1.0) == pytest.approx(math.atan2(1.0, t) / math.pi, rel=1e-11)
    root = math.sqrt(2.0 + t * t)
    assert student_tail(t, 2.0) == pytest.approx(1.0 / (root * (root + t)), rel=1e-11)


@given(t=st.floats(-50.0, 50.0), step=st.floats(1e-3, 5.0), df=DF)
def test_tail_is_symmetric_and_falls(t: float, step: float, df: float) -> None:
    assert student_tail(t, df) + student_tail(-t, df) == pytest.approx(1.0, abs=1e-14)
    assert student_tail(t, df) >= student_tail(t + step, df) >= 0.0
    # Near 1 there are no digits left to fall by.
    assert student_tail(abs(t), df) > student_tail(abs(t) + step, df) >= 0.0


@given(p=st.floats(1e-6, 1 - 1e-6), df=DF)
def test_quantile_inverts_the_tail(p: float, df: float) -> None:
    assert student_tail(student_quantile(p, df), df) == pytest.approx(1.0 - p, rel=1e-9)


@given(t=st.floats(-8.0, 8.0))
def test_many_degrees_of_freedom_are_normal(t: float) -> None:
    normal = NormalDist().cdf(-t)
    assert student_tail(t, 1e9) == pytest.approx(normal, rel=1e-6)
    assert student_tail(t, math.inf) == pytest.approx(normal, rel=1e-9)


def test_what_is_degenerate() -> None:
    assert student_tail(math.inf, 3.0) == 0.0
    assert student_tail(-math.inf, 3.0) == 1.0
    assert math.isnan(student_tail(math.nan, 3.0))
    assert student_tail(0.0, 3.0) == 0.5
    assert student_tail(1e200, 3.0) == 0.0
    assert student_quantile(0.95, 0.0) == math.inf
    assert student_quantile(0.05, 0.0) == -math.inf
    assert student_quantile(0.5, 0.0) == 0.0
    assert student_quantile(1.0, 4.0) == math.inf


@pytest.mark.parametrize(("p", "df"), [(-0.1, 3.0), (1.1, 3.0), (math.nan, 3.0), (0.9, -1.0)])
def test_refuses_what_is_no_probability_or_no_freedom(p: float, df: float) -> None:
    with pytest.raises(ConfigurationError):
        student_quantile(p, df)


def test_tail_refuses_no_freedom() -> None:
    with pytest.raises(ConfigurationError, match="above 0, got 0"):
        student_tail(1.0, 0.0)


def test_printed_table() -> None:
    # Abramowitz and Stegun, table 26.10.
    table = {(0.95, 5): 2.015, (0.975, 10): 2.228, (0.995, 20): 2.845, (0.8, 4): 0.941}
    for (p, df), t in table.items():
        assert student_quantile(p, df) == pytest.approx(t, abs=6e-4)
