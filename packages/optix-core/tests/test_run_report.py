"""A report as text: one fact a line, and nothing invented where there is none."""

from dataclasses import replace

from optix_core import LoopState, RunReport, StopReason, render_report
from optix_core.run_report import best_fields

REPORT = RunReport(
    run_id=1,
    seed=7,
    stop_reason=StopReason.CONVERGED,
    detail="no improvement in 20 evaluations",
    state=LoopState.DORMANT,
    windows=1_200,
    steps=2_457_600,
    validation_steps=90_000,
    evaluations=60,
    rounds=1,
    first_score=21.5,
    best_score=487.25,
    best_score_se=3.14159,
    best_n_episodes=30,
    best_window=900,
    best_snapshot_id="snapshot-000000000012",
    hyperparams={"learning_rate": 0.00030000001, "n_epochs": 10},
    tuner="none",
    time_s=61.27,
)


def _rows(report: RunReport) -> dict[str, str]:
    return {line[:16].strip(): line[17:] for line in render_report(report).splitlines()}


def test_every_fact_has_a_line() -> None:
    assert _rows(REPORT) == {
        "Reason": "converged: no improvement in 20 evaluations",
        "Best score": "487.25 ± 3.142 (standard error, 30 episodes), window 900",
        "First score": "21.5",
        "Windows": "1,200 (60 evaluated)",
        "Steps": "2,457,600 training, 90,000 validation",
        "Rounds": "1",
        "Tuned by": "none",
        "Hyperparameters": "learning_rate=0.0003, n_epochs=10",
        "Seed": "7",
        "Time": "61.3 s",
    }


def test_a_run_without_a_finite_score_says_so() -> None:
    nothing = best_fields(None)
    assert set(nothing.values()) == {None}
    rows = _rows(replace(REPORT, first_score=None, hyperparams={}, **nothing))
    assert rows["Best score"] == "none: no score was finite"
    assert rows["First score"] == "none"
    assert rows["Hyperparameters"] == "none"


def test_a_spread_is_given_only_where_there_is_one() -> None:
    unknown = _rows(replace(REPORT, best_score_se=None))
    assert unknown["Best score"] == "487.25, window 900"
    infinite = _rows(replace(REPORT, best_score_se=float("inf"), best_n_episodes=1))
    assert infinite["Best score"] == "487.25 (standard error, 1 episodes), window 900"


def test_what_can_be_detected_stands_below_the_best() -> None:
    lines = render_report(replace(REPORT, detectable=11.0487)).splitlines()
    assert lines[2] == "Detectable       a gain of 11.05, by 30 episodes with p 0.8"


def test_a_play_off_stands_below_the_best() -> None:
    lines = render_report(replace(REPORT, contenders=3)).splitlines()
    assert lines[2] == "Final choice     among 3 policies, on fresh episodes"


def test_failures_are_named() -> None:
    failed = replace(REPORT, callback_errors={"Spy": 2, "Plot": 1}, error="OSError: disk full")
    rows = _rows(failed)
    assert rows["Callback errors"] == "Spy × 2, Plot × 1"
    assert rows["Error"] == "OSError: disk full"
