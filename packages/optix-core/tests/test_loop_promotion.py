"""Runs that ask for evidence: what becomes the best, what is reported, what is rolled back."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from optix_core import (
    BaseAgent,
    BaseEvaluator,
    BaseOptimizer,
    EpisodeData,
    EvalMetrics,
    HyperparamSet,
    LoopCallback,
    NextRound,
    RunReport,
)
from optix_core.testing import FakeAgent, ScriptedPipeline

from .held_out import HeldOutScript
from .loop_runs import Spy, run_script

Events = list[dict[str, Any]]


def noisy(mean: float) -> list[float]:
    """Four returns round a mean, with a standard error of 1.15."""
    return [mean - 2.0, mean + 2.0, mean - 2.0, mean + 2.0]


def true_skill(agent: FakeAgent, seeds: Sequence[int]) -> list[float]:
    """Fresh episodes: each seed has a difficulty of its own, and what was learned adds to it."""
    return [agent.skill + seed % 7 - 3 for seed in seeds]


def no_skill(agent: FakeAgent, seeds: Sequence[int]) -> list[float]:
    """Fresh episodes of a policy that never changes."""
    return [float(seed % 7) for seed in seeds]


def ten(agent: FakeAgent, seeds: Sequence[int]) -> list[float]:
    """Fresh episodes round 10, with a standard error of 0.46."""
    return [8.0, 12.0] * 10


def run_held_out(
    directory: Path,
    scores: list[float],
    fresh: Any = true_skill,
    **settings: Any,
) -> tuple[RunReport, Events, HeldOutScript]:
    """Run the loop; windows validate at these scores, fresh episodes say what is true."""
    val_pipeline = HeldOutScript([noisy(score) for score in scores], fresh)
    report, _, events = run_script(
        directory,
        [[0.0, 1.0]] * len(scores),
        val_pipeline=val_pipeline,
        evaluator=settings.pop("evaluator", None),
        seed=1,
        **settings,
    )
    return report, events, val_pipeline


def named(events: Events, name: str) -> Events:
    return [event for event in events if event["event"] == name]


def test_the_reported_best_is_what_fresh_episodes_say(tmp_path: Path) -> None:
    spy = Spy()
    report, events, pipeline = run_held_out(tmp_path, [0.0, 0.1, 30.0, 2.5], callbacks=[spy])
    # The policy of window 2 had learned twice: that is what it is worth on the fresh seeds.
    base, best = (s.eval_metrics.primary_score for (s,) in spy.named("on_improvement"))
    assert report.best_score == best == base + 2.0
    assert (report.best_window, report.best_n_episodes) == (2, 30)
    tried = named(events, "promotion")
    assert [(e["window"], e["promoted"]) for e in tried] == [(0, True), (2, True)]
    assert tried[1]["score"] == 30.0
    assert tried[1]["p"] == 0.0  # each seed gained the same
    assert len(pipeline.played) == 2
    assert report.validation_steps == 4 * 4 + 2 * 30
    assert report.detectable is not None
    assert report.detectable > 0.0


def test_an_unconfirmed_trigger_is_an_evaluation_without_improvement(tmp_path: Path) -> None:
    spy = Spy()
    report, events, pipeline = run_held_out(
        tmp_path,
        [10.0, 30.0, 29.0, 31.0],
        no_skill,
        callbacks=[spy],
        plateau_threshold=3,
        backoff_factor=1.0,
    )
    assert report.best_window == 0
    assert len(spy.named("on_improvement")) == 1
    assert [window for window, _ in spy.named("on_plateau")] == [3]
    assert [e["promoted"] for e in named(events, "promotion")] == [True, False, False, False]
    assert len(pipeline.played) == 4
    counts = [event["n_without_improvement"] for event in named(events, "window")]
    assert counts == [0, 1, 2, 3]


def test_the_journal_tells_of_the_best_where_it_changed(tmp_path: Path) -> None:
    report, events, _ = run_held_out(tmp_path, [0.0, 0.0, 30.0])
    windows = named(events, "window")
    assert [event.get("best_window") for event in windows] == [0, None, 2]
    assert windows[2]["best_score"] == report.best_score
    assert windows[2]["score"] == 30.0
    assert named(events, "run_stopped")[0]["detectable"] == report.detectable


class Literal(BaseEvaluator):
    """A user's own: no evidence."""

    def score(self, episode_data: EpisodeData, train_diagnostics: dict[str, Any]) -> EvalMetrics:
        return EvalMetrics(float(episode_data.episode_returns.mean()), {}, episode_data.episode_id)

    def combine(self, train: EvalMetrics, val: EvalMetrics) -> EvalMetrics:
        return EvalMetrics(val.primary_score, {}, train.episode_id)


@pytest.mark.parametrize("how", [{"evaluator": Literal()}, {"confirm": False}])
def test_literal_rules_play_no_extra_episode(tmp_path: Path, how: dict[str, Any]) -> None:
    report, events, pipeline = run_held_out(tmp_path, [10.0, 10.5, 10.6], **how)
    assert (report.best_score, report.best_window) == (10.6, 2)
    assert pipeline.played == []
    assert report.validation_steps == 3 * 4
    assert named(events, "promotion") == []


@pytest.mark.parametrize(("low", "degrades"), [(8.9, False), (1.0, True)])
def test_a_rollback_needs_evidence(tmp_path: Path, low: float, *, degrades: bool) -> None:
    spy = Spy()
    settings: dict[str, Any] = {"callbacks": [spy], "rollback_on_degradation": True}
    run_held_out(tmp_path / "a", [10.0, low, 10.0], ten, **settings)
    # Both are below 95 % of the best; 8.9 ± 1.15 may be 10.
    assert bool(spy.named("on_degradation")) == degrades
    spy.heard.clear()
    run_held_out(tmp_path / "b", [10.0, low, 10.0], ten, confirm=False, **settings)
    assert spy.named("on_degradation")


def test_a_later_round_takes_the_run_only_with_evidence(tmp_path: Path) -> None:
    class SecondRound(LoopCallback):
        def __init__(self, skill: int) -> None:
            self.variant = FakeAgent()
            self.variant.skill = skill

        def on_dormant(self, window_id: int) -> NextRound | None:
            offered, self.variant = self.variant, None
            return None if offered is None else NextRound(offered)

    def run(name: str, skill: int) -> RunReport:
        return run_held_out(
            tmp_path / name,
            [0.0, 0.0, 50.0, 50.0],
            callbacks=[SecondRound(skill)],
            plateau_threshold=1,
            dormant_threshold=1,
        )[0]

    # Its windows score higher; on the seeds of the run's best its episodes tell.
    assert run("worse", -5).best_window == 0
    assert run("better", 5).best_window == 3  # it goes on learning


def test_the_tuner_hears_of_the_score_that_its_history_holds(tmp_path: Path) -> None:
    heard: list[float] = []

    class Hears(BaseOptimizer):
        def suggest(
            self, current_hyperparams: HyperparamSet, metrics_history: Sequence[EvalMetrics]
        ) -> HyperparamSet:
            heard.append(metrics_history[-1].primary_score)
            return current_hyperparams

        def on_improvement(self, metrics: EvalMetrics) -> None:
            heard.append(metrics.primary_score)

    run_held_out(tmp_path, [0.0, 30.0], optimizer=Hears())
    assert heard == [0.0, 0.0, 30.0, 30.0]


def test_windows_decide_where_the_validation_pipeline_plays_nothing_else(tmp_path: Path) -> None:
    script = [noisy(score) for score in (10.0, 10.5, 30.0)]
    report, _, events = run_script(
        tmp_path, [[0.0, 1.0]] * 3, val_pipeline=ScriptedPipeline(script), evaluator=None
    )
    best = pytest.approx((10.0 + 10.5 + 30.0) / 3)
    assert (report.best_score, report.best_window, report.validation_steps) == (best, 2, 12)
    assert [e["promoted"] for e in named(events, "promotion")] == [False, True]


def test_a_learner_that_is_seated_plays_the_fresh_episodes(tmp_path: Path) -> None:
    players: list[BaseAgent] = []

    def fresh(agent: BaseAgent, seeds: Sequence[int]) -> list[float]:
        players.append(agent)
        return [float(seed % 5) for seed in seeds]

    agent = FakeAgent()
    run_held_out(tmp_path, [10.0, 30.0], fresh, agent=agent)
    assert players == [agent, agent]
