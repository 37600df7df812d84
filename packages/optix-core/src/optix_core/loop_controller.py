"""The training loop: collects windows and carries out what was decided about them."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, assert_never, final

import numpy as np

from optix_core.abilities import Seedable, ValidatesOnSeeds, supports
from optix_core.backoff_scheduler import (
    Evaluation,
    decide,
    enter_watchdog,
    is_due,
    put_off,
    start_round,
)
from optix_core.base_agent import BaseAgent
from optix_core.base_pipeline import BasePipeline
from optix_core.best_policies import BestPolicies
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.decisions import (
    Decision,
    Degrade,
    EnterCooling,
    EnterDormant,
    Improve,
    NextRound,
    Reactivate,
    Stop,
    StopReason,
    ending_of,
)
from optix_core.episode_data import EpisodeData
from optix_core.errors import ContractViolationError
from optix_core.eval_metrics import EvalMetrics
from optix_core.loop_parts import LoopParts
from optix_core.loop_state import LoopState
from optix_core.metrics_history import MetricsHistory
from optix_core.policy_snapshot import PolicySnapshot
from optix_core.run_recorder import RunProgress, RunRecorder, WindowOutcome
from optix_core.run_report import RunReport, best_fields
from optix_core.tuning_seat import read_hyperparams
from optix_core.verdict import judge_convergence

logger = logging.getLogger(__name__)

FIRST_EVALUATIONS = 5
"""What the best is held against when a run has to have risen."""


@final
class LoopController:
    """Runs one run, once. The only place where decisions are carried out.

    One iteration: collect a window; where an evaluation is due, score it, decide, carry out, tune;
    then learn from the window. So score, weights and hyperparameters belong to one policy.
    """

    def __init__(self, parts: LoopParts) -> None:
        """Take the parts; nothing is opened or written before `run`."""
        self._parts = parts
        self._learner = parts.agent
        self._scheduler = start_round(parts.scheduler_settings, 0)
        self._history = MetricsHistory()
        self._first_evaluations: list[EvalMetrics] = []
        self._bests = BestPolicies(parts.registry, self._is_better)
        self._ending: Stop | None = None
        self._offered_round: NextRound | None = None
        self._diagnostics: Mapping[str, Any] = {}
        self._is_replaced = False
        self._progress = RunProgress()
        self._recorder = RunRecorder(parts.directory, self._progress, parts.clock)

    @property
    def state(self) -> LoopState:
        """State of the loop."""
        return self._scheduler.state

    @property
    def steps(self) -> int:
        """Environment steps of training so far."""
        return self._progress.steps

    @property
    def learner(self) -> BaseAgent:
        """The agent that acts and learns in this round."""
        return self._learner

    @property
    def history(self) -> Sequence[EvalMetrics]:
        """Evaluations so far, oldest first, thinned beyond 4,096."""
        return self._history

    @property
    def registry(self) -> CheckpointRegistry:
        """Where this run keeps its snapshots."""
        return self._parts.registry

    @property
    def best_snapshot(self) -> PolicySnapshot | None:
        """The best policy of this run so far."""
        return self._bests.of_run

    @property
    def round_best_snapshot(self) -> PolicySnapshot | None:
        """The best policy of this round so far."""
        return self._bests.of_round

    @property
    def ending(self) -> Stop | None:
        """Why the run ends; None while it goes on."""
        return self._ending

    def generator(self) -> np.random.Generator:
        """A generator at the beginning of the run's evolution stream."""
        return self._parts.seeds.generator("evolution")

    def roll_back(self) -> None:
        """Restore the round's best policy: weights, optimizer slots, hyperparameters.

        Does nothing before the round's first finite score.
        """
        best = self._bests.of_round
        if best is None:
            return
        self._parts.registry.load(best, self._learner)
        self._is_replaced = True
        self._forget_policy()

    def stop(self, reason: str = "") -> None:
        """End the run after the window in progress; safe from any thread."""
        if self._ending is None:
            self._ending = Stop(StopReason.STOPPED, reason or "stop() was called")

    def continue_with(self, agent: BaseAgent) -> None:
        """Start a new round with this agent when the loop is DORMANT."""
        self._offered_round = NextRound(agent)

    def record(self, event: str, **fields: Any) -> None:
        """Append an event to the run's journal."""
        self._recorder.event(event, **fields)

    def run(self) -> RunReport:
        """Train until the run ends; returns its report, with the best policy in the agent.

        Raises:
            Exception: what agent, environment or evaluator raised, as it was raised, with a note
                that names window and step. The report is written to the journal before.
        """
        self._parts.registry.run_id = self._recorder.begin(self._parts.asked)
        failure: BaseException | None = None
        try:
            self._open()
            self._collect()
            self._hand_back_best()
        except BaseException as error:
            failure = error
            self._ending = ending_of(error)
            error.add_note(
                f"Optix: in window {self._progress.window_id}, after step {self._progress.steps}"
            )
            raise
        finally:
            report = self._close(failure)
        return report

    def _open(self) -> None:
        parts = self._parts
        self._seat_learner(parts.agent)
        self._seed_training()
        if supports(parts.val_pipeline, ValidatesOnSeeds):
            parts.val_pipeline.validate_on(parts.seeds.integer("validation"))
        for pipeline in self._pipelines():
            pipeline.setup()
        parts.callbacks.bind(self)
        parts.callbacks.notify("on_loop_start")

    def _collect(self) -> None:
        windows = iter(self._parts.pipeline.episodes())
        while self._ending is None:
            window = next(windows, None)
            if window is None:
                self._ending = Stop(StopReason.STOPPED, "the pipeline ended")
                return
            self._iterate(window)
            self._progress.window_id += 1
            collected = self._progress.window_id
            if self._ending is None and collected == self._parts.max_windows:
                detail = f"all {collected} windows were collected"
                self._ending = Stop(StopReason.MAX_WINDOWS, detail)

    def _iterate(self, window: EpisodeData) -> None:
        parts, window_id = self._parts, self._progress.window_id
        self._progress.steps += window.length
        self._is_replaced = False
        window = parts.judge.observe(replace(window, episode_id=window_id))
        metrics = self._evaluate(window) if is_due(self._scheduler, window_id) else None
        parts.callbacks.notify("on_episode_end", window_id, metrics)
        decisions = () if metrics is None else self._decide(metrics)
        is_learned = self._learn(window)
        outcome = WindowOutcome(
            window=window,
            metrics=metrics,
            decisions=decisions,
            scheduler=self._scheduler,
            best=self._bests.of_run,
            is_learned=is_learned,
            diagnostics=self._diagnostics,
            hyperparams=read_hyperparams(self._learner).params,
            validation_steps=parts.judge.validation_steps,
        )
        self._recorder.window(outcome)

    def _evaluate(self, window: EpisodeData) -> EvalMetrics | None:
        metrics = self._parts.judge.evaluate(window, self._diagnostics)
        if metrics is None:
            self._scheduler = put_off(self._scheduler)
        return metrics

    def _learn(self, window: EpisodeData) -> bool:
        if self._is_replaced or self.state is LoopState.WATCHDOG:
            return False
        diagnostics = self._learner.learn(window)
        if not isinstance(diagnostics, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ContractViolationError(
                f"learn of {type(self._learner).__name__} must return a dict of diagnostics, "
                f"got {type(diagnostics).__name__}; return {{}} where there are none"
            )
        self._diagnostics = diagnostics
        return True

    def _decide(self, metrics: EvalMetrics) -> tuple[Decision, ...]:
        parts = self._parts
        if parts.judge.take_unit_change():
            self._begin_baseline()
        parts.tuning.settle(self._learner, metrics)
        self._history.append(metrics)
        if len(self._first_evaluations) < FIRST_EVALUATIONS:
            self._first_evaluations.append(metrics)
        is_better = self._bests.improves_round(metrics)
        evaluation = Evaluation(
            window_id=self._progress.window_id,
            score=metrics.primary_score,
            is_better=is_better,
        )
        self._scheduler, decisions = decide(parts.scheduler_settings, self._scheduler, evaluation)
        for decision in decisions:
            self._carry_out(decision, metrics)
        self._tune()
        return decisions

    def _carry_out(self, decision: Decision, metrics: EvalMetrics) -> None:
        callbacks = self._parts.callbacks
        match decision:
            case Improve():
                self._improve(metrics)
            case EnterCooling():
                logger.info("window %d: plateau, cooling", self._progress.window_id)
                callbacks.notify("on_plateau", self._progress.window_id, self.state)
            case EnterDormant():
                self._enter_dormant()
            case Degrade(restore_best, is_new):
                if is_new:
                    callbacks.notify("on_degradation", self._progress.window_id, metrics)
                if restore_best:
                    logger.warning("window %d: degraded", self._progress.window_id)
                    self.roll_back()
            case Reactivate():
                logger.info("window %d: degraded, training again", self._progress.window_id)
            case _:
                assert_never(decision)

    def _improve(self, metrics: EvalMetrics) -> None:
        self._parts.tuning.on_improvement(metrics)
        if self._bests.save(self._learner, metrics):
            self._parts.callbacks.notify("on_improvement", self._bests.of_run)

    def _is_better(self, candidate: EvalMetrics, baseline: EvalMetrics | None) -> bool:
        return self._parts.judge.is_better(candidate, baseline, self._parts.improvement_margin)

    def _enter_dormant(self) -> None:
        parts = self._parts
        answer = parts.callbacks.ask_dormant(self._progress.window_id) or self._offered_round
        self._offered_round = None
        if isinstance(answer, Stop):
            self._ending = answer
        elif self._ending is not None:
            return
        elif answer is not None:
            self._begin_round(answer.agent)
        elif parts.scheduler_settings.watchdog:
            window_id = self._progress.window_id
            self._scheduler = enter_watchdog(parts.scheduler_settings, self._scheduler, window_id)
        else:
            n_idle = self._scheduler.n_without_improvement
            self._ending = judge_convergence(
                self._first_evaluations, self._bests.of_run, self._history.total, n_idle
            )

    def _begin_round(self, learner: BaseAgent) -> None:
        if learner is self._learner:
            # The same policy goes on: what it has to beat stays.
            self._scheduler = start_round(
                self._parts.scheduler_settings,
                self._progress.window_id + 1,
                self._scheduler.best_score,
            )
            self.record("round_continued", round=self._progress.rounds)
            return
        self._progress.rounds += 1
        self._seat_learner(learner)
        self._seed_training()
        self._is_replaced = True
        self._forget_policy()
        self._begin_baseline()
        self.record("round_started", round=self._progress.rounds)

    def _begin_baseline(self) -> None:
        self._scheduler = start_round(self._parts.scheduler_settings, self._progress.window_id + 1)
        self._bests.begin_round()

    def _forget_policy(self) -> None:
        self._diagnostics = {}
        self._parts.judge.forget()
        self._parts.tuning.on_restart()

    def _tune(self) -> None:
        parts = self._parts
        if self.state is LoopState.COOLING:
            parts.tuning.on_plateau(self._history)
        if self._is_replaced or self.state in (LoopState.DORMANT, LoopState.WATCHDOG):
            return
        change = parts.tuning.tune(self._learner, self._history, self._progress.window_id)
        if change is not None:
            parts.callbacks.notify("on_hyperparam_update", *change)

    def _pipelines(self) -> list[BasePipeline]:
        val = self._parts.val_pipeline
        return [self._parts.pipeline] if val is None else [self._parts.pipeline, val]

    def _seat_learner(self, agent: BaseAgent) -> None:
        self._learner = agent
        for pipeline in self._pipelines():
            pipeline.set_agent(agent)

    def _seed_training(self) -> None:
        if supports(self._parts.pipeline, Seedable):
            seed = self._parts.seeds.integers("training", self._progress.rounds)[-1]
            self._parts.pipeline.seed(seed)

    def _hand_back_best(self) -> None:
        if self._bests.of_run is not None:
            self._parts.registry.load(self._bests.of_run, self._parts.agent)

    def _close(self, failure: BaseException | None) -> RunReport:
        """End the run however it ended; a failure in flight is never masked."""
        errors: list[Exception] = []
        steps: list[Callable[[], object]] = [
            lambda: self._parts.callbacks.notify("on_loop_stop"),
            *(pipeline.teardown for pipeline in self._pipelines()),
        ]
        for step in steps:
            try:
                step()
            except Exception as error:
                logger.exception("closing the run raised")
                errors.append(error)
        report = self._report(failure)
        self._recorder.end(report)
        self._bests.release()
        if failure is None and errors:
            raise errors[0]
        return report

    def _report(self, failure: BaseException | None) -> RunReport:
        ending, best = self._ending or Stop(StopReason.STOPPED), self._bests.of_run
        first = next((m.primary_score for m in self._first_evaluations if m.is_finite), None)
        params = best.hyperparams.params if best else self._learner.get_hyperparams().params
        return RunReport(
            run_id=self._recorder.run_id,
            seed=self._parts.seeds.seed,
            stop_reason=ending.reason,
            detail=ending.detail,
            state=self.state,
            windows=self._progress.window_id,
            steps=self._progress.steps,
            validation_steps=self._parts.judge.validation_steps,
            evaluations=self._history.total,
            rounds=self._progress.rounds,
            first_score=first,
            **best_fields(best),
            hyperparams=params,
            tuner=self._parts.tuning.name,
            callback_errors=self._parts.callbacks.errors,
            error=ending.detail if failure is not None else "",
            time_s=self._recorder.time_s,
        )
