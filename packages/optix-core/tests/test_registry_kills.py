"""Processes that are killed while they save, and processes that save at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

KILLER = Path(__file__).with_name("registry_killer.py")


def run(*arguments: object, timeout_s: float = 120) -> None:
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(KILLER), *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr


def test_a_kill_at_a_random_time_loses_nothing() -> None:
    run("kill_at_random", 20, 0)


@pytest.mark.slow
def test_two_hundred_kills_at_random_times_lose_nothing() -> None:
    run("kill_at_random", 200, 1, timeout_s=600)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(10))
def test_two_thousand_kills_at_random_times_lose_nothing(seed: int) -> None:
    run("kill_at_random", 200, 10 + seed, timeout_s=600)


def test_a_kill_at_a_line_of_a_save_loses_nothing() -> None:
    run("kill_at_lines", 29)


@pytest.mark.slow
def test_a_kill_at_any_line_of_a_save_loses_nothing() -> None:
    run("kill_at_lines", 1, timeout_s=600)


def test_two_processes_save_at_once() -> None:
    run("write_together", 2, 10)


@pytest.mark.slow
@pytest.mark.parametrize("round_index", range(5))
def test_two_processes_save_at_once_at_length(round_index: int) -> None:
    run("write_together", 2, 30)


def test_a_lock_ends_with_its_process_even_if_a_child_lives_on() -> None:
    run("outlive_the_parent")
