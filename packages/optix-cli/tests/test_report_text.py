"""The report of a run, out of the events of its journal."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from optix_cli.report_command import print_report
from optix_cli.report_text import next_commands, outcome_text, report_rows, title_of
from optix_cli.run_history import RunHistory, runs_of
from optix_core.errors import CheckpointCorruptError

HERE = Path("runs/CartPole-v1-seed0")

STARTED: dict[str, Any] = {
    "event": "run_started",
    "run": 1,
    "window": 0,
    "asked": {
        "run": {"seed": 0, "agent": "PPOAgent", "pipeline": "BatchPipeline"},
        "train": {"env_id": "CartPole-v1", "agent": "ppo"},
    },
}
STOPPED: dict[str, Any] = {
    "event": "run_stopped",
    "run": 1,
    "window": 3,
    "stop_reason": "converged",
    "detail": "no improvement in 20 evaluations in a row",
    "time_s": 12.34,
    "callback_errors": {"Mine": 2},
}
TESTED: dict[str, Any] = {
    "event": "tested",
    "run": 1,
    "window": 3,
    "mean": 499.5,
    "low": 498.5,
    "high": 500.0,
    "n_episodes": 100,
    "seed": 0,
    "greedy": True,
}


def window(number: int, score: float | None, best: int | None, *, run: int = 1) -> dict[str, Any]:
    metrics = {"n_episodes": 20, "score_se": 1.5, "val_score": score}
    return {
        "event": "window",
        "run": run,
        "window": number,
        "steps": 2_048 * (number + 1),
        "validation_steps": 1_000 * (number + 1),
        "score": score,
        "metrics": None if score is None else metrics,
        "best": best,
        "time_s": float(number),
    }


WINDOWS = [window(0, 20.0, 1), window(1, None, 1), window(2, 500.0, 2), window(3, 400.0, 2)]


def only(events: list[dict[str, Any]]) -> RunHistory:
    (history,) = runs_of(events)
    return history


def test_the_report_of_a_run_that_converged() -> None:
    history = only([STARTED, *WINDOWS, STOPPED, TESTED])
    assert title_of(history) == "CartPole-v1 · ppo · seed 0"
    assert report_rows(history, HERE) == [
        ("Stopped", "converged: no improvement in 20 evaluations in a row"),
        (
            "Best score",
            "500.0 ± 1.5 standard error, 20 validation episodes, after 6,144 steps",
        ),
        ("Test score", "499.5 (95 % interval 498.5 to 500.0), 100 fresh episodes, greedy"),
        ("Scores", "▁█▇  20.0 to 500.0"),
        ("Steps", "8,192 training, 4,000 validation"),
        ("Windows", "4, 3 of them evaluated"),
        ("Time", "12.3 s"),
        ("Trouble", "Mine raised 2 times"),
        ("Run", "runs/CartPole-v1-seed0"),
    ]
    assert next_commands(history, HERE) == [
        "optix evaluate runs/CartPole-v1-seed0",
        "optix report runs/CartPole-v1-seed0",
    ]


def test_what_was_confirmed_counts_and_not_what_triggered() -> None:
    def tried(number: int, *, promoted: bool) -> dict[str, Any]:
        event = {"event": "promotion", "run": 1, "window": number}
        return {**event, "promoted": promoted, "fresh_episodes": 20}

    best = {
        "best_score": 480.0,
        "best_score_se": 4.0,
        "best_n_episodes": 20,
        "best_window": 2,
        "detectable": 14.06,
    }
    tries = [tried(0, promoted=True), tried(2, promoted=True), tried(3, promoted=False)]
    events = [STARTED, *tries, *WINDOWS[:2], {**WINDOWS[2], **best}, WINDOWS[3]]
    ended = only([*events, {**STOPPED, **best, "contenders": 3}])
    assert "; 3 policies played off; " in dict(report_rows(ended, HERE))["Evidence"]
    for history in (only(events), only([*events, {**STOPPED, **best}])):
        rows = dict(report_rows(history, HERE))
        expected = "480.0 ± 4.0 standard error, 20 fresh episodes, after 6,144 steps"
        assert rows["Best score"] == expected
        assert rows["Evidence"] == (
            "1 of 2 better scores confirmed; a gain of 14.1 shows with probability 0.8"
        )


def test_a_killed_run_says_so() -> None:
    rows = dict(report_rows(only([STARTED, *WINDOWS]), HERE))
    assert rows["Stopped"].startswith("no end is recorded: the process was killed, or is still")
    assert rows["Test score"] == "not tested"
    assert rows["Time"] == "3.0 s"


def test_a_run_that_ended_before_its_first_window() -> None:
    how = {"stop_reason": "failed", "detail": "ValueError: no", "callback_errors": None}
    history = only([STARTED, {**STOPPED, **how}])
    rows = dict(report_rows(history, HERE))
    assert rows["Stopped"] == "failed: ValueError: no"
    assert rows["Best score"] == "none: no score was finite"
    assert rows["Windows"] == "0"
    assert next_commands(history, HERE) == []


def test_runs_are_told_apart_by_their_number() -> None:
    second = {**STARTED, "run": 2}
    histories = runs_of([STARTED, *WINDOWS, STOPPED, second, window(0, 7.0, 3, run=2), TESTED])
    assert [history.run_id for history in histories] == [1, 2]
    assert histories[0].tested == TESTED
    assert histories[1].scores == [7.0]
    assert histories[1].stopped is None
    assert dict(report_rows(histories[1], HERE))["Run"] == f"{HERE}, run 2 there"


def test_typed_modules_are_to_be_typed_again() -> None:
    asked = {"run": {"seed": 0}, "train": {"env_id": "my:Env-v0", "agent": "my.agents:make"}}
    history = only([{**STARTED, "asked": asked}, *WINDOWS])
    place = Path("my runs")
    assert next_commands(history, place) == [
        "optix evaluate 'my runs' --agent my.agents:make --env my:Env-v0",
        "optix report 'my runs'",
    ]


@pytest.mark.parametrize(
    "damaged",
    [
        {**WINDOWS[0], "steps": None},
        {"event": "window", "run": 1},
        {**WINDOWS[0], "best": 1, "score": "high"},
        {**WINDOWS[0], "best": 1, "metrics": "none"},
    ],
)
def test_a_journal_that_holds_something_else_is_a_typed_error(damaged: dict[str, Any]) -> None:
    history = only([{**STARTED, "asked": ["not", {"a": "section"}]}, damaged])
    assert title_of(history) == "run · ? · seed ?"
    with pytest.raises(CheckpointCorruptError, match="journal of run 1 in"):
        print_report(history, HERE, Console(file=io.StringIO()))


def test_a_test_of_one_sampled_episode_has_no_interval() -> None:
    outcome = {"mean": 3.0, "low": None, "high": None, "n_episodes": 1, "greedy": False}
    text = "3.00, 1 fresh episode, sampled, since the agent has no act_greedy"
    assert outcome_text(outcome) == text


def test_a_run_of_another_program_has_a_title_too() -> None:
    asked = {"run": {"seed": 5, "agent": "Mine", "pipeline": "BatchPipeline"}}
    assert title_of(only([{**STARTED, "asked": asked}])) == "BatchPipeline · Mine · seed 5"
