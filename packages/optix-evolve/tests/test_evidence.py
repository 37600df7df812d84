"""Quantiles and bounds against tables and exact fits."""

import math

import numpy as np
import pytest
from hypothesis import given

from optix_evolve.evidence import noise_sd, student_95, trend_evidence
from optix_evolve.short_window import fit_line, power_of_two

from .windows import windows

TABLE = {1: 6.3138, 2: 2.9200, 3: 2.3534, 4: 2.1318, 5: 2.0150, 8: 1.8595, 10: 1.8125} | {
    20: 1.7247,
    30: 1.6973,
    120: 1.6577,
}


@pytest.mark.parametrize(("df", "quantile"), TABLE.items())
def test_student_quantiles_are_those_of_the_table(df: int, quantile: float) -> None:
    assert student_95(df) == pytest.approx(quantile, abs=1.5e-4)


def test_student_needs_a_degree_of_freedom_and_ends_at_the_normal() -> None:
    assert student_95(0) == math.inf
    assert student_95(10**9) == pytest.approx(1.6448536, abs=1e-7)


@given(scores=windows(min_size=3))
def test_a_fit_is_that_of_polyfit(scores: list[float]) -> None:
    fit, factor = fit_line(scores), power_of_two(scores)
    assert fit is not None
    assert factor is not None
    scores = [factor * score for score in scores]  # a fit is in units of this power of two
    x = np.arange(len(scores))
    slope, intercept = np.polyfit(x, scores, 1)
    size = max(map(abs, scores))
    assert fit.slope == pytest.approx(slope, abs=1e-9 * (1 + size))
    assert fit.mean == pytest.approx(np.mean(scores), abs=1e-9 * (1 + size))
    assert fit.sd == pytest.approx(np.std(scores), abs=1e-9 * (1 + size))
    residuals = np.array(scores) - slope * x - intercept
    assert fit.residual_sd == pytest.approx(np.std(residuals), abs=1e-9 * (1 + size))


def test_a_slope_s_standard_error_is_the_textbook_s() -> None:
    scores = [1.0, 3.0, 2.0, 5.0, 4.0]
    fit = fit_line(scores)
    assert fit is not None
    # Slope 0.8, residual sum of squares 3.6, Σ (i − ī)² = 10: SE = √(3.6 / 3 / 10).
    assert fit.slope == pytest.approx(0.8)
    assert fit.slope_se == pytest.approx(math.sqrt(0.12))
    assert trend_evidence(fit) == pytest.approx(0.8 / math.sqrt(0.12) / student_95(3))


def test_evidence_of_degenerate_windows() -> None:
    assert fit_line([]) is None
    assert fit_line([1.0, math.nan]) is None
    two, perfect = fit_line([1.0, 2.0]), fit_line([2.0, 1.0, 0.0])
    assert two is not None
    assert perfect is not None
    assert two.slope_se == math.inf
    assert trend_evidence(two) == 0.0
    assert trend_evidence(perfect) == -math.inf


def test_noise_comes_from_standard_errors_or_from_residuals() -> None:
    assert noise_sd([1.0, 2.0, 3.0], [3.0, 4.0]) == pytest.approx(math.sqrt(12.5))
    assert noise_sd([1.0, 2.0], []) == 0.0
    assert noise_sd([], [0.0]) == 0.0
    assert noise_sd([1.0, 3.0, 2.0, 5.0, 4.0], []) == pytest.approx(math.sqrt(3.6 / 3))
    huge = [1e200 * score for score in (1.0, 3.0, 2.0, 5.0, 4.0)]
    assert noise_sd(huge, []) == pytest.approx(1e200 * math.sqrt(3.6 / 3))
