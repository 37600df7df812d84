"""The order of the loop: score, weights and hyperparameters belong to one policy."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from optix_core import (
    BaseAgent,
    BaseOptimizer,
    EvalMetrics,
    HyperparamSet,
    NextRound,
    Stop,
    StopReason,
)
from optix_core.decisions import CallbackDecision
from optix_core.testing import FakeAgent, ScriptedPipeline

from .loop_runs import Spy, read_journal, run_script


class AddsOne(BaseOptimizer):
    """Adds one to the learning rate at every evaluation."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def suggest(
        self, current_hyperparams: HyperparamSet, metrics_history: Sequence[EvalMetrics]
    ) -> HyperparamSet:
        rate = current_hyperparams.params["learning_rate"]
        self.heard.append((rate, metrics_history[-1].primary_score))
        return HyperparamSet({"learning_rate": rate + 1.0})

    def on_restart(self) -> None:
        self.heard.append("restart")


def flat(agent: BaseAgent, window_id: int) -> list[float]:
    """Every window scores the same."""
    return [3.0]


def skill_as_return(agent: Any, window_id: int) -> list[float] | None:
    """The return of a window is the skill of the policy that plays it."""
    return None if window_id == 6 else [agent.skill]


def test_a_snapshot_holds_the_weights_that_earned_its_score(tmp_path: Path) -> None:
    spy = Spy()
    run_script(tmp_path, skill_as_return, callbacks=[spy], max_snapshots=50)
    for (snapshot,) in spy.named("on_improvement"):
        twin = FakeAgent()
        spy.loop.registry.load(snapshot, twin)
        assert twin.skill == snapshot.eval_metrics.primary_score == snapshot.episode_id


def test_a_score_credits_the_hyperparameters_that_made_its_policy(tmp_path: Path) -> None:
    spy, tuner = Spy(), AddsOne()
    agent = FakeAgent({"learning_rate": 0.0})
    run_script(tmp_path, skill_as_return, agent=agent, optimizer=tuner, callbacks=[spy])
    rates = [s.hyperparams.params["learning_rate"] for (s,) in spy.named("on_improvement")]
    assert rates == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert tuner.heard == [(float(n), float(n)) for n in range(6)]
    updates = spy.named("on_hyperparam_update")
    assert updates[0] == ({"learning_rate": 0.0}, {"learning_rate": 1.0})


def test_every_window_is_learned_from_and_the_best_comes_back(tmp_path: Path) -> None:
    report, agent, events = run_script(tmp_path, [1.0, 5.0, 2.0, 3.0], max_episodes=4)
    assert agent.learned == [0, 1, 2, 3]
    assert agent.skill == 1.0  # the policy that played window 1 had learned once
    assert (report.best_score, report.best_window) == (5.0, 1)
    assert [e["learned"] for e in events if e["event"] == "window"] == [True] * 4


def test_max_episodes_collects_exactly_that_many(tmp_path: Path) -> None:
    pipeline = ScriptedPipeline(lambda agent, window_id: [float(window_id)])
    report, agent, _ = run_script(tmp_path, None, pipeline=pipeline, max_episodes=7)
    assert (report.windows, report.stop_reason) == (7, StopReason.MAX_WINDOWS)
    assert agent.calls["act"] == agent.calls["learn"] == 7


def test_a_window_of_a_policy_that_was_rolled_back_is_not_learned_from(tmp_path: Path) -> None:
    scores = [10.0, 20.0, 1.0, 19.5]
    tuner = AddsOne()
    report, agent, events = run_script(
        tmp_path, scores, rollback_on_degradation=True, optimizer=tuner
    )
    assert agent.learned == [0, 1, 3]
    windows = [e for e in events if e["event"] == "window"]
    assert windows[2]["decisions"] == ["Degrade"]
    assert windows[2]["hyperparams"] == {"learning_rate": 1.1}  # those of the best, put back
    assert tuner.heard.count("restart") == 1
    assert report.best_score == 20.0


def test_degradation_is_announced_once_per_excursion(tmp_path: Path) -> None:
    spy = Spy()
    run_script(tmp_path, [10.0, 1.0, 2.0, 9.9, 3.0, 1.0], callbacks=[spy])
    assert [window for window, _ in spy.named("on_degradation")] == [1, 4]


def test_dormant_ends_the_run_by_the_documented_schedule(tmp_path: Path) -> None:
    spy = Spy()
    report, _, events = run_script(
        tmp_path,
        flat,
        callbacks=[spy],
        plateau_threshold=2,
        dormant_threshold=4,
        max_interval_episodes=5,
    )
    evaluated = [e["window"] for e in events if e["event"] == "window" and e["score"] is not None]
    assert evaluated == [0, 1, 2, 4, 8]  # then 2 → 4 → 5 would follow
    assert [window for window, _ in spy.named("on_plateau")] == [2]
    assert spy.named("on_dormant") == [(8,)]
    assert report.stop_reason is StopReason.CONVERGED
    assert len(spy.named("on_episode_end")) == report.windows == 9
    assert spy.heard[0] == ("on_loop_start",)
    assert spy.heard[-1] == ("on_loop_stop",)


def test_stop_of_a_callback_wins_over_a_next_round(tmp_path: Path) -> None:
    class GoesOn(Spy):
        def on_dormant(self, window_id: int) -> CallbackDecision | None:
            return NextRound(FakeAgent())

    class Stops(Spy):
        def on_dormant(self, window_id: int) -> None:
            self.loop.stop("enough")

    report, _, _ = run_script(
        tmp_path,
        flat,
        callbacks=[GoesOn(), Stops()],
        plateau_threshold=1,
        dormant_threshold=1,
    )
    assert (report.stop_reason, report.detail, report.rounds) == (StopReason.STOPPED, "enough", 1)


@pytest.mark.parametrize("how", ["returned", "asked for"])
def test_a_next_round_seats_its_learner_with_a_baseline_of_its_own(
    tmp_path: Path, how: str
) -> None:
    variant = FakeAgent({"learning_rate": 9.0})

    class Spawns(Spy):
        def on_dormant(self, window_id: int) -> CallbackDecision | None:
            super().on_dormant(window_id)
            if len(self.named("on_dormant")) > 1:
                return Stop(StopReason.BUDGET_EXHAUSTED, "one spawn")
            if how == "returned":
                return NextRound(variant)
            self.loop.continue_with(variant)
            return None

    spy = Spawns()
    pipeline = ScriptedPipeline([[9.0], [1.0], [5.0], [6.0], [6.0]])
    report, agent, _ = run_script(
        tmp_path,
        None,
        pipeline=pipeline,
        callbacks=[spy],
        plateau_threshold=1,
        dormant_threshold=1,
    )
    assert report.stop_reason is StopReason.BUDGET_EXHAUSTED
    assert (report.rounds, report.windows) == (2, 5)
    assert agent.learned == [0]  # window 1 was played by the policy that the spawn replaced
    assert variant.learned == [2, 3, 4]
    assert [s.episode_id for (s,) in spy.named("on_improvement")] == [0]
    assert (agent.skill, report.best_score) == (0.0, 9.0)
    assert len(read_journal(tmp_path, "round_started")) == 1
    assert len(pipeline.seeds) == len(set(pipeline.seeds)) == 2


def test_watchdog_acts_without_learning_and_trains_again_when_the_score_falls(
    tmp_path: Path,
) -> None:
    scores = [5.0, 5.0, 5.0, 5.0, 1.0, 6.0]
    report, agent, events = run_script(
        tmp_path,
        scores,
        watchdog=True,
        plateau_threshold=1,
        dormant_threshold=1,
        max_interval_episodes=1,
    )
    states = [e["state"] for e in events if e["event"] == "window"]
    assert states == ["active", "watchdog", "watchdog", "watchdog", "active", "active"]
    assert agent.learned == [0, 4, 5]
    assert (report.stop_reason, report.detail) == (StopReason.STOPPED, "the pipeline ended")


def test_the_same_learner_goes_on_against_its_own_best(tmp_path: Path) -> None:
    class GoesOnOnce(Spy):
        def on_dormant(self, window_id: int) -> CallbackDecision | None:
            super().on_dormant(window_id)
            return NextRound(self.loop.learner) if len(self.named("on_dormant")) == 1 else None

    spy = GoesOnOnce()
    report, agent, _ = run_script(
        tmp_path,
        [5.0, 4.9, 4.9, 4.9, 4.9],
        callbacks=[spy],
        plateau_threshold=2,
        dormant_threshold=2,
        backoff_factor=1.0,
    )
    assert [window for (window,) in spy.named("on_dormant")] == [2, 4]
    assert len(spy.named("on_improvement")) == 1
    assert (report.rounds, report.stop_reason) == (1, StopReason.CONVERGED)
    assert agent.learned == [0, 1, 2, 3, 4]


def test_a_callback_may_roll_the_learner_back_to_the_best_of_its_round(tmp_path: Path) -> None:
    class RollsBack(Spy):
        def on_dormant(self, window_id: int) -> CallbackDecision | None:
            self.loop.roll_back()
            return NextRound(self.loop.learner)

    settings: dict[str, Any] = {"plateau_threshold": 2, "dormant_threshold": 2}
    spy = RollsBack()
    _, agent, _ = run_script(
        tmp_path, [4.9, 5.0, 4.9, 4.9, 5.5], callbacks=[spy], max_episodes=5, **settings
    )
    assert agent.learned == [0, 1, 2, 4]  # window 3 was played by the policy rolled back
