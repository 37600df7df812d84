"""C02: a process is killed at a line of a save or of its pruning; the state is before or after."""

import pytest

from .script import run_script


def test_a_kill_at_a_line_of_a_save_loses_nothing() -> None:
    run_script("registry_killer", "kill_at_lines", 29)


@pytest.mark.slow
def test_a_kill_at_any_line_of_a_save_loses_nothing() -> None:
    run_script("registry_killer", "kill_at_lines", 1, timeout_s=600)
