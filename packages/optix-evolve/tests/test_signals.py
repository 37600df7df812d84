"""Slope, correlation and noise against exact fractions, compiled and not, and their laws."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from optix_core.errors import ConfigurationError
from optix_evolve import signals
from optix_evolve.adaptive_noise import NoiseLimits

from . import reference
from .windows import ANY_SIZE, USUAL, pairs, windows

Slope = Callable[[list[float]], float]
Pearson = Callable[[list[float], list[float]], float]

LIMITS = (0.001, 0.1, 0.05)


def compiled_slope(scores: list[float]) -> float:
    return float(signals.slopes(np.reshape(scores, (1, -1)), compiled=True)[0])


def compiled_pearson(first: list[float], second: list[float]) -> float:
    rows = np.reshape(first, (1, -1)), np.reshape(second, (1, -1))
    return float(signals.pearsons(*rows, compiled=True)[0])


def batch_noise(
    scores: list[float], train: list[float], val: list[float], *, compiled: bool
) -> float:
    rows = (np.reshape(window, (1, -1)) for window in (scores, train, val))
    return float(signals.noise_scales(*rows, compiled=compiled)[0])


def scaled_down(scores: list[float]) -> list[float]:
    return [score / 64 for score in scores]  # so that a sum of twelve stays a float


SLOPES = pytest.mark.parametrize("slope", [signals.slope, compiled_slope])
PEARSONS = pytest.mark.parametrize("pearson", [signals.pearson, compiled_pearson])


@SLOPES
@given(scores=windows(ANY_SIZE))
def test_a_slope_is_that_of_exact_arithmetic(slope: Slope, scores: list[float]) -> None:
    size = max((abs(score) for score in scores), default=0.0)
    assert slope(scores) == pytest.approx(reference.slope(scores), rel=1e-12, abs=1e-15 * size)


@SLOPES
@pytest.mark.parametrize("offset", [0.0, 1e6, 1e12, 1e15])
def test_a_slope_is_exact_to_rounding_at_any_offset(slope: Slope, offset: float) -> None:
    rng = np.random.default_rng(3)
    for _ in range(100):
        scores = (offset + 0.1 * np.arange(10) + rng.normal(size=10)).tolist()
        assert slope(scores) == pytest.approx(reference.slope(scores), rel=1e-14, abs=1e-15)


@SLOPES
@given(scores=windows(), shift=st.integers(-(2**40), 2**40))
def test_a_slope_does_not_change_when_scores_shift(
    slope: Slope, scores: list[float], shift: float
) -> None:
    # Quarters and integers of this size add without rounding.
    quarters = [round(4 * score) / 4 for score in scores]
    assert slope([score + shift for score in quarters]) == slope(quarters)


@SLOPES
@given(scores=windows(), exponent=st.integers(-30, 30))
def test_a_slope_scales_with_the_scores(slope: Slope, scores: list[float], exponent: int) -> None:
    assert slope([2.0**exponent * score for score in scores]) == 2.0**exponent * slope(scores)


@SLOPES
@given(scores=windows(ANY_SIZE))
def test_a_slope_of_reversed_scores_is_negated_to_the_last_bit(
    slope: Slope, scores: list[float]
) -> None:
    assert slope(scores[::-1]) == -slope(scores)


@SLOPES
@given(scores=windows(min_size=2), rise=st.floats(0, 1e6))
def test_a_slope_is_monotone_in_the_last_score(
    slope: Slope, scores: list[float], rise: float
) -> None:
    assert slope([*scores[:-1], scores[-1] + rise]) >= slope(scores)


@SLOPES
@pytest.mark.parametrize("scores", [[], [3.0], [5.0] * 7, [0.1] * 10, [1.0, math.nan, 3.0]])
def test_a_slope_without_a_trend_is_zero(slope: Slope, scores: list[float]) -> None:
    assert slope(scores) == 0.0


@SLOPES
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@given(scores=windows(ANY_SIZE, min_size=1), data=st.data())
def test_a_slope_of_scores_that_are_not_finite_is_zero(
    slope: Slope, bad: float, scores: list[float], data: st.DataObject
) -> None:
    scores[data.draw(st.integers(0, len(scores) - 1))] = bad
    assert slope(scores) == 0.0


@SLOPES
def test_a_slope_beyond_the_floats_is_the_largest_float(slope: Slope) -> None:
    assert slope([-1.7e308, 1.7e308]) == 1.7976931348623157e308


@PEARSONS
@given(pair=pairs(ANY_SIZE))
def test_a_correlation_is_that_of_exact_arithmetic(
    pearson: Pearson, pair: tuple[list[float], list[float]]
) -> None:
    expected = reference.correlation(*pair)
    assert pearson(*pair) == pytest.approx(0.0 if math.isnan(expected) else expected, abs=1e-7)


@PEARSONS
@pytest.mark.parametrize("offset", [0.0, 1e6, 1e12, 1e15])
def test_a_correlation_is_exact_to_rounding_at_any_offset(pearson: Pearson, offset: float) -> None:
    rng = np.random.default_rng(4)
    for _ in range(100):
        x = (offset + rng.normal(size=10)).tolist()
        y = (x + rng.normal(size=10)).tolist()
        assert pearson(x, y) == pytest.approx(reference.correlation(x, y), abs=2e-15)


@PEARSONS
@given(pair=pairs(ANY_SIZE))
def test_a_correlation_is_symmetric_and_within_its_bounds(
    pearson: Pearson, pair: tuple[list[float], list[float]]
) -> None:
    x, y = pair
    assert pearson(x, y) == pearson(y, x)
    assert -1.0 <= pearson(x, y) <= 1.0


@PEARSONS
@given(scores=windows(ANY_SIZE, min_size=2))
def test_a_window_correlates_with_itself_fully_or_not_at_all(
    pearson: Pearson, scores: list[float]
) -> None:
    expected = 0.0 if len(set(scores)) == 1 else 1.0
    assert pearson(scores, scores) == pytest.approx(expected, abs=1e-15)
    assert pearson(scores, [-score for score in scores]) == pytest.approx(-expected, abs=1e-15)


@PEARSONS
@given(pair=pairs(), scale=st.integers(-300, 300), offset=st.integers(-(2**30), 2**30))
def test_a_correlation_does_not_depend_on_unit_or_origin(
    pearson: Pearson, pair: tuple[list[float], list[float]], scale: float, offset: float
) -> None:
    x, y = ([float(round(score)) for score in window] for window in pair)
    moved = [2.0**scale * (score + offset) for score in x]
    assert pearson(moved, y) == pytest.approx(pearson(x, y), abs=1e-12)


@PEARSONS
@pytest.mark.parametrize(
    "pair",
    [([], []), ([1.0], [2.0]), ([1.0, 1.0], [1.0, 2.0]), ([1.0, math.inf], [1.0, 2.0])],
)
def test_a_correlation_that_is_not_defined_is_zero(
    pearson: Pearson, pair: tuple[list[float], list[float]]
) -> None:
    assert pearson(*pair) == 0.0


@pytest.mark.parametrize("compiled", [False, True])
@given(data=st.data(), pair=pairs(ANY_SIZE))
def test_noise_is_that_of_exact_arithmetic(
    *, compiled: bool, data: st.DataObject, pair: tuple[list[float], list[float]]
) -> None:
    n = len(pair[0])
    scores = data.draw(windows(ANY_SIZE, min_size=n, max_size=n))
    train, val = pair
    gaps = [a - b for a, b in zip(scaled_down(train), scaled_down(val), strict=True)]
    # A mean that is all cancellation, 10³⁰⁰ − 10³⁰⁰ + 1, has no digits left in floats.
    assume(
        all(abs(math.fsum(v)) >= 1e-6 * math.fsum(map(abs, v)) for v in (scaled_down(val), gaps))
    )
    expected = reference.noise_scale(scores, *pair, LIMITS)
    assert batch_noise(scores, *pair, compiled=compiled) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("compiled", [False, True])
@given(scores=windows(ANY_SIZE), bad=st.sampled_from([math.nan, math.inf, -math.inf]))
def test_noise_is_full_where_scores_are_not_finite_and_within_limits_always(
    *, compiled: bool, scores: list[float], bad: float
) -> None:
    assert LIMITS[0] <= batch_noise(scores, scores, scores, compiled=compiled) <= LIMITS[1]
    broken = [*scores, bad]
    assert batch_noise(broken, broken, broken, compiled=compiled) == LIMITS[1]


@pytest.mark.parametrize("compiled", [False, True])
@given(scores=windows(min_size=2), step=st.floats(0, 100), gap=st.floats(0, 100))
def test_noise_falls_with_progress_and_rises_with_the_gap(
    *, compiled: bool, scores: list[float], step: float, gap: float
) -> None:
    centred = [score - sum(scores) / len(scores) for score in scores]
    centre = (len(centred) - 1) / 2
    steeper = [score + step * (i - centre) for i, score in enumerate(centred)]
    if signals.slope(centred) >= 0:
        assert batch_noise(steeper, centred, centred, compiled=compiled) <= (
            batch_noise(centred, centred, centred, compiled=compiled) + 1e-9
        )
    wider = [score + gap for score in scores]
    assert batch_noise(scores, wider, scores, compiled=compiled) >= (
        batch_noise(scores, scores, scores, compiled=compiled) - 1e-9
    )


def test_the_kernels_and_plain_python_agree_on_a_large_batch() -> None:
    rng = np.random.default_rng(5)
    scores, train, val = rng.normal(size=(3, 1001, 10)) + 1e6
    both = [
        (signals.slopes(scores, compiled=c), signals.pearsons(train, val, compiled=c))
        for c in (False, True)
    ]
    np.testing.assert_allclose(both[0][0], both[1][0], rtol=1e-14)
    np.testing.assert_allclose(both[0][1], both[1][1], atol=1e-14)
    np.testing.assert_allclose(
        signals.noise_scales(scores, train, val, compiled=False),
        signals.noise_scales(scores, train, val, compiled=True),
        rtol=1e-9,
    )


def test_threads_change_nothing() -> None:
    rows = np.random.default_rng(6).normal(size=(257, 9))
    rows[7] = 1.7e308
    rows[8, 4] = math.nan
    expected = signals.slopes(rows, compiled=True)
    np.testing.assert_array_equal(signals.slopes(rows, parallel=True), expected)


def test_any_layout_and_dtype_give_the_same() -> None:
    rows = np.random.default_rng(7).integers(0, 9, size=(4, 6))
    expected = [reference.slope(row) for row in rows.tolist()]
    for layout in (rows, rows.astype(np.float32), np.asfortranarray(rows), rows.tolist()):
        for compiled in (False, True):
            np.testing.assert_allclose(signals.slopes(layout, compiled=compiled), expected)
    every_second = np.repeat(rows, 2, axis=1)[:, ::2]
    np.testing.assert_allclose(signals.slopes(every_second, compiled=True), expected)


def test_a_batch_may_be_empty() -> None:
    for shape in [(0, 5), (3, 0), (3, 1)]:
        for compiled in (False, True):
            rows = np.ones(shape)
            assert signals.slopes(rows, compiled=compiled).tolist() == [0.0] * shape[0]
            assert signals.pearsons(rows, rows, compiled=compiled).tolist() == [0.0] * shape[0]
            noise = signals.noise_scales(rows, rows, rows, compiled=compiled)
            assert noise.tolist() == [0.1] * shape[0]


@given(scores=windows(USUAL))
def test_a_window_may_be_an_array_a_tuple_or_a_list(scores: list[float]) -> None:
    assert signals.slope(np.array(scores)) == signals.slope(tuple(scores)) == signals.slope(scores)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"one-dimensional.*\(1, 2\)"):
        signals.slope(np.ones((1, 2)))
    with pytest.raises(ConfigurationError, match="one-dimensional"):
        signals.slope([[1.0, 2.0]])  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigurationError, match="same length, got 2 and 3"):
        signals.pearson([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(ConfigurationError, match="two-dimensional"):
        signals.slopes([1.0, 2.0])
    with pytest.raises(ConfigurationError, match="one shape"):
        signals.pearsons(np.ones((2, 3)), np.ones((2, 4)))


def test_noise_takes_other_limits() -> None:
    limits = NoiseLimits(min_scale=0.0, max_scale=1.0, max_slope=1e-6)
    rising = [[1.0, 2.0, 3.0]]
    for compiled in (False, True):
        noise = signals.noise_scales(rising, rising, rising, limits=limits, compiled=compiled)
        assert noise.tolist() == pytest.approx([0.0], abs=1e-12)
