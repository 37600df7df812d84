"""What a signal does to a run in a process of its own, and what is left after a kill."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import RunCommand

ENDLESS = (
    "train", "CartPole-v1", "--seed", "100", "--agent", "linear_agent:make_agent",
    "--run-dir", "here", "--set", "n_envs=4", "window_size=50", "validation_episodes=4",
    "plateau_threshold=1000000", "dormant_threshold=1000000",
)  # fmt: skip


def signalled_after_three_evaluations(number: signal.Signals) -> tuple[int, str]:
    """Start an endless run, send the signal, return its exit code and the rest of its output."""
    process = subprocess.Popen(
        [sys.executable, "-m", "optix_cli", *ENDLESS],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        evaluations = (line for line in process.stdout if line.startswith("window"))
        for _ in range(3):
            next(evaluations)
        process.send_signal(number)
        rest, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    return process.returncode, rest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_in_good_order(users_directory: Path, number: signal.Signals) -> None:
    code, rest = signalled_after_three_evaluations(number)
    assert code == 128 + number
    assert f"interrupted: KeyboardInterrupt: {number.name}" in rest
    assert f"Interrupted by {number.name}." in rest
    assert "Traceback" not in rest
    last = (users_directory / "here" / "events.jsonl").read_text(encoding="utf-8").splitlines()[-1]
    assert json.loads(last)["stop_reason"] == "interrupted"


def test_a_killed_run_is_reported_and_evaluated(users_directory: Path, optix: RunCommand) -> None:
    code, _ = signalled_after_three_evaluations(signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert "no end is recorded: the process was killed" in optix("report", "here").out
    evaluated = optix("evaluate", "here", "--agent", "linear_agent:make_agent", "--episodes", "3")
    assert evaluated.code == 0, evaluated.err
