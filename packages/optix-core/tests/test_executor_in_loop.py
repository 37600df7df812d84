"""An executor of the user's gets all that can be done elsewhere; the run comes out the same."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optix_core import (
    BackoffOptimizer,
    BaseAgent,
    BaseOptimizer,
    BasePipeline,
    CheckpointRegistry,
    EpisodeData,
    Executor,
    HyperparamSet,
    InlineExecutor,
    PopulationOptimizer,
    RLOptimizer,
    RunDirectory,
    RunReport,
    SimplePipeline,
    UnitResult,
    WorkUnit,
)
from optix_core.errors import ContractViolationError
from optix_core.state_store import StateStore
from optix_core.testing import FakeAgent, ScriptedPipeline

from .loop_runs import read_journal
from .toy_task import NoisyMirror, SkillAgent

pytestmark = pytest.mark.usefixtures("without_sync")

WINDOW = 10


class HeldOut(BasePipeline):
    """Held-out windows, and one episode on each of given seeds."""

    def __init__(self) -> None:
        self.windows = SimplePipeline(NoisyMirror(), window_size=WINDOW)
        self.agent: Any = None
        self.played: list[list[int]] = []

    def setup(self) -> None:
        self.windows.setup()

    def teardown(self) -> None:
        self.windows.teardown()

    def set_agent(self, agent: BaseAgent) -> None:
        self.agent = agent
        self.windows.set_agent(agent)

    def episodes(self) -> Iterator[EpisodeData]:
        return self.windows.episodes()

    def play_episodes(self, seeds: Sequence[int]) -> EpisodeData:
        """Each return is the agent's skill and the noise of its seed."""
        self.played.append(list(seeds))
        noise = [0.3 * np.random.default_rng(seed).standard_normal() for seed in seeds]
        returns = [self.agent.skill + each for each in noise]
        return next(ScriptedPipeline([returns], FakeAgent()).episodes())


class Elsewhere:
    """An executor with an agent, an environment and a view of the branch store of its own."""

    def __init__(self, directory: Path, agent: SkillAgent | None = None) -> None:
        agent = agent or SkillAgent({"rate": 0.5}, seed=99)  # every unit brings its own state
        self.inner: Executor = InlineExecutor(optimizer_in(directory, agent).workbench())
        self.units: list[WorkUnit] = []
        self.batches: list[int] = []
        self.is_closed = False

    def submit(self, unit: WorkUnit) -> int:
        self.units.append(unit)
        return self.inner.submit(unit)

    def wait(self, handles: Sequence[int]) -> list[UnitResult]:
        self.batches.append(len(handles))
        return self.inner.wait(handles)

    def close(self) -> None:
        self.is_closed = True


def optimizer_in(path: Path, agent: SkillAgent, **settings: Any) -> RLOptimizer:
    given: dict[str, Any] = {"val_pipeline": HeldOut(), "max_episodes": 24, "seed": 1}
    pipeline = SimplePipeline(NoisyMirror(), window_size=WINDOW)
    return RLOptimizer(agent, pipeline, checkpoint_dir=path, **(given | settings))


def train(
    path: Path,
    tuner: BaseOptimizer,
    executor: Executor | None = None,
    agent: SkillAgent | None = None,
) -> tuple[RunReport, HeldOut, SkillAgent]:
    agent, held_out = agent or SkillAgent({"rate": 1e-3}), HeldOut()
    settings = {"val_pipeline": held_out, "optimizer": tuner, "executor": executor}
    return optimizer_in(path, agent, **settings).run(), held_out, agent


def journal(path: Path) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in event.items() if not name.startswith("time_")}
        for event in read_journal(path)
    ]


@pytest.mark.parametrize(
    "make",
    [
        lambda: PopulationOptimizer(n_members=4, waits=False),
        lambda: BackoffOptimizer(mode="evidence"),
    ],
    ids=["pop", "pairs"],
)
def test_every_unit_goes_to_the_executor_and_the_run_comes_out_the_same(
    tmp_path: Path, make: Any
) -> None:
    here, played_here, _ = train(tmp_path / "here", make())
    executor = Elsewhere(tmp_path / "there")
    there, played_there, agent = train(tmp_path / "there", make(), executor)

    assert journal(tmp_path / "there") == journal(tmp_path / "here")
    assert there.best_score == here.best_score
    assert agent.skill == pytest.approx(there.best_score, abs=0.3)

    trained = [unit for unit in executor.units if unit.exam_seeds is None]
    assert len(trained) == len(read_journal(tmp_path / "there", "unit")) > 0
    assert sum(unit.n_windows for unit in trained) == there.branch_windows
    fresh = [list(unit.exam_seeds) for unit in executor.units if unit.exam_seeds is not None]
    assert len(fresh) > 1
    assert fresh == [seeds for seeds in played_here.played if seeds in fresh]
    assert {unit.n_windows for unit in executor.units if unit.exam_seeds is not None} == {0}
    assert played_there.played == []


class Flat(SkillAgent):
    """Never gets better, so that better scores stay without proof."""

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        return {}


class Nothing(BaseOptimizer):
    """Leaves every hyperparameter as it is."""

    def suggest(self, current_hyperparams: HyperparamSet, metrics_history: Any) -> HyperparamSet:
        return current_hyperparams.copy()


def test_policies_of_a_play_off_are_examined_at_the_same_time(tmp_path: Path) -> None:
    executor = Elsewhere(tmp_path, Flat())
    report, _, _ = train(tmp_path, Nothing(), executor, Flat())
    assert report.contenders > 1
    assert max(executor.batches) == report.contenders


def test_who_made_an_executor_closes_it_and_nothing_of_its_work_stays(tmp_path: Path) -> None:
    executor = Elsewhere(tmp_path)
    report, _, _ = train(tmp_path, PopulationOptimizer(n_members=4, waits=False), executor)
    assert not executor.is_closed
    assert report.branch_windows > 0
    saved = StateStore(tmp_path / "state").load()
    assert saved is not None
    tuning: dict[str, Any] = saved.tree["run"]["tuning"]["state"]
    held = {tuning["origin"], *(each["snapshot"] for each in tuning["challengers"])} - {None}
    registry = CheckpointRegistry(RunDirectory(tmp_path).branches_path)
    assert {snapshot.snapshot_id for snapshot in registry.snapshots()} == held


def test_an_executor_of_another_kind_is_refused(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool, pytest.raises(ContractViolationError, match="executor"):
        RLOptimizer(
            FakeAgent(),
            ScriptedPipeline([[1.0]]),
            checkpoint_dir=tmp_path,
            executor=pool,  # pyright: ignore[reportArgumentType]
        )
