"""Work units in this process: pure, in order, and without a trace in the learner."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from optix_core import (
    BaseAgent,
    BaseEvaluator,
    BasePipeline,
    EpisodeData,
    EvalMetrics,
    Executor,
    HyperparamSet,
    InlineExecutor,
    ReturnEvaluator,
    SimplePipeline,
    UnitResult,
    Workbench,
    WorkUnit,
)
from optix_core.branch_stage import BranchStage
from optix_core.branch_store import BranchStore
from optix_core.errors import (
    CheckpointNotFoundError,
    ConfigurationError,
    ContractViolationError,
    PipelineError,
)
from optix_core.examination import Examination, Sample
from optix_core.inline_executor import SEATED
from optix_core.steering_seat import SteeringSeat
from optix_core.testing import FakeAgent, ScriptedPipeline

from .toy_task import NoisyMirror, SkillAgent, growth

pytestmark = pytest.mark.usefixtures("without_sync")

WINDOW = 10


def unplayed(*_: Any) -> Any:
    raise AssertionError("nothing is to be played")


def a_window() -> EpisodeData:
    agent = SkillAgent()
    return next(SimplePipeline(NoisyMirror(), agent, WINDOW).episodes())


class Scene:
    """An agent in two pipelines, a store, and an executor over them."""

    def __init__(
        self, path: Path, agent: Any = None, evaluator: BaseEvaluator | None = None
    ) -> None:
        self.agent = SkillAgent() if agent is None else agent
        self.env = NoisyMirror()
        self.pipeline = SimplePipeline(self.env, self.agent, WINDOW)
        self.val_pipeline = SimplePipeline(NoisyMirror(), self.agent, WINDOW)
        windows = self.pipeline.episodes()
        self.stage = BranchStage(
            self.pipeline,
            self.val_pipeline,
            play=lambda: next(windows, None),
            validation_seed=7,
        )
        self.val_pipeline.validate_on(7)
        self.store = BranchStore(path, SteeringSeat(None))
        self.executor: Executor = InlineExecutor(
            Workbench(
                agent=self.agent,
                stage=self.stage,
                evaluator=evaluator or ReturnEvaluator(),
                store=self.store,
            )
        )
        self.parent = self.store.save(self.agent)

    @property
    def there(self) -> set[str]:
        return {snapshot.snapshot_id for snapshot in self.store.registry.snapshots()}

    def unit(self, **changes: Any) -> WorkUnit:
        values: dict[str, Any] = {
            "parent": self.parent,
            "hyperparams": {"rate": 0.01},
            "seed": 1,
            "n_windows": 2,
            "exam_seed": 2,
        }
        return WorkUnit(**{**values, **changes})

    def do(self, *units: WorkUnit) -> list[UnitResult]:
        return self.executor.wait([self.executor.submit(unit) for unit in units])


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_unit_trains_and_is_examined(scene: Scene) -> None:
    (result,) = scene.do(scene.unit(hyperparams={"rate": 0.001}))
    skill = 2.0 * growth({"rate": 0.001})
    assert result.hyperparams == {"rate": 0.001}
    assert (result.windows, result.steps, result.exam_steps) == (2, 2 * WINDOW, WINDOW)
    assert result.metrics.n_episodes == WINDOW
    assert result.metrics.primary_score == pytest.approx(skill, abs=0.2)
    scene.store.load(result.child, scene.agent)
    assert scene.agent.skill == pytest.approx(skill)
    assert scene.agent.params == {"rate": 0.001}


def test_the_learner_is_bit_for_bit_what_it_was(scene: Scene) -> None:
    scene.agent.learn(next(scene.pipeline.episodes()))
    before = scene.agent.everything()
    scene.do(scene.unit(hyperparams={"rate": 0.5}), scene.unit(seed=5))
    assert scene.agent.everything() == before


def test_a_unit_is_a_function_of_its_values(scene: Scene, tmp_path: Path) -> None:
    one, other = scene.unit(hyperparams={"rate": 0.1}), scene.unit(seed=3, exam_seed=4)
    first, second, again = scene.do(one, other, one)
    assert first.metrics == again.metrics
    assert first.metrics != second.metrics
    alone = Scene(tmp_path / "other")
    assert alone.do(alone.unit(seed=3, exam_seed=4))[0].metrics == second.metrics


def test_arms_on_one_seed_first_learn_from_the_same_window(scene: Scene) -> None:
    scene.do(scene.unit(hyperparams={"rate": 0.1}), scene.unit(hyperparams={"rate": 0.001}))
    up, _, down, _ = scene.agent.windows
    np.testing.assert_array_equal(up.actions, down.actions)
    np.testing.assert_array_equal(up.rewards, down.rewards)


def test_the_units_hyperparameters_win_over_the_parents(scene: Scene) -> None:
    (first,) = scene.do(scene.unit(hyperparams={"rate": 0.1}))
    (second,) = scene.do(scene.unit(parent=first.child, hyperparams={"rate": 0.02}))
    assert second.hyperparams == {"rate": 0.02}
    expected = 2.0 * growth({"rate": 0.1}) + 2.0 * growth({"rate": 0.02})
    assert second.metrics.primary_score == pytest.approx(expected, abs=0.2)


def test_no_windows_examine_the_parent_alone(scene: Scene) -> None:
    (result,) = scene.do(scene.unit(n_windows=0))
    assert (result.child, result.steps, result.windows) == (scene.parent, 0, 0)
    assert scene.there == {scene.parent}
    assert scene.agent.windows == []


def test_without_episodes_training_itself_is_the_score(scene: Scene) -> None:
    (result,) = scene.do(scene.unit(n_windows=3, n_episodes=0))
    later = np.concatenate([window.rewards for window in scene.agent.windows[1:]])
    assert result.metrics.n_episodes == 2 * WINDOW
    assert result.metrics.primary_score == pytest.approx(later.mean())
    assert (result.steps, result.exam_steps) == (3 * WINDOW, 0)


def test_where_too_few_episodes_ended_late_all_windows_are_the_score() -> None:
    ended, none = np.array([1.0, 3.0]), np.zeros(0)
    windows = [
        Sample(returns=returns, total_reward=total, steps=5)
        for returns, total in ((ended, 7.0), (none, 8.0), (none, 9.0))
    ]
    examination = Examination(evaluator=ReturnEvaluator(), play=unplayed, play_on=unplayed)
    assert examination.of_training(a_window(), windows).metrics.primary_score == 2.0
    # Where none ended at all the windows themselves are what is compared.
    assert examination.of_training(a_window(), windows[1:]).metrics.primary_score == 8.5


def test_children_stay_until_they_are_let_go_of(scene: Scene) -> None:
    children = [result.child for result in scene.do(*[scene.unit(seed=s) for s in range(5)])]
    assert scene.there == {scene.parent, *children}
    for child in children[1:]:
        scene.store.release(child)
    assert scene.there == {scene.parent, children[0]}


def test_children_are_never_the_best_of_the_store(scene: Scene) -> None:
    scene.do(scene.unit())
    assert scene.store.registry.best is None


def test_who_is_seated_is_examined_at_once_and_nothing_is_saved(scene: Scene) -> None:
    """By the time that is waited for another policy may have been loaded."""
    before = scene.agent.everything()
    handle = scene.executor.submit(scene.unit(parent=SEATED, n_windows=0, exam_seed=5))
    assert scene.agent.everything() == before
    assert scene.there == {scene.parent}
    (expected,) = scene.do(scene.unit(n_windows=0, exam_seed=5))
    scene.agent.learn(a_window())
    (seated,) = scene.executor.wait([handle])
    assert seated == replace(expected, child=SEATED)
    with pytest.raises(ConfigurationError, match="can be waited for once"):
        scene.executor.wait([handle, handle])


def test_who_is_seated_trains_in_no_unit(scene: Scene) -> None:
    with pytest.raises(CheckpointNotFoundError, match="no 'seated'"):
        scene.do(scene.unit(parent=SEATED))


def test_an_agent_that_makes_something_else_of_hyperparameters_breaks_its_contract(
    tmp_path: Path,
) -> None:
    class Stubborn(SkillAgent):
        def set_hyperparams(self, hp: HyperparamSet) -> None:
            self.params = {"rate": min(hp.params["rate"], 0.05)}

    scene = Scene(tmp_path, Stubborn())
    before = scene.agent.everything()
    with pytest.raises(ContractViolationError, match=r"0\.5.*of a work unit and gives"):
        scene.do(scene.unit(hyperparams={"rate": 0.5}))
    assert scene.agent.everything() == before


def test_an_error_leaves_as_it_was_raised_and_the_learner_as_it_was(tmp_path: Path) -> None:
    class Fragile(SkillAgent):
        def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
            if self.params["rate"] > 0.1:
                raise ZeroDivisionError("too fast")
            return super().learn(episode_data)

    scene = Scene(tmp_path, Fragile())
    before = scene.agent.everything()
    with pytest.raises(ZeroDivisionError, match="too fast"):
        scene.do(scene.unit(), scene.unit(hyperparams={"rate": 0.5}))
    assert scene.agent.everything() == before
    assert scene.there == {scene.parent}


def test_validation_of_the_run_goes_on_as_if_nothing_had_been(scene: Scene, tmp_path: Path) -> None:
    untouched = Scene(tmp_path / "other")
    validations = [each.val_pipeline.episodes() for each in (scene, untouched)]
    for _ in range(3):
        touched, other = (next(windows) for windows in validations)
        np.testing.assert_array_equal(touched.rewards, other.rewards)
        scene.do(scene.unit())


def test_without_validation_the_training_pipeline_examines_and_nobody_learns(
    tmp_path: Path,
) -> None:
    agent = SkillAgent()
    pipeline = SimplePipeline(NoisyMirror(), agent, WINDOW)
    stage = BranchStage(pipeline, None, play=lambda: next(pipeline.episodes()), validation_seed=0)
    windows = stage.examine(3, 15)
    assert sum(len(window.episode_returns) for window in windows) == 20
    assert agent.windows == []
    again = stage.examine(3, 15)
    agent_noise = 0.01
    np.testing.assert_allclose(again[0].rewards, windows[0].rewards, atol=agent_noise)


def test_a_validation_pipeline_that_ends_begins_anew_and_one_without_windows_is_an_error() -> None:
    agent = FakeAgent()
    played = ScriptedPipeline([[1.0, 2.0]], agent)
    stage = BranchStage(played, played, play=lambda: None, validation_seed=0)
    assert len(stage.examine(0, 2)) == 1
    with pytest.raises(PipelineError, match="ended while a branch was played"):
        stage.examine(0, 2)
    with pytest.raises(PipelineError, match="ended while a branch was played"):
        stage.next_window()


def test_whole_episodes_are_played_where_the_pipeline_can() -> None:
    asked: list[list[int]] = []

    class Held(BasePipeline):
        def setup(self) -> None: ...
        def teardown(self) -> None: ...
        def set_agent(self, agent: BaseAgent) -> None: ...
        def episodes(self) -> Iterator[EpisodeData]:
            return iter(())

        def play_episodes(self, seeds: Sequence[int]) -> EpisodeData:
            asked.append(list(seeds))
            return next(ScriptedPipeline([[1.0] * len(seeds)], FakeAgent()).episodes())

    stage = BranchStage(Held(), Held(), play=lambda: None, validation_seed=0)
    (window,) = stage.examine(5, 8)
    stage.examine(5, 9)
    assert len(window.episode_returns) == 8
    assert asked[1][:8] == asked[0]
    assert len(set(asked[1])) == 9


def test_a_live_pipeline_has_no_branches() -> None:
    live = ScriptedPipeline([[1.0]], FakeAgent(), is_live=True)
    stage = BranchStage(live, None, play=lambda: None, validation_seed=0)
    with pytest.raises(ConfigurationError, match="ScriptedPipeline cannot be begun anew"):
        stage.begin(0)


def test_where_no_episode_ends_windows_are_the_sample() -> None:
    pipeline = ScriptedPipeline(lambda agent, window: [], FakeAgent())
    stage = BranchStage(pipeline, None, play=lambda: next(pipeline.episodes()), validation_seed=0)
    examination = Examination(
        evaluator=ReturnEvaluator(), play=stage.examine, play_on=stage.examine_on
    )
    unit = WorkUnit(parent="", hyperparams={}, seed=0, n_windows=0, exam_seed=0)
    exam = examination.of(unit)
    assert exam.metrics.n_episodes == 32
    assert exam.metrics.primary_score == 0.0
    assert exam.steps == 32
    with pytest.raises(ConfigurationError, match="need a validation pipeline with play_episodes"):
        examination.of(replace(unit, exam_seeds=(1, 2)))


def test_an_evaluator_that_returns_no_metrics_breaks_its_contract(tmp_path: Path) -> None:
    class Bare(BaseEvaluator):
        def score_validation(self, episode_data: EpisodeData) -> EvalMetrics:
            return 1.0  # pyright: ignore[reportReturnType]

    scene = Scene(tmp_path, evaluator=Bare())
    with pytest.raises(ContractViolationError, match="must return EvalMetrics, got float"):
        scene.do(scene.unit())


def test_an_agent_without_state_can_be_lent_too(tmp_path: Path) -> None:
    scene = Scene(tmp_path, FakeAgent({"rate": 0.01}))
    (result,) = scene.do(scene.unit())
    assert result.windows == 2
    assert scene.agent.skill == 0.0


def test_handles_are_good_for_once(scene: Scene) -> None:
    handle = scene.executor.submit(scene.unit(n_windows=0))
    with pytest.raises(ConfigurationError, match="can be waited for once"):
        scene.executor.wait([handle, handle])
    scene.executor.wait([handle])
    with pytest.raises(ConfigurationError, match=r"of which \[1\] are unknown"):
        scene.executor.wait([handle])


def test_closing_drops_what_waits(scene: Scene) -> None:
    handle = scene.executor.submit(scene.unit())
    scene.executor.close()
    scene.executor.close()
    with pytest.raises(ConfigurationError, match="are unknown"):
        scene.executor.wait([handle])


def test_an_unknown_parent_is_an_error(scene: Scene) -> None:
    with pytest.raises(CheckpointNotFoundError, match="no snapshot-000099"):
        scene.do(scene.unit(parent="snapshot-000099"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_windows": -1}, "n_windows of a work unit must be at least 0, got -1"),
        ({"n_episodes": 1}, "n_episodes of a work unit must be at least 2, got 1"),
        ({"n_episodes": 0, "n_windows": 0}, "n_episodes of a work unit must be at least 2, got 0"),
        ({"seed": -1}, "seed of a work unit must be at least 0, got -1"),
        ({"exam_seeds": (3,)}, r"exam_seeds of a work unit must be at least 2, got \(3,\)"),
    ],
)
def test_a_unit_that_cannot_be_done_is_refused(
    scene: Scene, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        scene.unit(**changes)


def test_units_and_results_are_plain_values(scene: Scene) -> None:
    unit = scene.unit(hyperparams={"rate": 0.01, "layers": [64, 64], "name": None})
    assert msgspec.json.decode(msgspec.json.encode(unit), type=WorkUnit) == unit
    (result,) = scene.do(scene.unit())
    assert msgspec.json.decode(msgspec.json.encode(result), type=UnitResult) == result
