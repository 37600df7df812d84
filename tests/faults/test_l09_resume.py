"""L09: a run that was killed and resumed equals the uninterrupted one, bit for bit."""

import pytest

from .script import run_script

KINDS = ("backoff", "pbt", "evidence", "spawns", "ensemble", "replay")


@pytest.mark.parametrize("kind", KINDS)
def test_kills_in_the_middle_of_windows(kind: str) -> None:
    run_script("resumer", "kill_windows", kind, 2, 0)


def test_kills_while_the_state_is_saved() -> None:
    run_script("resumer", "kill_lines", "pbt", 499)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_twenty_kills_in_the_middle_of_windows(kind: str) -> None:
    run_script("resumer", "kill_windows", kind, 20, 1, timeout_s=900)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_kills_at_every_few_lines_while_the_state_is_saved(kind: str) -> None:
    run_script("resumer", "kill_lines", kind, 29, timeout_s=1800)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", KINDS)
def test_kills_at_every_line_while_the_state_is_saved(kind: str) -> None:
    run_script("resumer", "kill_lines", kind, 1, timeout_s=36_000)
