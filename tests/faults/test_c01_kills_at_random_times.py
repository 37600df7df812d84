"""C01: a process that saves is killed at a random time; no snapshot it acknowledged is lost."""

import pytest

from .script import run_script


def test_kills_at_random_times_lose_nothing() -> None:
    run_script("registry_killer", "kill_at_random", 20, 0)


@pytest.mark.slow
def test_two_hundred_kills_at_random_times_lose_nothing() -> None:
    run_script("registry_killer", "kill_at_random", 200, 1, timeout_s=600)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(10))
def test_two_thousand_kills_at_random_times_lose_nothing(seed: int) -> None:
    run_script("registry_killer", "kill_at_random", 200, 10 + seed, timeout_s=600)
