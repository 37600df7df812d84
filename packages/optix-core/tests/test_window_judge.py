"""Evaluations: evidence gathered over windows, validation, units, contracts."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from optix_core import BaseAgent, BaseEvaluator, BasePipeline, EpisodeData, EvalMetrics
from optix_core.errors import ContractViolationError, PipelineError
from optix_core.evaluators import ReturnEvaluator
from optix_core.testing import FakeAgent, ScriptedPipeline
from optix_core.window_judge import WindowJudge


def scripted_windows(*returns: Sequence[float]) -> Iterator[EpisodeData]:
    return ScriptedPipeline(returns, FakeAgent()).episodes()


def judged(
    judge: WindowJudge, windows: Iterable[EpisodeData], diagnostics: dict[str, Any] | None = None
) -> list[Any]:
    """What each window is judged to be, every one of them due."""
    return [judge.evaluate(judge.observe(window), diagnostics or {}) for window in windows]


def test_score_is_the_mean_return_with_its_standard_error() -> None:
    judge = WindowJudge(ReturnEvaluator(), None, 5)
    (metrics,) = judged(judge, scripted_windows([1.0, 3.0, 5.0]), {"loss": np.float32(0.5)})
    assert metrics.primary_score == 3.0
    assert metrics.n_episodes == 3
    assert metrics.score_se == pytest.approx(2.0 / math.sqrt(3))
    assert metrics.metrics["loss"] == 0.5
    assert metrics.generalization_gap is None


def test_one_episode_puts_the_decision_off_and_is_not_lost() -> None:
    judge = WindowJudge(ReturnEvaluator(), None, 5)
    first, second, third = judged(judge, scripted_windows([1.0], [], [3.0, 8.0]))
    assert first is second is None
    assert (third.primary_score, third.n_episodes) == (4.0, 3)


def test_windows_between_evaluations_count_as_evidence() -> None:
    judge = WindowJudge(ReturnEvaluator(), None, 5)
    windows = list(scripted_windows([1.0], [2.0], [3.0], [7.0, 9.0]))
    judge.observe(windows[0])
    judge.observe(windows[1])
    assert judged(judge, windows[2:3])[0].primary_score == 2.0
    assert judged(judge, windows[3:])[0].primary_score == 8.0


def test_a_pipelines_own_unit_is_no_drought(caplog: pytest.LogCaptureFixture) -> None:
    judge = WindowJudge(ReturnEvaluator(), None, 3)
    caplog.set_level("INFO")
    windows = [
        replace(window, metadata={"unit": "window"})
        for window in scripted_windows([], [], [], [], [4.0, 5.0])
    ]
    metrics = judged(judge, windows)
    assert [m.primary_score for m in metrics] == [0.0, 0.0, 0.0, 0.0, 9.0]
    assert [m.metrics["unit"] for m in metrics] == ["window"] * 5
    assert not judge.take_unit_change()
    assert len(caplog.records) == 1


def test_a_part_of_a_window_that_is_the_unit_is_not_scored() -> None:
    judge = WindowJudge(ReturnEvaluator(), None, 3)
    whole, part = scripted_windows([4.0, 5.0], [1.0, 2.0])
    part = replace(part, metadata={"partial": True})
    assert judged(judge, [replace(part, metadata={"partial": True, "unit": "window"})]) == [None]
    assert judged(judge, [part, whole])[0].n_episodes == 4


def test_after_a_drought_the_window_is_the_unit_for_good(caplog: pytest.LogCaptureFixture) -> None:
    judge = WindowJudge(ReturnEvaluator(), None, 3)
    metrics = judged(judge, scripted_windows([], [], [], [], [4.0, 5.0]))
    assert metrics[:2] == [None, None]
    assert [m.metrics["unit"] for m in metrics[2:]] == ["window"] * 3
    assert [m.primary_score for m in metrics[2:]] == [0.0, 0.0, 9.0]
    assert not metrics[2].has_evidence
    assert caplog.text.count("in a row") == 1
    assert judge.take_unit_change()
    assert not judge.take_unit_change()


def test_scores_of_another_unit_are_not_compared() -> None:
    judge = WindowJudge(ReturnEvaluator(), None, 3)
    assert judge.is_better(EvalMetrics(1.0, {"unit": "window"}), EvalMetrics(9.0), 0.0)


def test_validation_drives_and_the_gap_is_given_from_the_first_evaluation() -> None:
    val = ScriptedPipeline([[2.0, 4.0], [6.0, 6.0]], FakeAgent())
    judge = WindowJudge(ReturnEvaluator(), val, 5)
    first, second = judged(judge, scripted_windows([5.0, 5.0], [9.0, 9.0]))
    assert (first.primary_score, first.generalization_gap, first.n_episodes) == (3.0, 2.0, 2)
    assert (second.metrics["train_score"], second.metrics["val_score"]) == (9.0, 6.0)
    assert judge.validation_steps == 4


def test_thin_validation_is_put_off_too_and_adds_up() -> None:
    val = ScriptedPipeline([[2.0], [4.0]], FakeAgent())
    judge = WindowJudge(ReturnEvaluator(), val, 5)
    first, second = judged(judge, scripted_windows([5.0, 5.0], [8.0]))
    assert first is None
    assert (second.primary_score, second.n_episodes) == (3.0, 2)
    assert second.metrics["train_score"] == 6.0


def test_thin_training_plays_no_validation() -> None:
    val = ScriptedPipeline([[2.0, 2.0]], FakeAgent())
    judge = WindowJudge(ReturnEvaluator(), val, 5)
    assert judged(judge, scripted_windows([5.0])) == [None]
    assert judge.validation_steps == 0


def test_an_evaluator_may_override_combine_alone() -> None:
    class Conservative(BaseEvaluator):
        def combine(self, train: EvalMetrics, val: EvalMetrics) -> EvalMetrics:
            return EvalMetrics(min(train.primary_score, val.primary_score))

    val = ScriptedPipeline([[2.0, 4.0]], FakeAgent())
    judge = WindowJudge(Conservative(), val, 5)
    (metrics,) = judged(judge, scripted_windows([1.0, 1.0]))
    assert metrics.primary_score == 1.0


def test_an_ended_validation_starts_over_and_an_empty_one_is_refused() -> None:
    class Repeats(BasePipeline):
        def setup(self) -> None: ...
        def teardown(self) -> None: ...
        def set_agent(self, agent: BaseAgent) -> None: ...
        def episodes(self) -> Iterator[EpisodeData]:
            return scripted_windows([1.0, 2.0])

    judge = WindowJudge(ReturnEvaluator(), Repeats(), 5)
    both = judged(judge, scripted_windows([1.0, 1.0], [1.0, 1.0]))
    assert [m.primary_score for m in both] == [1.5, 1.5]
    judge = WindowJudge(ReturnEvaluator(), ScriptedPipeline([], FakeAgent()), 5)
    with pytest.raises(PipelineError, match="yields no window"):
        judged(judge, scripted_windows([1.0, 1.0]))


def test_what_is_no_metrics_is_refused_by_method() -> None:
    class ReturnsFloat(BaseEvaluator):
        def score(self, episode_data: EpisodeData, train_diagnostics: dict[str, Any]) -> Any:
            return 1.0

    judge = WindowJudge(ReturnsFloat(), None, 5)
    with pytest.raises(ContractViolationError, match="score must return EvalMetrics, got float"):
        judged(judge, scripted_windows([1.0]))


@pytest.mark.parametrize(
    ("candidate", "baseline", "margin", "expected"),
    [
        (1.0, None, 5.0, True),
        (math.nan, None, 0.0, False),
        (2.0, 1.0, 0.0, True),
        (2.0, 1.0, 1.0, False),
        (2.5, 1.0, 1.0, True),
        (-1.0, -2.0, 0.0, True),
        (1.0, 1.0, 0.0, False),
    ],
)
def test_better_by_more_than_the_margin(
    candidate: float, baseline: float | None, margin: float, *, expected: bool
) -> None:
    judge = WindowJudge(ReturnEvaluator(), None, 5)
    against = None if baseline is None else EvalMetrics(baseline)
    assert judge.is_better(EvalMetrics(candidate), against, margin) is expected
