"""Back-off and its limit, against a slow account of the same rule."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core.errors import ConfigurationError
from optix_pipelines import ReconnectPolicy

policies = st.builds(
    ReconnectPolicy,
    max_failures=st.integers(1, 12),
    period_s=st.floats(0.1, 100.0),
    first_delay_s=st.floats(0.01, 5.0),
    factor=st.floats(1.0, 1e6),
    max_delay_s=st.floats(0.01, 60.0),
    jitter=st.floats(0.0, 1.0),
)
gaps = st.lists(st.tuples(st.floats(0.0, 50.0), st.floats(0.0, 1.0, exclude_max=True)), max_size=15)


@given(policy=policies, steps=gaps)
def test_equals_a_slow_account(policy: ReconnectPolicy, steps: list[tuple[float, float]]) -> None:
    now, every_failure, failures = 0.0, list[float](), tuple[float, ...]()
    for gap, uniform in steps:
        now += gap
        every_failure.append(now)
        failures, delay = policy.after_failure(failures, now, uniform)
        recent = [time for time in every_failure if time == now or now - time < policy.period_s]
        assert list(failures) == recent
        if len(recent) >= policy.max_failures:
            assert delay is None
            continue
        longest = policy.first_delay_s
        for _ in recent[1:]:
            longest = min(longest * policy.factor, policy.max_delay_s)
        longest = min(longest, policy.max_delay_s)
        assert delay is not None
        assert math.isclose(delay, longest * (1.0 - policy.jitter * uniform), abs_tol=1e-12)


def test_gives_up_at_the_fifth_failure_of_a_minute_by_default() -> None:
    failures, delays = tuple[float, ...](), list[float | None]()
    for now in range(5):
        failures, delay = ReconnectPolicy(jitter=0.0).after_failure(failures, float(now), 0.5)
        delays.append(delay)
    assert delays == [0.5, 1.0, 2.0, 4.0, None]


def test_failures_far_apart_never_add_up() -> None:
    failures = tuple[float, ...]()
    for minute in range(1000):
        failures, delay = ReconnectPolicy(jitter=0.0).after_failure(failures, 60.0 * minute, 0.0)
        assert (len(failures), delay) == (1, 0.5)


def test_thousands_of_failures_overflow_nothing() -> None:
    policy = ReconnectPolicy(max_failures=10**6, period_s=1e9, jitter=0.0)
    failures, delay = policy.after_failure(tuple(map(float, range(3000))), 3000.0, 0.0)
    assert len(failures) == 3001
    assert delay == policy.max_delay_s


@pytest.mark.parametrize(
    "setting",
    [
        {"max_failures": 0},
        {"max_failures": 2.5},
        {"period_s": 0.0},
        {"first_delay_s": -1.0},
        {"max_delay_s": math.inf},
        {"factor": 0.5},
        {"factor": math.nan},
        {"jitter": 1.5},
    ],
)
def test_refuses_what_is_out_of_range(setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(setting))):
        ReconnectPolicy(**setting)
