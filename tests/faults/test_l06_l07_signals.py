"""L06, L07: SIGINT and SIGTERM end a run of the command in good order, amid episodes."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SIGNALS = [signal.SIGINT, signal.SIGTERM]
SETTINGS = (
    "n_envs=2", "window_size=40", "validation_episodes=2", "plateau_threshold=1000000",
    "dormant_threshold=1000000",
)  # fmt: skip
PARTS = ("--agent", "signal_scene:make_agent")


def start(folder: Path, *tokens: str, closing_s: float = 0.0) -> subprocess.Popen[str]:
    shutil.copy(Path(__file__).parent / "signal_scene.py", folder)
    environment = os.environ | {
        "SIGNAL_SCENE_LOG": str(folder / "log"),
        "SIGNAL_SCENE_CLOSING_S": str(closing_s),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "optix_cli", *tokens],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def train(folder: Path, *, closing_s: float = 0.0) -> subprocess.Popen[str]:
    tokens = ("signal_scene:Ticking-v0", "--seed", "1", *PARTS, "--run-dir", "here", "--set")
    return start(folder, "train", *tokens, *SETTINGS, closing_s=closing_s)


def wait_for_windows(process: subprocess.Popen[str], count: int) -> None:
    assert process.stdout is not None
    shown = (line for line in process.stdout if line.startswith("window"))
    for _ in range(count):
        next(shown)


def check_one(folder: Path, number: signal.Signals, seed: int) -> None:
    process = train(folder)
    try:
        wait_for_windows(process, 2)
        time.sleep(random.Random(seed).random() * 0.2)  # noqa: S311 - somewhere in an episode
        process.send_signal(number)
        sent = time.monotonic()
        rest, _ = process.communicate(timeout=60)
        took_s = time.monotonic() - sent
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 128 + number, rest
    # A step takes a millisecond: what takes time is interpreting Python on a shared machine.
    assert took_s < 5.0
    assert "Traceback" not in rest
    log = (folder / "log").read_text().splitlines()
    assert log.count("open") == log.count("close") > 0
    lines = (folder / "here" / "events.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["stop_reason"] == "interrupted"
    windows = sum('"event":"window"' in line for line in lines)
    steps = str(80 * (windows + 1))
    resumed = start(
        folder, "resume", "here", *PARTS, "--env", "signal_scene:Ticking-v0", "--max-steps", steps
    )
    out, _ = resumed.communicate(timeout=60)
    assert resumed.returncode == 0, out
    assert "not_restored" not in (folder / "here" / "events.jsonl").read_text()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_run_in_good_order(tmp_path: Path, number: signal.Signals) -> None:
    check_one(tmp_path, number, 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("number", SIGNALS)
def test_ten_of_ten(tmp_path: Path, number: signal.Signals, seed: int) -> None:
    check_one(tmp_path, number, seed)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(100, 150))
@pytest.mark.parametrize("number", SIGNALS)
def test_a_hundred_of_a_hundred(tmp_path: Path, number: signal.Signals, seed: int) -> None:
    check_one(tmp_path, number, seed)


@pytest.mark.slow
@pytest.mark.parametrize("number", SIGNALS)
def test_a_second_signal_quits_at_once(tmp_path: Path, number: signal.Signals) -> None:
    process = train(tmp_path, closing_s=60.0)
    try:
        wait_for_windows(process, 1)
        process.send_signal(number)
        while "close" not in (tmp_path / "log").read_text():
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(timeout=5) == 128 + number
    finally:
        process.kill()
        process.communicate()  # closes the pipe besides
