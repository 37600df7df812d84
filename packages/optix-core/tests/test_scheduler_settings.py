"""Scheduler settings: defaults of the description, and every range checked."""

from dataclasses import astuple
from typing import Any

import numpy as np
import pytest

from optix_core.errors import ConfigurationError
from optix_core.scheduler_settings import SchedulerSettings


def test_defaults_are_the_documented_ones() -> None:
    assert astuple(SchedulerSettings()) == (1, 2.0, 100, 5, 20, 0.95, 1, False, False)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"base_interval": 0}, "base_interval .* at least 1, got 0"),
        ({"base_interval": 1.5}, "base_interval .* got 1.5"),
        ({"base_interval": True}, "base_interval .* got True"),
        ({"base_interval": 101}, "max_interval_episodes .* got 100 < 101"),
        ({"backoff_factor": 0.99}, "backoff_factor .* got 0.99"),
        ({"backoff_factor": float("inf")}, "backoff_factor .* finite .* got inf"),
        ({"backoff_factor": "2"}, "backoff_factor .* got '2'"),
        ({"backoff_factor": True}, "backoff_factor .* got True"),
        ({"plateau_threshold": 0}, "plateau_threshold .* got 0"),
        ({"plateau_threshold": 21}, "dormant_threshold .* got 20 < 21"),
        ({"dormant_threshold": -3}, "dormant_threshold .* got -3"),
        ({"degradation_threshold": -0.1}, r"degradation_threshold .* got -0.1"),
        ({"degradation_threshold": 1.1}, r"degradation_threshold .* got 1.1"),
        ({"degradation_threshold": float("nan")}, "degradation_threshold .* got nan"),
        ({"degradation_patience": 0}, "degradation_patience .* got 0"),
        ({"watchdog": 1}, "watchdog must be True or False, got 1"),
        ({"rollback_on_degradation": None}, "rollback_on_degradation .* got None"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name_and_value(
    given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        SchedulerSettings(**given)


def test_numpy_numbers_become_plain_ones() -> None:
    numbers: dict[str, Any] = {"base_interval": np.int64(2), "backoff_factor": np.float32(1.5)}
    settings = SchedulerSettings(**numbers)
    assert (type(settings.base_interval), type(settings.backoff_factor)) == (int, float)


@pytest.mark.parametrize("edge", [0, 1])
def test_both_ends_of_the_degradation_threshold_are_allowed(edge: int) -> None:
    assert SchedulerSettings(degradation_threshold=edge).degradation_threshold == float(edge)
