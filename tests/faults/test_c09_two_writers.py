"""C09: processes save at once; nothing acknowledged is lost, no lock outlives its process."""

import pytest

from .script import run_script


def test_two_processes_save_at_once() -> None:
    run_script("registry_killer", "write_together", 2, 10)


@pytest.mark.slow
@pytest.mark.parametrize("round_index", range(5))
def test_two_processes_save_at_once_at_length(round_index: int) -> None:
    run_script("registry_killer", "write_together", 2, 30)


@pytest.mark.nightly
@pytest.mark.parametrize("round_index", range(50))
def test_two_processes_save_three_thousand_snapshots_at_once(round_index: int) -> None:
    run_script("registry_killer", "write_together", 2, 30)


def test_a_lock_ends_with_its_process_even_if_a_child_lives_on() -> None:
    run_script("registry_killer", "outlive_the_parent")
