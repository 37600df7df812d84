"""The face of the loop: an agent and a pipeline in, a trained agent and a report out."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np

from optix_core.abilities import Seedable, supports
from optix_core.backoff_scheduler import SchedulerSettings
from optix_core.base_agent import BaseAgent
from optix_core.base_evaluator import BaseEvaluator
from optix_core.base_optimizer import BaseOptimizer
from optix_core.base_pipeline import BasePipeline
from optix_core.branch_stage import BranchStage
from optix_core.branch_store import BranchStore
from optix_core.branching import BranchingTuner
from optix_core.callback_dispatcher import CallbackDispatcher
from optix_core.errors import ConfigurationError, ContractViolationError
from optix_core.evaluators import ReturnEvaluator
from optix_core.executor import Executor
from optix_core.final_choice import FinalChoice
from optix_core.finite_guard import FiniteGuard, OnNonFinite, check_policy
from optix_core.inline_executor import InlineExecutor, SeatedPolicies
from optix_core.loop_callback import LoopCallback
from optix_core.loop_controller import LoopController
from optix_core.loop_parts import LoopParts
from optix_core.loop_state import LoopState
from optix_core.plateau_test import PlateauTest
from optix_core.policy_comparison import PolicyComparison
from optix_core.policy_snapshot import PolicySnapshot
from optix_core.promotion import Promotion
from optix_core.resumption import check_same_run, read_latest, report_of_finished, seed_of
from optix_core.run_directory import RunDirectory
from optix_core.run_report import RunReport
from optix_core.seeds import SeedPlan
from optix_core.stage import Stage
from optix_core.steering_seat import SteeringSeat
from optix_core.step_size import find_step_size
from optix_core.step_size_controller import StepSizeController
from optix_core.tuning_seat import TuningSeat
from optix_core.unit_examiner import UnitExaminer
from optix_core.window_judge import WindowJudge
from optix_core.workbench import Workbench

logger = logging.getLogger(__name__)


@final
class RLOptimizer:
    """Trains an agent until it has converged, and hands back the best policy.

    Args of the constructor:
        agent: what learns; after `run` it holds the best policy of the run.
        pipeline: where training windows come from.
        val_pipeline: held-out windows; where given, their score drives every decision.
        evaluator: makes scores; default `ReturnEvaluator`.
        optimizer: tunes hyperparameters. Default: `BackoffOptimizer` where the scores carry no
            evidence (`n_episodes`, `score_se`); where they do, a `StepSizeController` steers the
            step size that the agent declares and everything else stays as given.
        checkpoint_dir: the run directory: journal, snapshots, settings.
        max_snapshots: how many snapshots to keep in it.
        rollback_on_degradation: restore the best policy when the score degrades.
        improvement_margin: by how much a score must exceed the best, in units of the score.
        max_episodes: collect exactly this many windows at most; None for no limit.
        base_interval: windows between evaluations while ACTIVE.
        backoff_factor: growth of that interval at each evaluation without improvement on a
            plateau; ≥ 1.
        max_interval_episodes: longest interval in windows.
        plateau_threshold: evaluations in a row without improvement until COOLING.
        dormant_threshold: the same until DORMANT; ≥ plateau_threshold.
        degradation_threshold: a score below best − |best|·(1 − threshold) is degraded; in [0, 1].
        callbacks: hear of what happens.
        seed: what every random stream of the run is drawn from; None draws one and records it.
        watchdog: go on acting after DORMANT, and train again when the score degrades.
        degradation_patience: degraded evaluations in a row that make a degradation.
        autotune: whether a step size may be steered at all.
        step_param: the hyperparameter to steer as the step size, also beside an optimizer of yours
            (which then leaves it alone) and without evidence; None goes by the agent's declaration.
        confirm: ask for evidence before a policy becomes the best, before a rollback, and at the
            end for the final choice, where scores carry any (`docs/rules.md`). False: by the score
            alone, as without evidence.
        resume: go on with the latest run in `checkpoint_dir` where it was interrupted, killed,
            failed, stopped or ended by `max_episodes`; see `run`. Begins one where there is none.
        plateau_test: whether scores with evidence may prove a plateau, and so end a round, before
            `dormant_threshold` evaluations without improvement do; see `PlateauTest`.
        on_nonfinite: what becomes of a window with rewards or observations that are NaN or
            infinite: "skip" neither scores it nor learns from it, "rollback" restores the best
            policy besides, "raise" ends the run. Three in a row end it in any case.
        executor: does the units of work of the run, branches of training and fresh held-out
            episodes, and is left open at the end; `workbench` is what it does them with. Default:
            with the agent and the pipelines of the run, one after the other (`InlineExecutor`).

    Raises:
        ConfigurationError: if a value is out of range.
        ContractViolationError: if a part does not keep its contract.
    """

    def __init__(
        self,
        agent: BaseAgent,
        pipeline: BasePipeline,
        *,
        val_pipeline: BasePipeline | None = None,
        evaluator: BaseEvaluator | None = None,
        optimizer: BaseOptimizer | None = None,
        checkpoint_dir: str | Path = "./checkpoints",
        max_snapshots: int = 10,
        rollback_on_degradation: bool = False,
        improvement_margin: float = 0.0,
        max_episodes: int | None = None,
        base_interval: int = 1,
        backoff_factor: float = 2.0,
        max_interval_episodes: int = 100,
        plateau_threshold: int = 5,
        dormant_threshold: int = 20,
        degradation_threshold: float = 0.95,
        callbacks: Sequence[LoopCallback] = (),
        seed: int | None = None,
        watchdog: bool = False,
        degradation_patience: int = 1,
        autotune: bool = True,
        step_param: str | None = None,
        confirm: bool = True,
        resume: bool = False,
        plateau_test: bool = True,
        on_nonfinite: OnNonFinite = "skip",
        executor: Executor | None = None,
    ) -> None:
        _expect("agent", agent, BaseAgent)
        _expect("pipeline", pipeline, BasePipeline)
        if val_pipeline is not None:
            _expect("val_pipeline", val_pipeline, BasePipeline)
        if evaluator is not None:
            _expect("evaluator", evaluator, BaseEvaluator)
        if optimizer is not None:
            _expect("optimizer", optimizer, BaseOptimizer)
            _expect_branchable(pipeline, optimizer)
        if executor is not None and not isinstance(executor, Executor):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ContractViolationError(
                f"executor must have submit, wait and close, got {type(executor).__name__}"
            )
        if not improvement_margin >= 0.0:
            raise ConfigurationError(
                f"improvement_margin cannot be negative, got {improvement_margin}"
            )
        if max_episodes is not None and max_episodes < 1:
            raise ConfigurationError(
                f"max_episodes must be at least 1, got {max_episodes}; None sets no limit"
            )
        if step_param is not None:
            find_step_size(agent, step_param)
        self._executor = executor
        self._autotune = autotune
        self._step_param = step_param
        self._plateau_test = plateau_test
        self._agent = agent
        self._pipeline = pipeline
        self._val_pipeline = val_pipeline
        self._evaluator = evaluator or ReturnEvaluator()
        self._tuner = optimizer
        self._directory = RunDirectory(checkpoint_dir)
        self._max_snapshots = max_snapshots
        self._improvement_margin = improvement_margin
        self._max_windows = max_episodes
        self._confirm = confirm
        self._settings = SchedulerSettings(
            base_interval=base_interval,
            backoff_factor=backoff_factor,
            max_interval_episodes=max_interval_episodes,
            plateau_threshold=plateau_threshold,
            dormant_threshold=dormant_threshold,
            degradation_threshold=degradation_threshold,
            degradation_patience=degradation_patience,
            rollback_on_degradation=rollback_on_degradation,
            watchdog=watchdog,
        )
        self._callbacks = tuple(callbacks)
        CallbackDispatcher(self._callbacks)
        self._resume = resume
        self._on_nonfinite: OnNonFinite = check_policy("on_nonfinite", on_nonfinite)
        earlier = read_latest(self._directory) if resume else None
        self._seeds = SeedPlan.from_optional(
            seed_of(earlier) if earlier is not None and seed is None else seed
        )
        self._annotations: dict[str, Mapping[str, Any]] = {}
        self._registry = self._directory.registry(max_snapshots)
        self._loop: LoopController | None = None

    @property
    def state(self) -> LoopState:
        """State of the loop; ACTIVE before the run."""
        return LoopState.ACTIVE if self._loop is None else self._loop.state

    @property
    def best_snapshot(self) -> PolicySnapshot | None:
        """The best policy of the run so far."""
        return None if self._loop is None else self._loop.best_snapshot

    def annotate(self, sections: Mapping[str, Mapping[str, Any]]) -> None:
        """Write these sections beside the settings into `run.toml`, from the next run on."""
        self._annotations.update(sections)

    def stop(self) -> None:
        """End the run after the window in progress; no effect outside of `run`."""
        if self._loop is not None:
            self._loop.stop()

    def run(self) -> RunReport:
        """Train until the run ends by itself, is stopped, or fails.

        A second call begins a new run in the same directory, with the agent as it is then; with
        `resume` it goes on with the latest one.

        A resumed run needs parts made as they were made for it. It comes to what it would have
        come to without the interruption, bit for bit, where agent, pipelines, tuner and callbacks
        can be put back (`HasState`); what begins anew is logged and written into the journal. A
        run that has ended by itself stays as it is: its report is returned, with its best policy
        in the agent.

        Raises:
            CheckpointLockedError: if another process is running in this directory.
            ConfigurationError: if the run to resume has another seed, agent, pipeline, evaluator,
                optimizer or other callbacks.
            CheckpointError: if the state to resume from cannot be read.
            Exception: what agent, environment or evaluator raised, as it was raised.
        """
        asked = self._asked()
        earlier = read_latest(self._directory) if self._resume else None
        if earlier is not None:
            check_same_run(earlier, asked)
            report = report_of_finished(self._directory, self._max_windows)
            if report is not None:
                return self._hand_back(report)
        self._loop = LoopController(self._parts(asked, resume=earlier is not None))
        return self._loop.run()

    def workbench(self) -> Workbench:
        """Open the pipelines and return what work units of such a run are done with.

        For an executor elsewhere: in each of its processes make the optimizer as it is made for
        the run, same settings and `checkpoint_dir`, with an agent, pipelines and an evaluator of
        its own, and let `workbench().do(unit)` do what the run hands out. Nothing runs here and no
        lock of the run is taken; who made the pipelines tears them down.
        """
        stage = self._stage()
        stage.open(self._agent)
        return self._bench(stage, self._steering(None))

    def _hand_back(self, report: RunReport) -> RunReport:
        logger.warning(
            "run %d in %s has ended (%s); there is nothing to resume",
            report.run_id,
            self._directory.path,
            report.stop_reason.value,
        )
        if report.best_snapshot_id is not None:
            self._registry.load(self._registry.find(report.best_snapshot_id), self._agent)
        return report

    def _parts(self, asked: Mapping[str, Mapping[str, Any]], *, resume: bool) -> LoopParts:
        drought_limit = max(5, self._settings.dormant_threshold)
        registry, stage = self._registry, self._stage()
        steering = self._steering(self._directory.lesson_path)
        bench, executor = self._bench(stage, steering), self._executor
        judge = WindowJudge(
            self._evaluator,
            self._val_pipeline,
            drought_limit,
            examine_seated=UnitExaminer(InlineExecutor(bench), SeatedPolicies()).examine,
            examine=None if executor is None else UnitExaminer(executor, bench.store).examine,
        )
        return LoopParts(
            agent=self._agent,
            stage=stage,
            judge=judge,
            guard=FiniteGuard(self._on_nonfinite),
            tuning=TuningSeat(self._tuner, self._seeds.generator("tuner")),
            steering=steering,
            callbacks=CallbackDispatcher(self._callbacks),
            directory=self._directory,
            registry=registry,
            bench=bench,
            seeds=self._seeds,
            scheduler_settings=self._settings,
            plateau_test=PlateauTest() if self._plateau_test else None,
            promotion=Promotion(
                judge,
                seed=self._seeds.integer("promotion"),
                margin=self._improvement_margin,
                confirm=self._confirm,
            ),
            final_choice=FinalChoice(
                judge,
                registry,
                seed=self._seeds.integer("final choice"),
                confirm=self._confirm,
            ),
            comparison=PolicyComparison(
                judge, seed=self._seeds.integer("comparison"), confirm=self._confirm
            ),
            max_windows=self._max_windows,
            asked=asked,
            executor=executor,
            resume=resume,
        )

    def _stage(self) -> Stage:
        return Stage(self._pipeline, self._val_pipeline, self._seeds)

    def _bench(self, stage: Stage, steering: SteeringSeat) -> Workbench:
        return Workbench(
            agent=self._agent,
            stage=BranchStage(
                self._pipeline,
                self._val_pipeline,
                play=stage.next_window,
                validation_seed=self._seeds.integer("validation"),
            ),
            evaluator=self._evaluator,
            store=BranchStore(self._directory.branches_path, steering),
            on_nonfinite=self._on_nonfinite,
        )

    def _steering(self, lesson_path: Path | None) -> SteeringSeat:
        if not self._autotune:
            return SteeringSeat(None, lesson_path)
        # A child of the tuner's stream, which a tuner of the user's draws from.
        (stream,) = self._seeds.sequence("tuner").spawn(1)
        controller = StepSizeController(np.random.default_rng(stream), self._step_param)
        return SteeringSeat(controller, lesson_path, is_asked=self._step_param is not None)

    def _asked(self) -> dict[str, Mapping[str, Any]]:
        settings = {name: getattr(self._settings, name) for name in self._settings.__slots__}
        val = self._val_pipeline
        parts = {
            "seed": self._seeds.seed,
            "agent": type(self._agent).__name__,
            "pipeline": type(self._pipeline).__name__,
            "val_pipeline": None if val is None else type(val).__name__,
            "evaluator": type(self._evaluator).__name__,
            "optimizer": None if self._tuner is None else type(self._tuner).__name__,
        }
        loop = {
            **settings,
            "improvement_margin": self._improvement_margin,
            "confirm": self._confirm,
            "on_nonfinite": self._on_nonfinite,
            "max_episodes": self._max_windows,
            "max_snapshots": self._max_snapshots,
            "autotune": self._autotune,
            "step_param": self._step_param,
            "plateau_test": self._plateau_test,
        }
        return {"run": parts, "loop": loop, **self._annotations}


def _expect(name: str, part: object, contract: type) -> None:
    if not isinstance(part, contract):
        raise ContractViolationError(
            f"{name} must derive from {contract.__name__}, got {type(part).__name__}"
        )


def _expect_branchable(pipeline: BasePipeline, tuner: BaseOptimizer) -> None:
    if not supports(tuner, BranchingTuner) or not tuner.is_branching:
        return
    if pipeline.is_live or not supports(pipeline, Seedable):
        raise ConfigurationError(
            f"{type(tuner).__name__} branches, and {type(pipeline).__name__} cannot be begun anew "
            "on a seed; give a pipeline with seed(), or a tuner that does not branch"
        )
