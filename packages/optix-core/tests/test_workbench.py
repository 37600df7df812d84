"""What comes of a unit hangs on the unit alone: not on what was done before, nor on who does it."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optix_core import (
    BackoffOptimizer,
    RLOptimizer,
    SimplePipeline,
    UnitResult,
    Workbench,
    WorkUnit,
)
from optix_core.errors import NonFiniteDataError

from .loop_runs import read_journal
from .toy_task import NoisyMirror, SkillAgent
from .units_elsewhere import Sampler, optimizer_in

pytestmark = pytest.mark.usefixtures("without_sync")


def units_from(parent: str) -> list[WorkUnit]:
    """Two that train and are examined, one that trains alone, one that is examined alone."""
    params = {"learning_rate": 0.2, "decay": 0.5}
    unit = WorkUnit(parent=parent, hyperparams=params, seed=1, n_windows=2, exam_seed=2)
    return [
        unit,
        replace(unit, hyperparams={**params, "decay": 0.9}),
        replace(unit, seed=3, n_episodes=0),
        replace(unit, n_windows=0, exam_seeds=(4, 5, 6)),
    ]


class Doer:
    """A bench with an agent of its own, and what it knows of what came of a unit."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.agent = Sampler(seed)
        self.bench: Workbench = optimizer_in(
            directory, None, agent=self.agent, seed=seed
        ).workbench()

    def parent(self) -> str:
        """One that has learned, and whose step size has been steered."""
        settled = self.agent.get_hyperparams().params
        start = self.bench.store.save(self.agent)
        unit = replace(units_from(start)[2], hyperparams=settled)
        return self.bench.do(unit).child

    def outcome(self, unit: WorkUnit) -> tuple[UnitResult, bytes]:
        """The result but for the child's name, and all that this name stands for."""
        result = self.bench.do(unit)
        self.bench.store.load(result.child, self.agent)
        child = (
            self.agent.weights,
            self.agent.params,
            self.agent.state_dict(),
            self.bench.store.steering.state_dict(),
        )
        return replace(result, child=""), msgspec.json.encode(child, enc_hook=np.ndarray.tolist)


@settings(max_examples=8)
@given(order=st.lists(st.integers(0, 3), min_size=1, max_size=6), seeds=st.permutations(range(3)))
def test_a_unit_is_a_function_of_its_values(order: list[int], seeds: Sequence[int]) -> None:
    with tempfile.TemporaryDirectory() as path:
        one, other, third = (Doer(Path(path), seed) for seed in seeds)
        units = units_from(one.parent())
        expected = [one.outcome(unit) for unit in units]
        assert len({child for _, child in expected}) == len(units)
        for index in order:
            assert other.outcome(units[index]) == expected[index]
        for index in reversed(order):
            assert third.outcome(units[index]) == expected[index]


class SometimesNaN(NoisyMirror):
    """Pays NaN in the last of so many windows of ten steps."""

    def __init__(self, period: int) -> None:
        super().__init__()
        self.period = period
        self.n_steps = 0

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = super().step(action)
        self.n_steps += 1
        is_bad = (self.n_steps + 5) % (10 * self.period) == 0
        return observation, np.nan if is_bad else reward, terminated, truncated, info


def nan_bench(path: Path, period: int, **settings: Any) -> tuple[Workbench, WorkUnit, SkillAgent]:
    agent = SkillAgent()
    pipeline = SimplePipeline(SometimesNaN(period), window_size=10)
    bench = RLOptimizer(agent, pipeline, checkpoint_dir=path, **settings).workbench()
    unit = WorkUnit(
        parent=bench.store.save(agent),
        hyperparams={"rate": 0.01},
        seed=1,
        n_windows=4,
        exam_seed=0,
        n_episodes=0,
    )
    return bench, unit, agent


def test_windows_that_are_not_finite_are_passed_over_and_told(tmp_path: Path) -> None:
    bench, unit, agent = nan_bench(tmp_path, 2)
    result = bench.do(unit)
    assert (result.windows, result.skipped) == (4, 2)
    assert [window.episode_id for window in agent.windows] == [0, 2]


@pytest.mark.parametrize("settings", [{}, {"on_nonfinite": "raise"}])
def test_what_is_never_finite_ends_a_unit(tmp_path: Path, settings: dict[str, Any]) -> None:
    bench, unit, agent = nan_bench(tmp_path, 1, **settings)
    with pytest.raises(NonFiniteDataError):
        bench.do(unit)
    assert agent.windows == []


def test_a_run_counts_what_its_units_passed_over(tmp_path: Path) -> None:
    report = RLOptimizer(
        SkillAgent({"rate": 1e-3}),
        SimplePipeline(SometimesNaN(7), window_size=10),
        val_pipeline=SimplePipeline(NoisyMirror(), window_size=10),
        optimizer=BackoffOptimizer(mode="evidence"),
        checkpoint_dir=tmp_path,
        max_episodes=40,
        seed=0,
    ).run()
    by_learner = len(read_journal(tmp_path, "window_skipped"))
    assert report.skipped_windows > by_learner


def test_a_bench_opens_its_pipelines_and_takes_no_lock(tmp_path: Path) -> None:
    optimizer = optimizer_in(tmp_path, None)
    bench = optimizer.workbench()
    assert not tmp_path.joinpath("events.jsonl").exists()
    assert bench.examine(units_from("")[3]).exam_steps > 0
    assert optimizer.run().windows == 50
