"""An ensemble as the loop's agent on real environments: it acts, learns, is restored, reports."""

import io
from collections.abc import Sequence
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from optix_core import CheckpointRegistry, EvalMetrics, LoopCallback, RLOptimizer, RunReport
from optix_evolve import EnsembleAgent, PolicyManager
from optix_pipelines import BatchPipeline

from .linear_policies import Picker, Policy, Steerer

WINDOWS = 4


class Notes(LoopCallback):
    """Keeps every evaluation."""

    def __init__(self) -> None:
        self.evaluations: list[EvalMetrics] = []

    def on_episode_end(self, window_id: int, metrics: EvalMetrics | None) -> None:
        if metrics is not None:
            self.evaluations.append(metrics)


class Case:
    """A run of three members on an environment."""

    def __init__(self, directory: Path, name: str, members: Sequence[Policy]) -> None:
        self.env = gym.make(name)
        self.manager = PolicyManager(CheckpointRegistry(directory))
        for member in members:
            self.manager.add_agent(member, weight=1.0)
        space = self.env.action_space
        self.agent = EnsembleAgent(self.manager, members[0], action_space=space, seed=0)
        self.directory = directory
        self.stream = io.StringIO()
        self.notes = Notes()

    def run(self) -> RunReport:
        callback = self.manager.as_callback(self.manager.agents[0], stream=self.stream)
        return RLOptimizer(
            agent=self.agent,
            pipeline=BatchPipeline(env=self.env, agent=self.agent, window_size=400),
            callbacks=[callback, self.notes],
            checkpoint_dir=self.directory,
            max_episodes=WINDOWS,
            seed=0,
        ).run()


def members_of(kind: type[Policy], first_seed: int = 0) -> list[Policy]:
    return [kind(seed=first_seed + i) for i in range(3)]


@pytest.mark.parametrize(
    ("name", "kind"), [("CartPole-v1", Picker), ("Pendulum-v1", Steerer)], ids=["votes", "averages"]
)
def test_an_ensemble_is_the_loop_s_agent(tmp_path: Path, name: str, kind: type[Policy]) -> None:
    case = Case(tmp_path / "run", name, members_of(kind))
    report = case.run()
    assert (report.windows, report.callback_errors) == (WINDOWS, {})
    assert np.isfinite(report.best_score or np.nan)
    learned = [metrics.metrics.get("disagreement") for metrics in case.notes.evaluations[1:]]
    assert learned
    assert all(isinstance(value, float) and value > 0.0 for value in learned)
    assert case.stream.getvalue().count("Training Complete") == 1
    scores = [member["mean_score"] for member in case.manager.status()["agents"]]
    assert scores[0] is not None


def test_the_run_s_best_ensemble_is_loaded_as_one_policy(tmp_path: Path) -> None:
    case = Case(tmp_path / "run", "CartPole-v1", members_of(Picker))
    case.run()
    other = Case(tmp_path / "elsewhere", "CartPole-v1", members_of(Picker, first_seed=50))
    snapshot = CheckpointRegistry(tmp_path / "run").load_best(other.agent)
    assert snapshot is not None
    observations = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    chosen = case.agent.act_greedy_batch(observations)
    assert_array_equal(other.agent.act_greedy_batch(observations), chosen)
    assert len(set(chosen.tolist())) == 2


def test_one_seed_makes_one_run(tmp_path: Path) -> None:
    runs = [Case(tmp_path / str(i), "Pendulum-v1", members_of(Steerer)) for i in range(2)]
    assert runs[0].run().best_score == runs[1].run().best_score
    scores = [[m.primary_score for m in case.notes.evaluations] for case in runs]
    assert scores[0] == scores[1]
