"""Whole commands on CartPole, with an agent of NumPy alone."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from .conftest import RunCommand

AGENT = ("--agent", "linear_agent:make_agent")
SMALL = (
    "--set", "n_envs=4", "window_size=50", "validation_episodes=4", "test_episodes=6",
    "plateau_threshold=2", "dormant_threshold=3", "backoff_factor=1.0",
)  # fmt: skip
TRAIN = ("train", "CartPole-v1", "--seed", "100", *AGENT, *SMALL)


def journal_of(run_dir: Path) -> list[dict[str, Any]]:
    lines = (run_dir / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    return [event for event in events if event["event"] != "journal"]


def without_times(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if not name.startswith("time_")}


def test_a_run_from_start_to_report(optix: RunCommand) -> None:
    done = optix(*TRAIN)
    assert done.code == 0, done.err
    run_dir = Path("runs/CartPole-v1-seed100")
    lines = done.out.splitlines()
    assert lines[0] == "CartPole-v1 · linear_agent:make_agent · seed 100"
    assert "n_envs=4  window_size=50" in done.out
    assert "learning_rate=0.01" in done.out

    events = journal_of(run_dir)
    windows = [event for event in events if event["event"] == "window"]
    evaluated = [event for event in windows if event["score"] is not None]
    assert len(re.findall(r"^window +\d+ .* score ", done.out, re.MULTILINE)) == len(evaluated)

    (tested,) = [event for event in events if event["event"] == "tested"]
    assert tested["n_episodes"] == 6
    assert tested["low"] <= tested["mean"] <= tested["high"]
    for label in ("Stopped", "Best score", "Test score", "Steps", "Windows", "Time", "Run", "Next"):
        assert re.search(rf"^  {label} +\S", done.out, re.MULTILINE), label


def test_run_toml_says_what_was_asked(optix: RunCommand) -> None:
    optix(*TRAIN, "--max-steps", "400")
    text = Path("runs/CartPole-v1-seed100/run.toml").read_text(encoding="utf-8")
    asked = tomllib.loads(text)["asked"]
    assert asked["train"]["env_id"] == "CartPole-v1"
    assert asked["train"]["agent"] == "linear_agent:make_agent"
    assert asked["train"]["max_steps"] == 400
    assert asked["collection"]["n_envs"] == 4
    assert asked["loop"]["dormant_threshold"] == 3
    assert asked["loop"]["max_episodes"] == 2
    assert asked["hyperparams"]["learning_rate"] == 0.01
    assert asked["run"]["seed"] == 100


def test_report_repeats_what_train_printed(optix: RunCommand) -> None:
    trained = optix(*TRAIN)
    reported = optix("report", "runs/CartPole-v1-seed100")
    assert reported.code == 0
    assert trained.out.endswith(reported.out)


def test_evaluate_repeats_the_test_and_asks_for_a_typed_module(optix: RunCommand) -> None:
    trained = optix(*TRAIN)
    run_dir = "runs/CartPole-v1-seed100"

    refused = optix("evaluate", run_dir)
    assert refused.code == 1
    assert "trained with --agent linear_agent:make_agent; give it again" in refused.err

    repeated = optix("evaluate", run_dir, *AGENT, "--episodes", "6")
    assert repeated.code == 0, repeated.err
    (score,) = re.findall(r"Test score .*", trained.out)
    assert score in repeated.out

    other = optix("evaluate", run_dir, *AGENT, "--episodes", "6", "--seed", "7")
    assert "seed 7" in other.out
    assert score not in other.out


def test_the_same_seed_gives_the_same_journal(optix: RunCommand) -> None:
    for name in ("a", "b"):
        assert optix(*TRAIN, "--run-dir", name).code == 0
    first, second = ([without_times(event) for event in journal_of(Path(name))] for name in "ab")
    assert first == second


def test_a_second_run_gets_a_directory_of_its_own(optix: RunCommand) -> None:
    for _ in range(2):
        optix(*TRAIN, "--max-steps", "200")
    assert Path("runs/CartPole-v1-seed100-2/events.jsonl").exists()


def test_a_second_run_in_a_given_directory_is_appended(optix: RunCommand) -> None:
    optix(*TRAIN, "--max-steps", "200", "--run-dir", "here")
    again = optix(*TRAIN, "--max-steps", "400", "--run-dir", "here")
    assert again.code == 0
    assert again.err.count("Warning: ") == 1
    assert "here, run 2 there" in again.out
    runs = {event["run"] for event in journal_of(Path("here"))}
    assert runs == {1, 2}
    assert "run 2 there" in optix("report", "here").out


def test_settings_reach_loop_and_agent(optix: RunCommand) -> None:
    done = optix(*TRAIN, "--max-steps", "200", "--set", "learning_rate=0.5", "note=a=b")
    assert "learning_rate=0.5  note=a=b" in done.out
    events = journal_of(Path("runs/CartPole-v1-seed100"))
    (told,) = [event["hyperparams"] for event in events if event["event"] == "window"]
    assert told == {"learning_rate": 0.5, "note": "a=b"}
    assert [event["fresh_episodes"] for event in events if event["event"] == "promotion"] == [30]


def test_evidence_can_be_switched_off(optix: RunCommand) -> None:
    done = optix(*TRAIN, "--max-steps", "400", "--set", "confirm=false")
    assert done.code == 0, done.err
    events = journal_of(Path("runs/CartPole-v1-seed100"))
    assert [event for event in events if event["event"] == "promotion"] == []
    assert " 4 validation episodes, after " in done.out


def test_an_environment_of_the_users_own(optix: RunCommand) -> None:
    env_id = "own_envs:OwnCartPole-v0"
    done = optix("train", env_id, "--seed", "1", *AGENT, *SMALL, "--max-steps", "400")
    assert done.code == 0, done.err
    run_dir = "runs/own_envs-OwnCartPole-v0-seed1"
    assert f"optix evaluate {run_dir} {' '.join(AGENT)} --env {env_id}" in done.out
    refused = optix("evaluate", run_dir, *AGENT)
    assert f"trained with --env {env_id}; give it again" in refused.err
    assert optix("evaluate", run_dir, *AGENT, "--env", env_id, "--episodes", "3").code == 0


def test_a_run_that_fails_is_reported(optix: RunCommand) -> None:
    done = optix(*TRAIN[:4], "--agent", "linear_agent:make_broken_agent", *SMALL)
    assert done.code == 1
    words = r"RuntimeError: the gradient went away \(Optix: in window 2, after step \d+\)"
    assert re.search(words, done.err)
    assert "Traceback" not in done.err
    assert re.search(r"^  Stopped +failed: RuntimeError: the gradient", done.out, re.MULTILINE)
    assert "failed: " in optix("report", "runs/CartPole-v1-seed100").out


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (("train", "CartPol-v1"), "knows no environment 'CartPol-v1'. Did you mean CartPole-v1"),
        (("train", "own_envs:Switches-v0"), "takes MultiDiscrete actions"),
        (("train", "no_module:Env-v0"), "environment no_module:Env-v0: module 'no_module' cannot"),
        ((*TRAIN, "--set", "n_env=3"), "Did you mean n_envs? Known hyperparameters: learning_rate"),
        ((*TRAIN, "--set", "learning_rate=fast"), "learning_rate must be a number, got 'fast'"),
        ((*TRAIN, "--max-steps", "100"), "--max-steps must be at least one window, 200 steps"),
        (("train", "CartPole-v1", "--seed", "-1"), "seed cannot be negative, got -1"),
        (("train", "CartPole-v1", "--agent", "x"), "no installed agent is called 'x'"),
        (("train", "CartPole-v1", "--agent", "no_module:make"), "module 'no_module' cannot be"),
        (("train", "CartPole-v1", "--agent", "linear_agent:make"), "Did you mean make_agent"),
        (("train", "CartPole-v1", "--agent", "linear_agent:make_nothing"), "a BaseAgent, got None"),
        (("evaluate", "nowhere"), "there is no directory nowhere"),
        (("evaluate", ".", "--episodes", "0"), "--episodes must be at least 1, got 0"),
        (("report", "."), "there is no run in ."),
    ],
)
def test_mistakes_are_one_line_that_says_what_to_do(
    optix: RunCommand, tokens: tuple[str, ...], words: str
) -> None:
    done = optix(*tokens)
    assert done.code == 1
    assert words in done.err
    assert done.err.startswith("Error: ")
    assert done.err.count("\n") == 1


def test_debug_shows_the_traceback(optix: RunCommand) -> None:
    assert "Traceback" in optix("train", "CartPol-v1", "--debug").err
    assert "Traceback" in optix("--debug", "train", "CartPol-v1").err
