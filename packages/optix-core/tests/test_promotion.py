"""When an evaluation is a new best: the rule read aloud, and each case where it does not apply."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core import BaseEvaluator, EpisodeData, EvalMetrics
from optix_core.mean_comparison import paired_p
from optix_core.promotion import FRESH_EPISODES, Promotion, Trial, is_trigger, smoothed
from optix_core.standing import Standing
from optix_core.testing import FakeAgent, ScriptedPipeline

from .held_out import HeldOutScript, judge_over

Returns = list[float]
SAMPLES = st.lists(st.integers(-4, 4).map(float), min_size=30, max_size=30)
SCORES = st.floats(-5.0, 5.0)
ERRORS = st.sampled_from([0.0, 0.1, 1.0])


def evaluation(score: float, se: float = 1.0, n: int = 5) -> EvalMetrics:
    return EvalMetrics(score, {"n_episodes": n, "score_se": se, "val_score": score}, 7)


def spread(mean: float, sd: float = 1.0) -> Returns:
    """Thirty returns of just this mean, and nearly this deviation."""
    return [mean + sd, mean - sd] * 15


class Scene:
    """A promotion whose fresh episodes are scripted, one sample a play."""

    def __init__(
        self,
        *samples: Sequence[float],
        evaluator: BaseEvaluator | None = None,
        margin: float = 0.0,
        confirm: bool = True,
    ) -> None:
        left = list(samples)
        self.pipeline = HeldOutScript([], lambda agent, seeds: left.pop(0))
        self.pipeline.set_agent(FakeAgent())
        self.judge = judge_over(self.pipeline, evaluator)
        self.promotion = Promotion(self.judge, seed=3, margin=margin, confirm=confirm)

    def hold(self, metrics: EvalMetrics, incumbent: Standing | None = None) -> Trial:
        return self.promotion.hold(metrics, incumbent, agent=FakeAgent())


@given(
    window=st.tuples(SCORES, ERRORS),
    fresh=SAMPLES,
    incumbent=SAMPLES,
    margin=st.sampled_from([0.0, 1.0]),
)
def test_promotion_is_preference_then_trigger_then_pairs(
    window: tuple[float, float], fresh: Returns, incumbent: Returns, margin: float
) -> None:
    score, se = window
    scene = Scene(incumbent, fresh, margin=margin)
    best = scene.hold(evaluation(0.0)).standing
    assert best.metrics.primary_score == pytest.approx(np.mean(incumbent))
    trial = scene.hold(evaluation(score, se), best)

    base, base_se = float(np.mean(incumbent)), float(np.std(incumbent, ddof=1) / math.sqrt(30))
    is_preferred = score > base + margin
    is_triggered = is_preferred and score > base + 1.28 * math.sqrt(se**2 + base_se**2)
    is_proven = float(np.mean(fresh)) > base + margin and paired_p(fresh, incumbent) < 0.02
    assert len(scene.pipeline.played) == 1 + is_triggered
    assert trial.is_better == (is_triggered and is_proven)
    assert trial.is_contender == (is_preferred and not trial.is_better)
    assert bool(trial.event) == is_triggered


def test_all_fresh_samples_are_played_on_the_same_seeds_and_counted() -> None:
    scene = Scene(spread(0.0), spread(9.0))
    best = scene.hold(evaluation(0.0)).standing
    assert scene.hold(evaluation(9.0), best).is_better
    first, second = scene.pipeline.played
    assert first == second
    assert len(set(first)) == FRESH_EPISODES
    assert all(0 <= seed < 2**31 for seed in first)
    assert scene.judge.validation_steps == 2 * FRESH_EPISODES


def test_the_fresh_mean_is_what_the_best_is_held_to_score() -> None:
    trial = Scene(spread(2.0)).hold(evaluation(5.0, 0.5))
    assert trial.is_better
    metrics = trial.standing.metrics
    assert (metrics.primary_score, metrics.episode_id, metrics.n_episodes) == (2.0, 7, 30)
    assert metrics.score_se == pytest.approx(math.sqrt(30 / 29 / 30))
    assert (metrics.metrics["val_score"], metrics.metrics["window_score"]) == (5.0, 5.0)
    assert trial.event["score"] == 5.0
    assert trial.event["fresh_score"] == 2.0
    assert trial.event["best_score"] is None


def test_a_lucky_window_is_no_improvement_and_stays_a_contender() -> None:
    scene = Scene(spread(0.0), spread(0.1)[::-1])
    best = scene.hold(evaluation(0.0)).standing
    trial = scene.hold(evaluation(4.0), best)
    assert not trial.is_better
    assert trial.is_contender
    assert trial.standing.metrics.primary_score == pytest.approx(0.1)
    event = {name: trial.event[name] for name in ("score", "best_score", "promoted", "paired")}
    assert event == {"score": 4.0, "best_score": 0.0, "promoted": False, "paired": True}


def test_the_same_ceiling_twice_is_no_improvement() -> None:
    scene = Scene([500.0] * 30)
    best = scene.hold(evaluation(500.0, 0.0)).standing
    trial = scene.hold(evaluation(500.0, 0.0), best)
    assert (trial.is_better, trial.is_contender, dict(trial.event)) == (False, False, {})
    assert len(scene.pipeline.played) == 1


def test_without_evidence_the_score_decides_and_nothing_is_played() -> None:
    scene = Scene()
    first = scene.hold(EvalMetrics(1.0))
    assert first == Trial(standing=Standing(EvalMetrics(1.0)), is_better=True)
    assert scene.hold(EvalMetrics(1.5), first.standing).is_better
    assert not scene.hold(EvalMetrics(0.5), first.standing).is_better
    assert scene.hold(EvalMetrics(0.5), first.standing).is_worse
    assert scene.pipeline.played == []


def test_unconfirmed_scores_decide_where_that_is_asked_for() -> None:
    scene = Scene(confirm=False)
    best = scene.hold(evaluation(0.0)).standing
    trial = scene.hold(evaluation(0.01), best)
    assert (trial.is_better, trial.is_worse, dict(trial.event)) == (True, True, {})
    assert scene.pipeline.played == []
    assert scene.promotion.is_better(Standing(evaluation(0.01)), best)


@pytest.mark.parametrize("val_pipeline", [None, ScriptedPipeline([])])
@given(scores=st.lists(SCORES, min_size=1, max_size=12))
def test_where_nothing_can_be_played_the_mean_of_five_evaluations_decides(
    val_pipeline: Any, scores: list[float]
) -> None:
    promotion = Promotion(judge_over(val_pipeline), seed=0, margin=0.0)
    evaluations = [evaluation(score, 1.0, 2) for score in scores]
    best = promotion.hold(evaluations[0], None, agent=FakeAgent()).standing
    assert best == Standing(evaluations[0])
    for index in range(1, len(scores)):
        trial = promotion.hold(evaluations[index], best, evaluations[:index], agent=FakeAgent())
        # Two returns that have the score and error of an evaluation of two.
        returns = [s + sign for s in scores[max(0, index - 4) : index + 1] for sign in (-1.0, 1.0)]
        mean, se = float(np.mean(returns)), float(np.std(returns, ddof=1)) / len(returns) ** 0.5
        level, level_se = best.metrics.primary_score, best.metrics.score_se
        assert level_se is not None
        bar = level + 0.5 * math.hypot(se, level_se)
        assert not trial.is_contender
        if not math.isclose(mean, bar, abs_tol=1e-9):
            assert trial.is_better == (scores[index] > level and mean > bar)
        if trial.is_better:
            best = trial.standing
            assert best.metrics.primary_score == pytest.approx(mean)
            assert best.metrics.score_se == pytest.approx(se)
            assert best.metrics.n_episodes == len(returns)
            assert trial.event["fresh_episodes"] == 0
            assert trial.event["smoothed_score"] == best.metrics.primary_score


def test_an_evaluation_without_evidence_is_left_out_of_the_mean() -> None:
    unknown = EvalMetrics(1e9, {}, 3)
    assert smoothed([unknown, evaluation(2.0)]) == Standing(evaluation(2.0))
    assert smoothed([evaluation(1.0), unknown, evaluation(2.0)]).metrics.primary_score == 1.5


def test_a_far_lower_score_is_worse_only_with_evidence() -> None:
    scene = Scene(spread(0.0))
    best = scene.hold(evaluation(0.0)).standing
    assert not scene.hold(evaluation(-1.5, 1.0), best).is_worse
    assert scene.hold(evaluation(-1.5, 0.1), best).is_worse


class ScoresByShare(BaseEvaluator):
    """The share of episodes above zero: with evidence, and not the mean of the returns."""

    def score_validation(self, episode_data: EpisodeData) -> EvalMetrics:
        share = float((episode_data.episode_returns > 0).mean())
        se = math.sqrt(share * (1 - share) / 19)
        return EvalMetrics(share, {"n_episodes": 20, "score_se": se})


def test_scores_that_are_no_mean_return_are_compared_as_scores() -> None:
    low, high = [-1.0] * 16 + [100.0] * 4, [1.0] * 16 + [-100.0] * 4
    scene = Scene(low, high, evaluator=ScoresByShare())
    best = scene.hold(evaluation(0.2, 0.05)).standing
    assert (best.metrics.primary_score, best.returns) == (0.2, ())
    trial = scene.hold(evaluation(0.9, 0.05), best)
    assert trial.is_better  # although its mean return is lower
    assert not trial.event["paired"]


class GivesNaN(BaseEvaluator):
    """Scores windows, and nothing else."""

    def score_validation(self, episode_data: EpisodeData) -> EvalMetrics:
        return EvalMetrics(math.nan, {"n_episodes": 20, "score_se": math.nan})


def test_a_fresh_sample_that_cannot_be_used_leaves_the_windows_own() -> None:
    scene = Scene(spread(0.0), spread(1.0), evaluator=GivesNaN())
    best = scene.hold(evaluation(0.0)).standing
    assert best == Standing(evaluation(0.0))
    assert scene.hold(evaluation(9.0), best).is_better


def test_a_score_that_is_not_finite_is_never_better() -> None:
    scene = Scene(spread(0.0))
    best = scene.hold(evaluation(0.0)).standing
    trial = scene.hold(evaluation(math.nan, math.nan), best)
    assert (trial.is_better, trial.is_contender) == (False, False)
    assert not scene.promotion.is_better(Standing(evaluation(math.inf)), best)


def test_standings_compare_by_all_evidence_there_is() -> None:
    promotion = Scene().promotion
    low, high = Standing(evaluation(0.0)), Standing(evaluation(0.5))
    assert promotion.is_better(low, None)
    assert not promotion.is_better(high, low)
    paired = [Standing(evaluation(m), tuple(np.arange(20) + m)) for m in (0.0, 0.5)]
    assert promotion.is_better(paired[1], paired[0])
    assert promotion.is_better(Standing(EvalMetrics(1.0)), low)


def test_a_trigger_is_one_in_ten_of_equal_policies() -> None:
    rng = np.random.default_rng(5)
    scores = rng.normal(size=(4000, 2))
    pairs = [[Standing(evaluation(s)).evidence for s in row] for row in scores.tolist()]
    rate = np.mean([is_trigger(one, other) for one, other in pairs if one and other])
    assert rate == pytest.approx(0.1, abs=0.015)
