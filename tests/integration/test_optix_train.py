"""The command with its own agent: Keras PPO on CartPole, for a few windows, as a user runs it."""

import re
import subprocess
import sys
from pathlib import Path

TRAIN = (
    "train",
    "CartPole-v1",
    "--seed",
    "100",
    "--max-steps",
    "6144",
    "--set",
    "test_episodes=20",
)


def optix(directory: Path, *tokens: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "optix_cli", *tokens],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_train_reports_and_evaluate_repeats_the_test(tmp_path: Path) -> None:
    trained = optix(tmp_path, *TRAIN)
    assert trained.returncode == 0, trained.stderr
    assert trained.stderr == ""  # TensorFlow's log stays off the terminal
    assert "learning_rate=0.001" in trained.stdout
    assert "max windows: all 3 windows were collected" in trained.stdout
    scores = re.findall(r"^window .* score +([\d.]+) ±", trained.stdout, re.MULTILINE)
    assert len(scores) == 3
    assert float(scores[-1]) > float(scores[0])  # it learned

    (tested,) = re.findall(r"Test score .*", trained.stdout)
    evaluated = optix(tmp_path, "evaluate", "runs/CartPole-v1-seed100", "--episodes", "20")
    assert evaluated.returncode == 0, evaluated.stderr
    assert tested in evaluated.stdout


def test_real_actions_get_sac_and_its_small_windows(tmp_path: Path) -> None:
    quick = ("warmup_steps=64", "batch_size=8", "updates_per_step=0.05", "test_episodes=2")
    trained = optix(
        tmp_path, "train", "Pendulum-v1", "--seed", "100", "--max-steps", "150", "--set", *quick
    )
    assert trained.returncode == 0, trained.stderr
    assert trained.stderr == ""
    assert "Pendulum-v1 · sac · seed 100" in trained.stdout
    assert "sac, for actions of a Box space with bounds" in trained.stdout
    assert {"n_envs=1", "window_size=64"} <= set(trained.stdout.split())
    assert "all 2 windows were collected" in trained.stdout

    unfit = optix(tmp_path, "train", "Pendulum-v1", "--agent", "dqn")
    assert unfit.returncode == 1
    assert "SACAgent, TD3Agent and PPOAgent" in unfit.stderr
