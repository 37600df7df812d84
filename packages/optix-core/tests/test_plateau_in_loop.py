"""A proven plateau ends a round of the loop; the report says which test proved it."""

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
