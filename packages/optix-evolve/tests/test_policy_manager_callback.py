"""Rounds of a run: spawns train, weights follow scores, the report is printed at the end."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from optix_core import (
    BaseAgent,
    CheckpointRegistry,
    EvalMetrics,
    RLOptimizer,
    RunReport,
    StopReason,
)
from optix_core.errors import ConfigurationError, LoopError
from optix_core.testing import FakeAgent, ScriptedPipeline
from optix_evolve import EnsembleAgent, MetaAction, NoiseLimits, PolicyManager
from optix_evolve.score_window import Signals


class Run:
    """A run whose windows score the talent of who plays, plus up to three windows of learning."""

    def __init__(self, directory: Path, talents: Sequence[float], **manager: Any) -> None:
        self.directory = directory
        self.talents: dict[int, float] = {}
        self.made: list[FakeAgent] = []
        self._left = list(talents)
        self.first = self.factory()
        self.stream = io.StringIO()
        self.manager = PolicyManager(CheckpointRegistry(directory), **manager)

    def factory(self) -> FakeAgent:
        agent = FakeAgent({"learning_rate": 0.1, "n_layers": 3, "name": "a"}, seed=len(self.made))
        self.talents[id(agent)] = self._left.pop(0)
        self.made.append(agent)
        return agent

    def play(self, agent: BaseAgent, window_id: int) -> list[float]:
        learned = agent.skill if isinstance(agent, FakeAgent) else 0.0
        score = self.talents[id(agent)] + min(learned, 3.0)
        return [score, score + 1.0]

    def run(
        self,
        factory: Callable[[], BaseAgent] | None,
        controller: Any = None,
        *,
        noise_limits: NoiseLimits | None = None,
        signals: Signals = "documented",
        **settings: Any,
    ) -> RunReport:
        callback = self.manager.as_callback(
            self.first,
            agent_factory=factory,
            meta_controller=controller,
            stream=self.stream,
            noise_limits=noise_limits,
            signals=signals,
        )
        optimizer = RLOptimizer(
            self.first,
            ScriptedPipeline(self.play),
            callbacks=[callback],
            checkpoint_dir=self.directory,
            plateau_threshold=2,
            dormant_threshold=3,
            backoff_factor=1.0,
            seed=0,
            **settings,
        )
        return optimizer.run()

    def journal(self, event: str) -> list[dict[str, Any]]:
        lines = (self.directory / "events.jsonl").read_text().splitlines()
        return [e for e in map(json.loads, lines) if e["event"] == event]


def test_every_spawn_of_the_budget_acts_learns_and_is_weighted(tmp_path: Path) -> None:
    case = Run(tmp_path, [1.0, 2.0, 4.0, 0.0], max_spawns=2)
    report = case.run(case.factory)
    assert (report.stop_reason, report.rounds) == (StopReason.BUDGET_EXHAUSTED, 3)
    assert all(agent.calls["act"] and agent.calls["learn"] for agent in case.made[:3])
    status = case.manager.status()
    assert (status["spawn_count"], status["spawns_remaining"], status["budget_exhausted"]) == (
        2,
        0,
        True,
    )
    weights = [member["weight"] for member in status["agents"]]
    means = [member["mean_score"] for member in status["agents"]]
    assert all(weight > 0 for weight in weights)
    assert sorted(weights) == [weight for _, weight in sorted(zip(means, weights, strict=True))]
    assert len(case.journal("spawned")) == 2
    assert len(case.journal("round_started")) == 2


def test_a_variant_begins_as_its_parent_with_types_kept(tmp_path: Path) -> None:
    case = Run(tmp_path, [1.0, 0.0], max_spawns=1)
    case.run(case.factory)
    (spawned,) = case.journal("spawned")
    lineage = spawned["lineage"]
    assert lineage["parent"].startswith("snapshot-")
    assert lineage["noise_scale"] > 0
    variant = case.made[1].get_hyperparams().params
    assert type(variant["n_layers"]) is int
    assert (variant["name"], variant["learning_rate"] != 0.1) == ("a", True)
    assert case.manager.status()["agents"][1]["lineage"]["parent"] == lineage["parent"]


def test_a_variant_that_is_no_better_leaves_the_run_its_best(tmp_path: Path) -> None:
    case = Run(tmp_path, [9.0, 1.0], max_spawns=1)
    report = case.run(case.factory)
    assert report.best_score == 9.5 + 3.0
    assert case.first.skill >= 3.0
    weights = [member["weight"] for member in case.manager.status()["agents"]]
    assert weights[0] > weights[1] > 0.0


def test_the_given_agent_holds_the_best_and_its_place_keeps_its_own_policy(tmp_path: Path) -> None:
    case = Run(tmp_path, [1.0, 5.0, 1.0], max_spawns=1)
    report = case.run(case.factory)
    members = case.manager.agents
    assert case.first not in members
    assert members[0] is case.made[2]
    assert report.best_score == 5.5 + 3.0


def test_without_a_factory_the_run_ends_at_dormant(tmp_path: Path) -> None:
    case = Run(tmp_path, [1.0], max_spawns=3)
    report = case.run(None)
    assert report.stop_reason in (StopReason.CONVERGED, StopReason.NO_IMPROVEMENT)
    assert report.rounds == 1
    assert "Spawns used      : 0 / 3" in case.stream.getvalue()


def test_a_factory_that_raises_ends_the_run_by_name(tmp_path: Path) -> None:
    def broken() -> BaseAgent:
        raise ValueError("no GPU")

    case = Run(tmp_path, [1.0], max_spawns=1)
    with pytest.raises(LoopError, match=r"broken raised ValueError: no GPU"):
        case.run(broken)
    assert case.journal("run_stopped")[0]["stop_reason"] == "failed"
    assert case.stream.getvalue().count("Training Complete") == 1


def test_the_report_is_printed_once_and_ensembles_are_pruned_to_size(tmp_path: Path) -> None:
    case = Run(tmp_path, [1.0, 2.0, 3.0, 4.0, 5.0], max_spawns=3, max_ensemble_size=2)
    case.run(case.factory)
    text = case.stream.getvalue()
    assert text.count("Training Complete") == 1
    assert "Reason           : Spawn budget exhausted" in text
    assert "Spawns used      : 3 / 3" in text
    assert len(case.manager.agents) == 2
    assert case.manager.status()["prune_count"] == 2


class Says:
    """A controller that says one thing."""

    def __init__(self, action: MetaAction) -> None:
        self.action = action

    def decide(self, history: Sequence[EvalMetrics], status: Mapping[str, Any]) -> MetaAction:
        assert len(history)
        assert not status["budget_exhausted"]
        return self.action


@pytest.mark.parametrize("action", [MetaAction.NO_OP, MetaAction.PRUNE])
def test_the_same_learner_goes_on_once(tmp_path: Path, action: MetaAction) -> None:
    case = Run(tmp_path, [1.0], max_spawns=2)
    report = case.run(case.factory, Says(action))
    assert len(case.journal("meta_decision")) == 2
    assert len(case.journal("round_continued")) == 1
    assert report.rounds == 1
    assert report.stop_reason in (StopReason.CONVERGED, StopReason.NO_IMPROVEMENT)


def test_a_controller_may_stop_the_run(tmp_path: Path) -> None:
    case = Run(tmp_path, [1.0], max_spawns=2)
    assert case.run(case.factory, Says(MetaAction.STOP)).stop_reason is StopReason.META_STOP


def test_another_directory_than_the_run_s_is_refused(tmp_path: Path) -> None:
    case = Run(tmp_path / "manager", [1.0])
    case.directory = tmp_path / "run"
    with pytest.raises(ConfigurationError, match=r"manager.*run.*same directory"):
        case.run(None)


def test_parents_outlive_a_registry_that_keeps_one(tmp_path: Path) -> None:
    case = Run(tmp_path, [1.0, 6.0, 1.0, 1.0], max_spawns=2)
    case.manager.registry = CheckpointRegistry(tmp_path, max_snapshots=1)
    report = case.run(case.factory, max_snapshots=1)
    assert report.stop_reason is StopReason.BUDGET_EXHAUSTED
    assert case.made[1] in case.manager.agents


def test_pruning_spares_the_primary_agent_and_older_bests_still_load(tmp_path: Path) -> None:
    manager = PolicyManager(CheckpointRegistry(tmp_path), max_spawns=2)
    primary, *others = [FakeAgent(seed=seed) for seed in range(3)]
    for weight, agent in enumerate([primary, *others]):
        manager.add_agent(agent, weight=weight + 1.0)
    manager.record_agent_score(1, 100.0)
    callback = manager.as_callback(
        primary, meta_controller=Says(MetaAction.PRUNE), stream=io.StringIO()
    )
    report = RLOptimizer(
        EnsembleAgent(manager, primary, seed=0),
        ScriptedPipeline([[9.0, 9.0], *[[-1.0, -2.0]] * 20]),
        callbacks=[callback],
        checkpoint_dir=tmp_path,
        plateau_threshold=1,
        dormant_threshold=2,
        backoff_factor=1.0,
        seed=0,
    ).run()
    assert not report.callback_errors
    assert report.best_score == 9.0
    assert manager.agents == [primary, others[0]]


def test_the_report_is_printed_though_the_factory_fails_at_last(tmp_path: Path) -> None:
    def once() -> BaseAgent:
        if len(case.made) > 1:
            raise ValueError("no GPU")
        return case.factory()

    case = Run(tmp_path, [1.0, 5.0], max_spawns=1)
    with pytest.raises(LoopError, match="once raised ValueError: no GPU"):
        case.run(once)
    assert case.stream.getvalue().count("Training Complete") == 1


def test_a_round_that_is_cut_short_leaves_its_variant_at_the_round_s_best(tmp_path: Path) -> None:
    class Overfits(Run):
        """Scores rise for three windows of learning and fall from there on."""

        def play(self, agent: BaseAgent, window_id: int) -> list[float]:
            learned = agent.skill if isinstance(agent, FakeAgent) else 0.0
            score = self.talents[id(agent)] + min(learned, 6.0 - learned)
            return [score, score + 1.0]

    case = Overfits(tmp_path, [1.0, -9.0], max_spawns=5)
    case.run(case.factory, max_episodes=10)
    (started,) = case.journal("round_started")
    windows = [event for event in case.journal("window") if event["window"] > started["window"]]
    scores = [event["score"] for event in windows]
    assert scores[-1] < max(scores), "the variant has to be past its best for this to show anything"
    assert case.made[1].skill == 3.0


@pytest.mark.parametrize(("max_scale", "moves"), [(0.0, False), (0.3, True)])
def test_noise_stays_within_the_limits_given(
    tmp_path: Path, *, max_scale: float, moves: bool
) -> None:
    case = Run(tmp_path, [1.0, 0.0], max_spawns=1)
    limits = NoiseLimits(min_scale=max_scale, max_scale=max_scale)
    case.run(case.factory, noise_limits=limits)
    (spawned,) = case.journal("spawned")
    assert spawned["lineage"]["noise_scale"] == max_scale
    assert ("learning_rate" in spawned["lineage"]["perturbation"]) is moves


class FlatRun(Run):
    """Whoever plays earns the same, until the last of all is made."""

    def play(self, agent: BaseAgent, window_id: int) -> list[float]:
        if len(self.made) > 2 and agent is self.made[2]:
            return super().play(agent, window_id)
        return [-500.0, -500.0]


def test_a_run_that_never_rose_begins_anew_and_one_that_did_is_cloned(tmp_path: Path) -> None:
    case = FlatRun(tmp_path, [0.0] * 5, max_spawns=3)
    report = case.run(case.factory, signals="sound")
    assert report.stop_reason is StopReason.BUDGET_EXHAUSTED
    lineages = [event["lineage"] for event in case.journal("spawned")]
    assert [lineage["parent"] is None for lineage in lineages] == [True, True, False]
    assert lineages[0]["noise_scale"] is None
    # The second of the fresh ones learns, so that it is put back to its own best in the end.
    assert [case.made[i].calls["load_weights"] > 0 for i in (1, 3)] == [False, True]
    assert report.best_score is not None
    assert report.best_score > 0.0
    assert case.stream.getvalue().count("fresh weights") == 2


def test_documented_signals_always_clone(tmp_path: Path) -> None:
    case = FlatRun(tmp_path, [0.0] * 3, max_spawns=1)
    case.run(case.factory)
    (spawned,) = case.journal("spawned")
    assert spawned["lineage"]["parent"] is not None
