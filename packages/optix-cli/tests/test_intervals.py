"""The 95 % interval of a mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optix_cli.intervals import bootstrap_interval
from optix_core.errors import ConfigurationError


def test_it_is_near_the_normal_interval_of_many_returns() -> None:
    rng = np.random.default_rng(1)
    returns = rng.normal(100.0, 10.0, size=400)
    interval = bootstrap_interval(returns, np.random.default_rng(2))
    half = 1.96 * returns.std(ddof=1) / np.sqrt(400)
    assert interval.mean == pytest.approx(returns.mean())
    assert interval.low == pytest.approx(returns.mean() - half, abs=0.1)
    assert interval.high == pytest.approx(returns.mean() + half, abs=0.1)


@settings(max_examples=25)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8))
def test_it_lies_within_the_returns_and_holds_no_luck(returns: list[float]) -> None:
    first, second = (
        bootstrap_interval(np.array(returns), np.random.default_rng(0)) for _ in range(2)
    )
    assert first == second
    assert first.low is not None
    assert first.high is not None
    tolerance = 1e-6
    assert min(returns) - tolerance <= first.low <= first.high <= max(returns) + tolerance


def test_many_returns_are_resampled_block_by_block() -> None:
    returns = np.arange(300_000, dtype=np.float64)
    interval = bootstrap_interval(returns, np.random.default_rng(0), resamples=7)
    assert interval.low is not None
    assert abs(interval.low - interval.mean) < 1_000


def test_equal_returns_have_no_width_and_one_return_no_interval() -> None:
    same = bootstrap_interval(np.full(100, 500.0), np.random.default_rng(0))
    assert (same.low, same.high) == (500.0, 500.0)
    single = bootstrap_interval(np.array([3.0]), np.random.default_rng(0))
    assert (single.mean, single.low, single.high) == (3.0, None, None)


def test_no_returns_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least 1 episode"):
        bootstrap_interval(np.array([]), np.random.default_rng(0))
