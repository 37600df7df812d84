"""The loop settings of `optix train`: their ranges, and the patience that they amount to."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from optix_cli.loop_settings import LoopSettings
from optix_cli.overrides import parse_values
from optix_core.backoff_scheduler import Evaluation, decide, is_due, start_round
from optix_core.errors import ConfigurationError
from optix_core.loop_state import LoopState


def windows_until_dormant(settings: LoopSettings) -> int:
    """Windows from a first score until a run whose score never changes ends."""
    scheduler = settings.scheduler()
    state = start_round(scheduler, 0)
    window = 0
    while state.state is not LoopState.DORMANT:
        if is_due(state, window):
            evaluation = Evaluation(window_id=window, score=-500.0, is_better=window == 0)
            state, _ = decide(scheduler, state, evaluation)
        window += 1
    return window


def test_a_task_that_is_flat_at_first_is_given_two_hundred_thousand_steps() -> None:
    settings = LoopSettings()
    steps = windows_until_dormant(settings) * settings.steps_per_window
    # What the class promises in words.
    assert 200_000 <= steps <= 230_000


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [
        ("n_envs", 0, 1),
        ("window_size", 0, 1),
        ("validation_episodes", 1, 2),
        ("test_episodes", 0, 1),
    ],
)
def test_a_value_out_of_range_is_refused(name: str, value: int, least: int) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} must be at least {least}, got {value}"):
        replace(LoopSettings(), **{name: value})


def test_the_schedulers_ranges_are_checked_at_once() -> None:
    with pytest.raises(ConfigurationError, match="backoff_factor"):
        LoopSettings(backoff_factor=0.5)


def test_a_budget_is_counted_in_whole_windows() -> None:
    settings = LoopSettings(n_envs=2, window_size=50)
    assert settings.windows_within(None) is None
    assert settings.windows_within(100) == 1
    assert settings.windows_within(299) == 2


def test_a_budget_below_one_window_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least one window, 2,048 steps"):
        LoopSettings().windows_within(2047)


def test_the_readme_lists_every_setting_with_its_default() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (\S+) \|", readme, re.MULTILINE))
    stated = parse_values(rows, LoopSettings().as_dict())
    assert stated == LoopSettings().as_dict()
