"""How far a step size moves, and where it stops."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core import Domain
from optix_core.policy_change import PolicyChange
from optix_core.step_size import StepSize
from optix_core.step_size_rule import factor_for, factor_for_ratio, is_ruinous

positive = st.floats(1e-9, 1e3)


def reference(value: float, factor: float, floor: float, cap: float) -> float:
    """The rule in words: up to the cap, down to the floor, never against the direction."""
    if factor > 1:
        return max(value, min(value * factor, cap))
    return min(value, max(value * factor, floor))


@given(positive, positive, st.sampled_from([1.5, 1 / 1.5]))
def test_without_bounds_the_start_sets_the_limits(
    value: float, start: float, factor: float
) -> None:
    cap = 1e-2 if start <= 1e-2 else 30 * start
    moved = StepSize(name="rate", domain=Domain()).scaled(value, factor, start=start)
    assert moved == pytest.approx(reference(value, factor, min(1e-6, start), cap))


@given(st.floats(1e-4, 1.0), st.sampled_from([1.5, 1 / 1.5]))
def test_bounds_win(value: float, factor: float) -> None:
    domain = Domain(low=1e-4, high=1.0, log=True)
    moved = StepSize(name="rate", domain=domain).scaled(value, factor, start=value)
    assert moved == pytest.approx(reference(value, factor, 1e-4, 1.0))
    assert 1e-4 <= moved <= 1.0


def test_a_whole_number_stays_one() -> None:
    moved = StepSize(name="shift", domain=Domain(low=1, high=64)).scaled(4, 1.5, start=4)
    assert moved == 6
    assert isinstance(moved, int)


@pytest.mark.parametrize(
    ("amount", "error", "expected"),
    [
        (0.021, 0.0, 1 / 1.5),
        (0.044, 0.0, 1 / 1.5),
        (0.046, 0.0, 1.5**-2),
        (0.1, 0.0, 1.5**-2),
        (0.11, 0.0, 1.5**-3),
        (5.0, 0.0, 1.5**-4),
        (0.02, 0.0, 1.0),
        (0.005, 0.0, 1.0),
        (0.0049, 0.0, 1.5),
        (0.5, 0.2, 1.0),
        (0.5, 0.1, 1.5**-3),
        (0.001, 0.01, 1.0),
        (float("nan"), 0.0, 1.0),
        (float("inf"), 0.0, 1.5**-4),
        (1.0, float("inf"), 1.0),
    ],
)
def test_the_band_of_divergence(amount: float, error: float, expected: float) -> None:
    factor = factor_for(PolicyChange(amount=amount, error=error), 1000)
    assert factor == pytest.approx(expected)


@pytest.mark.parametrize(
    ("amount", "error", "expected"),
    [
        (0.0049, 0.0, 1.5),
        (0.001, 0.0, 1.5),
        (0.00098, 0.0, 1.5**2),
        (0.0002, 0.0, 1.5**2),
        (0.00019, 0.0, 1.5**3),
        (1e-12, 0.0, 1.5**4),
        (1e-12, 0.0016, 1.5),
        (1e-12, 0.0017, 1.0),
        (0.0, 0.0, 1.5),
        (0.0, 0.0001, 1.5**2),
        (0.005, 0.0, 1.0),
        (0.1, 0.0, 1.5**-2),
        (float("nan"), 0.0, 1.0),
    ],
)
def test_a_step_size_that_was_never_right_rises_faster(
    amount: float, error: float, expected: float
) -> None:
    change = PolicyChange(amount=amount, error=error)
    assert factor_for(change, 1000, most_up=4) == pytest.approx(expected)


@given(st.floats(1e-9, 0.00499), st.integers(1, 4))
def test_a_rise_goes_half_the_way_where_the_change_grows_with_the_square(
    amount: float, most_up: int
) -> None:
    factor = factor_for(PolicyChange(amount=amount), 1000, most_up=most_up)
    missing = math.sqrt(0.005 / amount)
    assert factor <= 1.5 * math.sqrt(missing) * (1 + 1e-9)
    assert factor >= math.sqrt(missing) or factor == pytest.approx(1.5**most_up)


@pytest.mark.parametrize(
    ("amount", "n_steps", "expected"),
    [
        (0.36, 1000, 1 / 1.5),
        (0.36, 2000, 1.0),
        (0.15, 1000, 1.0),
        (0.07, 1000, 1.5),
        (0.07, 500, 1.0),
        (0.07, 0, 1 / 1.5),
    ],
)
def test_the_band_of_churn_is_per_thousand_steps(
    amount: float, n_steps: int, expected: float
) -> None:
    for most_up in (1, 4):
        change = PolicyChange(amount=amount, is_churn=True)
        assert factor_for(change, n_steps, most_up=most_up) == expected


@given(
    amount=st.one_of(st.floats(0.0, 10.0), st.just(math.inf), st.just(math.nan)),
    error=st.floats(0.0, 1.0),
)
def test_a_lesson_is_ruinous_beyond_ten_times_the_target(amount: float, error: float) -> None:
    expected = amount - 3.0 * error > 0.1
    assert is_ruinous(PolicyChange(amount=amount, error=error)) == expected
    assert not is_ruinous(PolicyChange(amount=amount, error=error, is_churn=True))


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (0.0, 1.0),
        (1e-9, 1.5),
        (0.00049, 1.5),
        (0.0005, 1.0),
        (0.003, 1.0),
        (0.0031, 1 / 1.5),
        (0.0046, 1.5**-2),
        (0.0068, 1.5**-3),
        (0.1, 1.5**-4),
        (float("inf"), 1.5**-4),
        (float("nan"), 1.0),
    ],
)
def test_the_band_of_an_updates_relative_length(ratio: float, expected: float) -> None:
    assert factor_for_ratio(ratio) == pytest.approx(expected)


@given(st.floats(1e-6, 1e-1), st.floats(1e-3, 1e3))
def test_a_ratio_in_proportion_to_the_step_size_is_brought_into_its_band(
    rate: float, slope: float
) -> None:
    for _ in range(60):
        rate *= factor_for_ratio(slope * rate)
    assert 0.0005 <= slope * rate <= 0.003 * (1 + 1e-9)
