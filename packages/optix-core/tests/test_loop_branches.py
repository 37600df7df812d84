"""Tuners that branch, in a real run: what they cost is counted, what they find is kept."""

import errno
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optix_core import (
    BackoffOptimizer,
    BaseOptimizer,
    CheckpointRegistry,
    EpisodeData,
    EvalMetrics,
    HyperparamSet,
    LoopCallback,
    PopulationOptimizer,
    ReturnEvaluator,
    RLOptimizer,
    RunReport,
    SimplePipeline,
    StopReason,
    render_report,
    state_keeper,
)
from optix_core.errors import ConfigurationError, ContractViolationError
from optix_core.state_store import StateStore
from optix_core.testing import FakeAgent, ScriptedPipeline

from .loop_runs import Spy, read_journal
from .toy_task import NoisyMirror, SkillAgent

pytestmark = pytest.mark.usefixtures("without_sync")

WINDOW = 10
N_WINDOWS = 40


def train(
    path: Path,
    tuner: BaseOptimizer,
    agent: SkillAgent | None = None,
    *,
    validates: bool = True,
    **settings: Any,
) -> tuple[RunReport, SkillAgent]:
    agent = SkillAgent({"rate": 1e-3}) if agent is None else agent
    val_pipeline = SimplePipeline(NoisyMirror(), window_size=WINDOW) if validates else None
    given: dict[str, Any] = {"seed": 0, "max_episodes": N_WINDOWS} | settings
    optimizer = RLOptimizer(
        agent,
        SimplePipeline(NoisyMirror(), window_size=WINDOW),
        val_pipeline=val_pipeline,
        optimizer=tuner,
        checkpoint_dir=path,
        **given,
    )
    return optimizer.run(), agent


def population(n_members: int = 2) -> PopulationOptimizer:
    """One that branches at every generation, however the learner does."""
    return PopulationOptimizer(n_members=n_members, waits=False)


def tuners() -> list[BaseOptimizer]:
    return [population(), BackoffOptimizer(mode="evidence")]


both = pytest.mark.parametrize("tuner", tuners(), ids=lambda tuner: type(tuner).__name__)


@both
@pytest.mark.parametrize("validates", [True, False])
def test_every_window_and_step_is_counted(
    tmp_path: Path, tuner: BaseOptimizer, *, validates: bool
) -> None:
    report, agent = train(tmp_path, tuner, validates=validates)
    assert report.stop_reason is StopReason.MAX_WINDOWS
    assert report.windows == N_WINDOWS
    assert report.steps == N_WINDOWS * WINDOW
    units = read_journal(tmp_path, "unit")
    windows = read_journal(tmp_path, "window")
    assert sum(unit["windows"] for unit in units) == report.branch_windows > 0
    assert len(windows) == N_WINDOWS - report.branch_windows
    assert windows[-1]["steps"] == report.steps
    assert report.validation_steps >= sum(unit["exam_steps"] for unit in units)
    # All learned, save the last window of a policy that a branch has replaced.
    adopted = read_journal(tmp_path, "branch_adopted")
    assert len(agent.windows) == N_WINDOWS - len(adopted)
    assert f"{report.branch_windows} on branches" in render_report(report)


@both
def test_a_bad_rate_is_repaired(tmp_path: Path, tuner: BaseOptimizer) -> None:
    spy = Spy()
    report, agent = train(tmp_path, tuner, callbacks=[spy], max_episodes=80)
    train(tmp_path / "fixed", NoTuner(), max_episodes=80)
    assert 1e-3 < report.hyperparams["rate"] < 1e-1
    last, fixed = (read_journal(path, "window")[-1] for path in (tmp_path, tmp_path / "fixed"))
    assert last["score"] > fixed["score"]
    assert agent.params == report.hyperparams
    assert spy.named("on_hyperparam_update")
    assert report.tuner == type(tuner).__name__


@both
def test_same_seed_same_journal(tmp_path: Path, tuner: BaseOptimizer) -> None:
    other = next(t for t in tuners() if type(t) is type(tuner))
    train(tmp_path / "one", tuner)
    train(tmp_path / "two", other)
    one, two = (
        [
            {name: value for name, value in event.items() if not name.startswith("time_")}
            for event in read_journal(tmp_path / name)
        ]
        for name in ("one", "two")
    )
    assert one == two


def test_branches_leave_the_registry_of_the_run_alone(tmp_path: Path) -> None:
    report, agent = train(tmp_path, population())
    registry = CheckpointRegistry(tmp_path)
    best = registry.load_best(agent)
    assert best is not None
    assert best.snapshot_id == report.best_snapshot_id
    scored = {event["window"] for event in read_journal(tmp_path, "window")}
    assert {snapshot.episode_id for snapshot in registry.snapshots()} <= scored


def left_in(path: Path) -> list[str]:
    return [snapshot.snapshot_id for snapshot in CheckpointRegistry(path / "branches").snapshots()]


class Ending(LoopCallback):
    """Interrupts a run between two generations."""

    def on_episode_end(self, window_id: int, metrics: Any) -> None:
        if window_id == 6:
            raise KeyboardInterrupt


def held_by_state(path: Path) -> set[str]:
    """The snapshots of branches that the saved state of a population tells of."""
    saved = StateStore(path / "state").load()
    assert saved is not None
    state: dict[str, Any] = saved.tree["run"]["tuning"]["state"]
    held = [state["origin"], *(challenger["snapshot"] for challenger in state["challengers"])]
    return {snapshot for snapshot in held if snapshot is not None}


class Fragile(SkillAgent):
    """Does not get beyond a score, or fails at one of its lessons."""

    def __init__(self, *, ceiling: float = math.inf, fails_at: int = 0) -> None:
        super().__init__({"rate": 0.01 if ceiling < math.inf else 1e-3})
        self.ceiling, self.fails_at = ceiling, fails_at

    def act(self, observation: Any) -> Any:
        return min(super().act(observation), self.ceiling)

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        if len(self.windows) == self.fails_at > 0:
            raise ArithmeticError
        return super().learn(episode_data)


@pytest.mark.parametrize("ends_by", ["itself", "budget", "interrupt", "failure"])
def test_a_run_leaves_no_branch_that_nobody_needs(
    tmp_path: Path, ends_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a state that may be resumed has a claim on them."""
    monkeypatch.setattr(state_keeper, "SHARE", 1e9)  # the state of every window is saved
    agents = {"itself": Fragile(ceiling=5.0), "failure": Fragile(fails_at=30)}
    agent = agents.get(ends_by, Fragile())
    settings: dict[str, Any] = {"callbacks": [Ending()] if ends_by == "interrupt" else []}
    if ends_by == "itself":
        settings |= {"max_episodes": None, "dormant_threshold": 6}
    with suppress(KeyboardInterrupt, ArithmeticError):
        train(tmp_path, population(n_members=3), agent, **settings)
    assert read_journal(tmp_path, "unit")
    (ended,) = read_journal(tmp_path, "run_stopped")
    reasons = {"budget": ["max windows"], "interrupt": ["interrupted"], "failure": ["failed"]}
    assert ended["stop_reason"] in reasons.get(ends_by, ["converged", "no improvement"])
    if ends_by == "itself":
        assert not (tmp_path / "branches").exists()
    else:
        assert set(left_in(tmp_path)) == held_by_state(tmp_path) != set()


def test_between_two_probes_no_branch_is_needed(tmp_path: Path) -> None:
    train(tmp_path, BackoffOptimizer(mode="evidence"))
    assert read_journal(tmp_path, "unit")
    assert left_in(tmp_path) == []


def test_branches_of_a_killed_run_go_when_another_begins(tmp_path: Path) -> None:
    train(tmp_path, population())
    registry = CheckpointRegistry(tmp_path / "branches")
    left = registry.save(SkillAgent({"rate": 1.0}), EvalMetrics(1.0), HyperparamSet({}))
    train(tmp_path, NoTuner())
    assert left.sequence > 1
    assert not (tmp_path / "branches").exists()


def test_a_run_ends_well_whose_branches_cannot_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(registry: CheckpointRegistry) -> list[str]:
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(CheckpointRegistry, "clear", refuse)
    report, _ = train(tmp_path, population())
    assert report.stop_reason is StopReason.MAX_WINDOWS
    assert "read-only" in caplog.text
    monkeypatch.undo()
    assert train(tmp_path, NoTuner())[0].run_id == 2


def test_a_tuner_that_was_used_begins_anew_in_the_next_run(tmp_path: Path) -> None:
    tuner = population()
    train(tmp_path, tuner, max_episodes=16)
    report, _ = train(tmp_path, tuner, max_episodes=16)
    assert report.windows == 16
    again, _ = train(tmp_path / "else", tuner, max_episodes=16)
    assert again.windows == 16


def test_a_run_without_a_budget_stops_by_itself(tmp_path: Path) -> None:
    class Saturated(SkillAgent):
        def act(self, observation: Any) -> Any:
            return min(super().act(observation), 5.0)

    settings: dict[str, Any] = {"max_episodes": None, "dormant_threshold": 6}
    report, _ = train(tmp_path, population(), Saturated({"rate": 0.01}), **settings)
    assert report.stop_reason is not StopReason.MAX_WINDOWS
    assert report.branch_windows > 0


def test_an_agent_that_keeps_a_value_back_ends_the_run(tmp_path: Path) -> None:
    class Deaf(SkillAgent):
        def set_hyperparams(self, hp: HyperparamSet) -> None:
            """Change nothing."""

    with pytest.raises(ContractViolationError, match="gives back"):
        train(tmp_path, population(), Deaf({"rate": 3e-4}))


def test_an_error_on_a_branch_ends_the_run_with_the_learner_as_it_was(tmp_path: Path) -> None:
    class Fragile(SkillAgent):
        def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
            if self.params["rate"] != 3e-4:
                raise ZeroDivisionError("a branch")
            return super().learn(episode_data)

    agent = Fragile({"rate": 3e-4})
    with pytest.raises(ZeroDivisionError, match="a branch") as raised:
        train(tmp_path, population(), agent)
    assert agent.params == {"rate": 3e-4}
    assert "in window" in raised.value.__notes__[0]
    assert read_journal(tmp_path, "run_stopped")[-1]["stop_reason"] == "failed"


@both
def test_a_pipeline_that_cannot_be_begun_anew_is_refused(
    tmp_path: Path, tuner: BaseOptimizer
) -> None:
    live = ScriptedPipeline([[1.0]], is_live=True)
    with pytest.raises(ConfigurationError, match="branches, and ScriptedPipeline cannot be begun"):
        RLOptimizer(FakeAgent(), live, optimizer=tuner, checkpoint_dir=tmp_path)
    RLOptimizer(FakeAgent(), live, optimizer=BackoffOptimizer(), checkpoint_dir=tmp_path)


def test_training_after_branches_begins_on_a_seed_of_its_own(tmp_path: Path) -> None:
    env = NoisyMirror()
    RLOptimizer(
        SkillAgent({"rate": 3e-4}),
        SimplePipeline(env, window_size=WINDOW),
        val_pipeline=SimplePipeline(NoisyMirror(), window_size=WINDOW),
        optimizer=population(),
        checkpoint_dir=tmp_path,
        max_episodes=40,
        seed=0,
        evaluator=ReturnEvaluator(),
    ).run()
    assert len(set(env.seeds)) == len(env.seeds) > 5
    assert np.isfinite(env.seeds).all()


class NoTuner(BaseOptimizer):
    """Leaves everything as it is."""

    def suggest(self, current_hyperparams: HyperparamSet, metrics_history: Any) -> HyperparamSet:
        return current_hyperparams.copy()
