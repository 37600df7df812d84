"""A manager's books: members, weights, budget, status, report."""

import json
from pathlib import Path
from typing import Any

import pytest

from optix_core import CheckpointRegistry, EvalMetrics, HyperparamSet
from optix_core.errors import ConfigurationError
from optix_core.testing import FakeAgent
from optix_evolve import EnsemblePolicy, Lineage, NoiseSignals, PolicyManager
from optix_evolve.training_report import render_training_report

from .windows import history


@pytest.fixture
def registry(tmp_path: Path) -> CheckpointRegistry:
    return CheckpointRegistry(tmp_path)


def manager_of(registry: CheckpointRegistry, *weights: float, **settings: Any) -> PolicyManager:
    manager = PolicyManager(registry, **settings)
    for weight in weights:
        manager.add_agent(FakeAgent(), weight=weight)
    return manager


def weights_of(manager: PolicyManager) -> list[float]:
    return [member["weight"] for member in manager.status()["agents"]]


def test_status_has_the_documented_keys_in_json_types(registry: CheckpointRegistry) -> None:
    manager = manager_of(registry, 2.0, 1.0, max_spawns=5)
    manager.record_agent_score(0, 0.5)
    manager.record_agent_score(0, 1.5)
    manager.set_regime("trending")
    status = manager.status()
    assert json.loads(json.dumps(status)) == status
    assert list(status) == [
        "ensemble_size",
        "agents",
        "regime",
        "spawn_count",
        "prune_count",
        "max_spawns",
        "spawns_remaining",
        "budget_exhausted",
    ]
    first, second = status["agents"]
    assert list(first)[:4] == ["index", "weight", "mean_score", "recent_scores"]
    assert (first["index"], first["weight"], first["mean_score"]) == (0, 2.0, 1.0)
    assert first["recent_scores"] == [0.5, 1.5]
    assert (second["index"], second["mean_score"], second["recent_scores"]) == (1, None, [])
    assert (status["ensemble_size"], status["regime"]) == (2, "trending")
    assert (status["max_spawns"], status["spawns_remaining"], status["budget_exhausted"]) == (
        5,
        5,
        False,
    )


def test_without_a_limit_the_budget_is_never_spent(registry: CheckpointRegistry) -> None:
    status = manager_of(registry).status()
    assert (status["max_spawns"], status["spawns_remaining"]) == (None, None)
    assert not status["budget_exhausted"]
    assert manager_of(registry, max_spawns=0).status()["budget_exhausted"]


def test_weights_follow_mean_scores_and_boosts_survive(registry: CheckpointRegistry) -> None:
    manager = manager_of(registry, 1.0, 1.0, 1.0)
    manager.boost(manager.agents[2], factor=2.0)
    for index, score in enumerate([3.0, 2.0, 1.0]):
        manager.record_agent_score(index, score)
    manager.auto_update_weights()
    assert weights_of(manager) == pytest.approx([1.5, 1.0, 2 * 0.5])


def test_scores_are_kept_in_a_rolling_window(registry: CheckpointRegistry) -> None:
    manager = manager_of(registry, 1.0, score_window=2)
    for score in (1.0, 2.0, float("nan"), 3.0):
        manager.record_agent_score(0, score)
    assert manager.status()["agents"][0]["recent_scores"] == [2.0, 3.0]


def test_pruning_takes_the_lowest_weights_and_keeps_scores_with_their_members(
    registry: CheckpointRegistry,
) -> None:
    manager = manager_of(registry, 3.0, 1.0, 2.0)
    agents = manager.agents
    for index, score in enumerate([1.0, 2.0, 3.0]):
        manager.record_agent_score(index, score)
    assert manager.prune(bottom_k=1) == [1]
    assert manager.agents == [agents[0], agents[2]]
    assert [member["mean_score"] for member in manager.status()["agents"]] == [1.0, 3.0]
    assert manager.status()["prune_count"] == 1
    assert manager.prune(bottom_k=5) == [0]


def test_pruning_never_takes_the_learner(registry: CheckpointRegistry) -> None:
    manager = manager_of(registry, 1.0, 1.0, 0.0)
    manager.ensemble.learner = learner = manager.agents[2]
    assert manager.prune(bottom_k=1) == [1]
    assert learner in manager.agents


def test_a_newcomer_gets_a_weight_on_the_scale_of_the_others(registry: CheckpointRegistry) -> None:
    manager = manager_of(registry, 20.0, 40.0)
    assert manager.add_agent(FakeAgent()) == 2
    assert weights_of(manager)[2] == 30.0


def test_ensemble_action_combines_by_weight(registry: CheckpointRegistry) -> None:
    manager = PolicyManager(registry)
    for value, weight in ((0.0, 1.0), (1.0, 3.0)):
        manager.add_agent(FakeAgent(draw_action=lambda _, value=value: value), weight=weight)
    assert manager.ensemble_action([0.0]) == 0.75
    assert EnsemblePolicy(manager.ensemble).greedy([0.0]) == 0.75


def test_noise_is_weak_while_healthy_and_strong_on_a_plateau(registry: CheckpointRegistry) -> None:
    manager = manager_of(registry)
    rising = [float(i) for i in range(1, 11)]
    assert manager.adaptive_noise_scale(history(rising, train=rising, val=rising)) < 0.002
    assert manager.adaptive_noise_scale(history([1.0] * 10)) == pytest.approx(0.1)
    assert manager.adaptive_noise_scale([]) == pytest.approx(0.1)


@pytest.mark.parametrize(
    "settings",
    [{"score_window": 0}, {"max_spawns": -1}, {"max_ensemble_size": 0}],
    ids=lambda settings: next(iter(settings)),
)
def test_numbers_out_of_range_are_refused(
    registry: CheckpointRegistry, settings: dict[str, int]
) -> None:
    with pytest.raises(ConfigurationError, match=str(next(iter(settings)))):
        PolicyManager(registry, **settings)


def test_what_is_not_there_is_refused(registry: CheckpointRegistry) -> None:
    manager = manager_of(registry, 1.0)
    with pytest.raises(ConfigurationError, match="no member 1"):
        manager.record_agent_score(1, 0.0)
    with pytest.raises(ConfigurationError, match="no member of this ensemble"):
        manager.boost(FakeAgent())
    with pytest.raises(ConfigurationError, match="already"):
        manager.add_agent(manager.agents[0])
    with pytest.raises(ConfigurationError, match="regime_boost"):
        manager.as_callback(manager.agents[0], regime_boost=0.0)


def test_the_report_has_the_documented_layout(registry: CheckpointRegistry) -> None:
    manager = manager_of(registry, 2.41, 1.03, max_spawns=0)
    manager.record_agent_score(0, 0.871)
    manager.set_regime("trending")
    best = EvalMetrics(0.8732, {"val_score": 0.8612, "generalization_gap": 0.012})
    line = "━" * 54
    assert manager.training_report(best=best).splitlines() == [
        line,
        "  Training Complete",
        "  Reason           : Spawn budget exhausted",
        line,
        "  Best score       : 0.8732",
        "  Val score        : 0.8612",
        "  Generalization   : 0.0120  (train − val)",
        "  Spawns used      : 0 / 0",
        "  Pruned agents    : 0",
        "  Ensemble size    : 2",
        "  Regime           : trending",
        "  Agents           :",
        "    [0] weight=2.4100  mean_score=0.8710",
        "    [1] weight=1.0300  mean_score=none",
        line,
    ]


def test_the_report_says_what_the_registry_holds(registry: CheckpointRegistry) -> None:
    manager = manager_of(registry, 1.0)
    assert "Best score       : none" in manager.training_report()
    registry.save(FakeAgent(), EvalMetrics(4.5), HyperparamSet({"learning_rate": 0.1}))
    text = manager.training_report("Stopped by hand")
    assert "Reason           : Stopped by hand" in text
    assert "Best score       : 4.5000" in text
    assert "Val score" not in text
    assert "Spawns used      : 0 / unlimited" in text
    assert "Regime           : unknown" in text


def test_the_report_shows_where_variants_come_from(registry: CheckpointRegistry) -> None:
    manager = manager_of(registry, 1.0)
    noise = NoiseSignals(progress=0.5, gap_penalty=0.0, corr_penalty=0.0, noise_scale=0.05)
    lineage = Lineage(
        parent_snapshot_id="snapshot-3",
        parent_score=2.0,
        perturbation={"learning_rate": (0.1, 0.12)},
        noise=noise,
        round_index=1,
    )
    manager.ensemble.add_variant(FakeAgent(), lineage)
    status = manager.status()
    assert json.loads(json.dumps(status)) == status
    assert weights_of(manager) == [1.0, 0.0]
    text = render_training_report(status, "x", None)
    assert "    [1] from snapshot-3  noise=0.0500  learning_rate 0.1 → 0.12" in text
