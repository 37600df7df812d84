"""L09: a run that was killed and resumed equals the uninterrupted one, bit for bit."""

import pytest

from .script import run_script

KINDS = (
    "backoff", "evidence", "pbt", "population", "optuna", "steered", "spawns", "ensemble", "replay",
)  # fmt: skip


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("backoff", "optuna")])
def test_kills_in_the_middle_of_windows(kind: str) -> None:
    run_script("resumer", "kill_windows", kind, 2, 0)


@pytest.mark.parametrize("kind", ["pbt", "replay"])
def test_kills_at_some_changes_of_files(kind: str) -> None:
    run_script("resumer", "kill_changes", kind, 299)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_twenty_kills_in_the_middle_of_windows(kind: str) -> None:
    run_script("resumer", "kill_windows", kind, 20, 1, timeout_s=900)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_kills_at_every_few_changes_of_files(kind: str) -> None:
    run_script("resumer", "kill_changes", kind, 29, timeout_s=1800)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", KINDS)
def test_kills_at_every_change_of_files(kind: str) -> None:
    """Of a whole run: its beginning, every save of state and snapshots, its end."""
    run_script("resumer", "kill_changes", kind, 1, timeout_s=36_000)
