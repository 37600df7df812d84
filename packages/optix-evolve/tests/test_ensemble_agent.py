"""An ensemble keeps every promise of an agent, whatever its members can do."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from optix_core import BaseAgent, CheckpointRegistry, HyperparamSet
from optix_core.errors import CheckpointCorruptError, CheckpointError, ConfigurationError
from optix_core.testing import AgentContract, FakeAgent, ScriptedPipeline
from optix_evolve import EnsembleAgent, PolicyManager

from .learning_policies import Linear, Picker, SaysHowLikely, Steerer


def ensemble_of(
    agents: list[BaseAgent], weights: list[float] | None = None, seed: int | None = 0
) -> EnsembleAgent:
    manager = manager_of(agents, weights)
    return EnsembleAgent(manager, primary_agent=agents[0], seed=seed)


def manager_of(agents: list[BaseAgent], weights: list[float] | None = None) -> PolicyManager:
    manager = PolicyManager(CheckpointRegistry("never-written"))
    for agent, weight in zip(agents, weights or [1.0] * len(agents), strict=True):
        manager.add_agent(agent, weight=weight)
    return manager


class EnsembleContract(AgentContract):
    """Three members of one kind."""

    kind: type[Linear]
    n_inputs: int

    @pytest.fixture(autouse=True)
    def _elsewhere(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)

    def make_agent(self, seed: int) -> BaseAgent:
        weights = [1.0, 2.0, 0.5] if seed == 0 else [1.0, 1.0, 1.0]
        members: list[BaseAgent] = [self.kind(seed=10 * seed + i) for i in range(3)]
        return ensemble_of(members, weights, seed)

    def make_observation(self, rng: np.random.Generator) -> Any:
        return rng.standard_normal(self.n_inputs, dtype=np.float32)


class TestVotingEnsemble(EnsembleContract):
    kind, n_inputs = Picker, 4


class TestMixingEnsemble(EnsembleContract):
    kind, n_inputs = SaysHowLikely, 4


class TestAveragingEnsemble(EnsembleContract):
    kind, n_inputs = Steerer, 3


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_only_the_primary_agent_learns_and_holds_the_hyperparameters() -> None:
    members = [FakeAgent({"learning_rate": 0.1 * i}, seed=i) for i in (1, 2)]
    ensemble = ensemble_of(list(members))
    window = next(iter(ScriptedPipeline([[1.0, 2.0]], ensemble).episodes()))
    diagnostics = ensemble.learn(window)
    assert [member.calls["learn"] for member in members] == [1, 0]
    assert set(diagnostics) == {"loss", "disagreement"}
    ensemble.set_hyperparams(HyperparamSet({"learning_rate": 7.0}))
    assert [member.get_hyperparams().params["learning_rate"] for member in members] == [7.0, 0.2]
    assert ensemble.get_hyperparams().params == {"learning_rate": 7.0}
    assert ensemble.primary_agent is members[0]


def test_it_is_saved_and_loaded_as_one_policy(tmp_path: Path) -> None:
    source = ensemble_of([Picker(seed=i) for i in range(3)], [3.0, 1.0, 0.0])
    manager = manager_of([Picker(seed=i) for i in range(7, 10)])
    target = EnsembleAgent(manager, manager.agents[0])
    source.save_weights(str(tmp_path / "weights"))
    target.load_weights(str(tmp_path / "weights"))
    assert [member["weight"] for member in manager.status()["agents"]] == [3.0, 1.0, 0.0]
    observations = np.random.default_rng(0).normal(size=(50, 4))
    assert_array_equal(target.act_greedy_batch(observations), source.act_greedy_batch(observations))


def test_another_number_of_members_is_refused(tmp_path: Path) -> None:
    ensemble_of([Picker(seed=i) for i in range(3)]).save_weights(str(tmp_path / "weights"))
    for n in (2, 4):
        with pytest.raises(CheckpointError, match=f"3 members, this ensemble has {n}"):
            ensemble_of([Picker(seed=i) for i in range(n)]).load_weights(str(tmp_path / "weights"))


def test_members_that_stayed_are_restored_after_one_was_pruned(tmp_path: Path) -> None:
    manager = manager_of([Picker(seed=i) for i in range(3)], [2.0, 1.0, 3.0])
    ensemble = EnsembleAgent(manager, manager.agents[0])
    ensemble.save_weights(str(tmp_path / "weights"))
    kernels = [np.array(agent.kernel) for agent in manager.agents if isinstance(agent, Picker)]
    assert manager.prune() == [1]
    for agent in manager.agents:
        assert isinstance(agent, Picker)
        agent.kernel = agent.kernel + 1.0
    ensemble.load_weights(str(tmp_path / "weights"))
    restored = [agent.kernel for agent in manager.agents if isinstance(agent, Picker)]
    assert_array_equal(restored, [kernels[0], kernels[2]])
    assert [member["weight"] for member in manager.status()["agents"]] == [2.0, 3.0]
    manager.add_agent(Picker(seed=9))
    with pytest.raises(CheckpointError, match="joined later"):
        ensemble.load_weights(str(tmp_path / "weights"))


@pytest.mark.parametrize(
    "damage",
    ["not json", '{"schema_version": 1}', '{"schema_version":1,"member_ids":[],"weights":[1]}'],
)
def test_a_damaged_index_is_said_to_be(tmp_path: Path, damage: str) -> None:
    ensemble = ensemble_of([Picker()])
    ensemble.save_weights(str(tmp_path / "weights"))
    (tmp_path / "weights" / "ensemble.json").write_text(damage)
    with pytest.raises(CheckpointCorruptError, match="damaged"):
        ensemble.load_weights(str(tmp_path / "weights"))


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    ensemble = ensemble_of([Picker()])
    ensemble.save_weights(str(tmp_path / "weights"))
    index = tmp_path / "weights" / "ensemble.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"schema_version": 2}))
    with pytest.raises(CheckpointError, match="format 2"):
        ensemble.load_weights(str(tmp_path / "weights"))


def test_nothing_is_saved_of_no_members(tmp_path: Path) -> None:
    manager = manager_of([])
    with pytest.raises(ConfigurationError, match="nothing to save"):
        EnsembleAgent(manager, Picker()).save_weights(str(tmp_path / "weights"))


def test_disagreement_is_among_the_diagnostics() -> None:
    one, other = Picker(seed=0), Picker(seed=0)
    ensemble = ensemble_of([one, other])
    window = TestVotingEnsemble().make_window(ensemble)
    assert ensemble.learn(window)["disagreement"] == 0.0
    other.kernel = -one.kernel
    assert ensemble.learn(window)["disagreement"] == pytest.approx(0.5)
    assert ensemble.disagreement(window) == pytest.approx(0.5)
