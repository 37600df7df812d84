"""`optix resume`: what it goes on with, and what it leaves alone."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from optix_cli import resume_command

from .conftest import RunCommand
from .test_signals_of_a_run import signalled_after_three_evaluations

RUN = (
    "train", "CartPole-v1", "--seed", "3", "--agent", "linear_agent:make_agent", "--set",
    "n_envs=2", "window_size=50", "validation_episodes=3", "test_episodes=2",
)  # fmt: skip


def journal_of(directory: str) -> list[dict[str, Any]]:
    lines = (Path(directory) / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events: list[dict[str, Any]] = [json.loads(line) for line in lines]
    kept = [{n: v for n, v in e.items() if not n.startswith("time_")} for e in events]
    return [e for e in kept if e["event"] not in ("journal", "run_started")]


def test_a_run_goes_on_with_a_larger_budget(optix: RunCommand) -> None:
    optix(*RUN, "--run-dir", "whole", "--max-steps", "1200")
    assert optix(*RUN, "--run-dir", "parts", "--max-steps", "500").code == 0
    done = optix("resume", "parts", "--agent", "linear_agent:make_agent", "--max-steps", "1200")
    assert done.code == 0, done.err
    assert "all 12 windows were collected" in done.out
    assert "begins" not in done.err
    assert journal_of("parts") == journal_of("whole")


def test_a_finished_run_stays_as_it_is(optix: RunCommand) -> None:
    optix(*RUN, "--run-dir", "here", "--max-steps", "300")
    before = journal_of("here")
    again = optix("resume", "here", "--agent", "linear_agent:make_agent")
    assert again.code == 0
    assert "There is nothing to resume" in again.out
    assert journal_of("here") == before


def test_a_killed_run_goes_on(users_directory: Path, optix: RunCommand) -> None:
    code, _ = signalled_after_three_evaluations(signal.SIGKILL)
    assert code == -signal.SIGKILL
    n_windows = len(journal_of("here"))
    steps = str(4 * 50 * (n_windows + 2))
    done = optix("resume", "here", "--agent", "linear_agent:make_agent", "--max-steps", steps)
    assert done.code == 0, done.err
    events = journal_of("here")
    numbers = [event["window"] for event in events if event["event"] == "window"]
    assert numbers == list(range(n_windows + 2))
    assert not [event for event in events if event["event"] == "not_restored"]


def test_spawns_go_on(optix: RunCommand) -> None:
    settings = ("plateau_threshold=1", "dormant_threshold=2")
    spawns = ("--spawns", "2", "--max-steps")
    optix(*RUN, *settings, "--run-dir", "whole", *spawns, "1500")
    optix(*RUN, *settings, "--run-dir", "parts", *spawns, "700")
    optix("resume", "parts", "--agent", "linear_agent:make_agent", "--max-steps", "1500")
    assert [e for e in journal_of("whole") if e["event"] == "spawned"]
    # The ensemble of the shorter run was saved too, beside the run, so the numbers differ.
    whole, parts = (
        [event for event in journal_of(name) if event["event"] != "ensemble_saved"]
        for name in ("whole", "parts")
    )
    assert parts == whole


def test_a_typed_module_is_typed_again(optix: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    optix(*RUN, "--run-dir", "here", "--max-steps", "300")
    monkeypatch.setattr(resume_command, "prepare", None)
    refused = optix("resume", "here", "--max-steps", "900")
    assert refused.code == 1
    assert "give it again, since a module is imported only when it is typed" in refused.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no run in"),
        ("no toml", "is no TOML"),
        ('schema_version = 1\nrun_id = 1\n[asked.run]\nseed = "x"\n', "says no seed"),
        (
            'schema_version = 1\nrun_id = 1\n[asked.run]\nseed = 1\n[asked.train]\nspawns = "x"\n',
            "is damaged",
        ),
    ],
)
def test_what_is_no_run_is_refused(
    optix: RunCommand, users_directory: Path, text: str | None, said: str
) -> None:
    if text is not None:
        (users_directory / "here").mkdir()
        (users_directory / "here" / "run.toml").write_text(text)
    refused = optix("resume", "here", "--agent", "ppo", "--env", "CartPole-v1")
    assert refused.code == 1
    assert said in refused.err
