"""L09: a run that was killed and resumed equals the uninterrupted one, bit for bit."""

import signal
from pathlib import Path

import pytest

from .script import run_script

KINDS = (
    "backoff", "evidence", "pbt", "population", "optuna", "steered", "watchdog", "spawns",
    "ensemble", "replay",
)  # fmt: skip


@pytest.mark.parametrize("kind", sorted({*KINDS} - {"backoff", "optuna", "watchdog"}))
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


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dqn", "sac", "td3", "ppo"])
def test_a_keras_agent_that_is_killed_at_changes_of_files(tmp_path: Path, kind: str) -> None:
    def run(name: str, kill_at: int, exit_code: int = 0) -> str:
        path = tmp_path / name
        return run_script("keras_resumer", kind, path, kill_at, timeout_s=600, exit_code=exit_code)

    n_changes = int(run("whole", 0))
    for kill_at in (n_changes // 3, n_changes * 3 // 4):
        name = f"killed-{kill_at}"
        run(name, kill_at, -signal.SIGKILL)
        run(name, 0)
        whole, resumed = (tmp_path / f"{each}.marks" for each in ("whole", name))
        assert resumed.read_text() == whole.read_text()


@pytest.mark.nightly
@pytest.mark.parametrize("kind", KINDS)
def test_kills_at_every_change_of_files(kind: str) -> None:
    """Of a whole run: its beginning, every save of state and snapshots, its end."""
    run_script("resumer", "kill_changes", kind, 1, timeout_s=36_000)
