"""A proven plateau ends a round of the loop; the report says which test proved it."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from optix_core import ReturnEvaluator, StopReason
from optix_core.decisions import NextRound
from optix_core.testing import FakeAgent

from .loop_runs import LiteralEvaluator, Spy, run_script

RISE = [[20.0, 20.0], [70.0, 70.0], [200.0, 200.0], [350.0, 350.0], [480.0, 480.0]]
TOP = [500.0, 500.0]


def run(directory: Path, scores: Any, **settings: Any) -> Any:
    settings = {"evaluator": ReturnEvaluator(), "backoff_factor": 1.0} | settings
    return run_script(directory, scores, **settings)[0]


def test_a_plateau_with_evidence_ends_the_run(tmp_path: Path) -> None:
    report = run(tmp_path, [*RISE, *[TOP] * 40])
    assert report.stop_reason is StopReason.CONVERGED
    assert report.detail.startswith("the plateau test: over the last 5 evaluations")
    assert report.windows == len(RISE) + 6


@pytest.mark.parametrize(
    ("settings", "n_improvements"),
    # With evidence the mean of five evaluations decides: it rises for as long as it holds others.
    [({"plateau_test": False}, 5), ({"evaluator": LiteralEvaluator()}, 1)],
)
def test_otherwise_the_count_does(
    tmp_path: Path, settings: dict[str, Any], n_improvements: int
) -> None:
    report = run(tmp_path, [*RISE, *[TOP] * 40], **settings)
    assert report.detail == "no improvement in 20 evaluations in a row"
    assert report.windows == len(RISE) + n_improvements + 20


def test_a_flat_run_is_left_to_the_count_and_never_rose(tmp_path: Path) -> None:
    report = run(tmp_path, [[-500.0, -500.0]] * 60)
    assert report.stop_reason is StopReason.NO_IMPROVEMENT
    assert report.windows == 21
    assert "best (-500) ever rose above the first evaluations (-500)" in report.detail


UNSETTLED = [[float(100 * (i % 7)), float(100 * (i % 7))] for i in range(200)]
"""Scores that never prove a plateau."""


def evaluated(spy: Spy) -> list[int]:
    return [window_id for window_id, metrics in spy.named("on_episode_end") if metrics is not None]


@pytest.mark.parametrize("base_interval", [1, 4])
def test_no_more_than_5_percent_of_a_round_pass_without_an_evaluation(
    tmp_path: Path, base_interval: int
) -> None:
    spy = Spy()
    run(tmp_path, UNSETTLED, backoff_factor=4.0, base_interval=base_interval, callbacks=[spy])
    windows = evaluated(spy)
    for before, after in pairwise(windows):
        assert after - before <= max(base_interval, math.ceil(0.05 * (after + 1)))
        assert after - before >= base_interval
    assert windows[-1] > 190


def test_evaluations_for_the_plateau_test_are_not_counted(tmp_path: Path) -> None:
    scores = [[500.0, 500.0], *[[100.0, 100.0]] * 500]
    settings: dict[str, Any] = {"backoff_factor": 2.0, "dormant_threshold": 12}
    spies = [Spy(), Spy()]
    reports = [
        run(tmp_path / str(tests), scores, plateau_test=tests, callbacks=[spies[tests]], **settings)
        for tests in (False, True)
    ]
    assert reports[0].windows == reports[1].windows > 100
    assert reports[0].detail == reports[1].detail
    assert set(evaluated(spies[0])) < set(evaluated(spies[1]))


def test_what_is_better_between_two_that_are_due_is_the_best(tmp_path: Path) -> None:
    spy = Spy()
    scores = [[100.0, 100.0], *[[50.0, 50.0]] * 11, *[[900.0, 900.0]] * 20]
    run(tmp_path, scores, backoff_factor=50.0, callbacks=[spy], plateau_threshold=2)
    assert [window for window in evaluated(spy) if window <= 14] == list(range(15))
    *_, (best,) = spy.named("on_improvement")
    assert best.eval_metrics.primary_score == 900.0


class OneMore(Spy):
    """Continues once, with the same learner or with another, and asks whether the run is stuck."""

    def __init__(self, other: FakeAgent | None = None) -> None:
        super().__init__()
        self.dormant: list[int] = []
        self.stuck: list[bool] = []
        self._other = other

    def on_dormant(self, window_id: int) -> NextRound | None:
        self.dormant.append(window_id)
        self.stuck.append(self.loop.is_stuck)
        if len(self.dormant) > 1:
            return None
        return NextRound(self.loop.learner if self._other is None else self._other)


@pytest.mark.parametrize("other", [None, FakeAgent()])
def test_the_next_round_is_proven_by_evaluations_of_its_own(
    tmp_path: Path, other: FakeAgent | None
) -> None:
    spy = OneMore(other)
    report = run(tmp_path, [*RISE, *[TOP] * 60], callbacks=[spy])
    first, second = spy.dormant
    assert second - first == 8
    assert report.detail.startswith("the plateau test")
    assert spy.stuck == [False, False]


def test_a_callback_may_ask_whether_the_run_ever_rose(tmp_path: Path) -> None:
    spy = OneMore()
    run(tmp_path, [[-500.0, -500.0]] * 60, callbacks=[spy])
    assert spy.stuck == [True, True]


def test_a_watchdog_proves_nothing_by_a_policy_that_does_not_learn(tmp_path: Path) -> None:
    spy = Spy()
    scores = [*RISE, *[TOP] * 40, [100.0, 100.0], *[TOP] * 3]
    report = run(
        tmp_path,
        scores,
        callbacks=[spy],
        watchdog=True,
        max_interval_episodes=1,
        dormant_threshold=5,
    )
    assert len(spy.named("on_dormant")) == 1
    assert report.detail == "the pipeline ended"
