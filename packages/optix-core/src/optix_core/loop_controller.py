"""The training loop: collects windows and carries out what was decided about them."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, assert_never, final

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
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.decisions import (
    CallbackDecision,
    Decision,
    Degrade,
    EnterCooling,
    EnterDormant,
    Improve,
    NextRound,
    Reactivate,
    Stop,
    StopReason,
)
from optix_core.episode_data import EpisodeData
from optix_core.errors import ContractViolationError
from optix_core.eval_metrics import EvalMetrics
from optix_core.loop_parts import LoopParts
from optix_core.loop_state import LoopState
from optix_core.metrics_history import MetricsHistory
from optix_core.policy_snapshot import PolicySnapshot
from optix_core.run_recorder import RunProgress, RunRecorder, WindowOutcome
from optix_core.run_report import RunReport
from optix_core.tuning_seat import read_hyperparams
from optix_core.verdict import never_rose

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
        self._round_best: EvalMetrics | None = None
        self._best: PolicySnapshot | None = None
        self._ending: Stop | None = None
        self._next_learner: BaseAgent | None = None
        self._diagnostics: Mapping[str, Any] = {}
        self._is_replaced = False
        self._progress = RunProgress()
        self._recorder = RunRecorder(parts.directory, self._progress, parts.clock)

    # ── what a callback may use (LoopHandle) ────────────────────────────────────────────────────
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
        return self._best

    def stop(self, reason: str = "") -> None:
        """End the run after the window in progress; safe from any thread."""
        if self._ending is None:
            self._ending = Stop(StopReason.STOPPED, reason or "stop() was called")

    def continue_with(self, agent: BaseAgent) -> None:
        """Start a new round with this agent when the loop is DORMANT."""
        self._next_learner = agent

    def record(self, event: str, **fields: Any) -> None:
        """Append an event to the run's journal."""
        self._recorder.event(event, **fields)

    # ── a run ───────────────────────────────────────────────────────────────────────────────────
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
            self._ending = self._ending_of(error)
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
            best=self._best,
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

    # ── deciding and carrying out ───────────────────────────────────────────────────────────────
    def _decide(self, metrics: EvalMetrics) -> tuple[Decision, ...]:
        parts = self._parts
        if parts.judge.take_unit_change():
            self._begin_baseline()
        parts.tuning.settle(self._learner, metrics)
        self._history.append(metrics)
        if len(self._first_evaluations) < FIRST_EVALUATIONS:
            self._first_evaluations.append(metrics)
        is_better = parts.judge.is_better(metrics, self._round_best, parts.improvement_margin)
        evaluation = Evaluation(
            window_id=self._progress.window_id,
            score=metrics.primary_score,
            is_better=is_better,
        )
        self._scheduler, decisions = decide(parts.scheduler_settings, self._scheduler, evaluation)
        for decision in decisions:
            self._carry_out(decision, metrics)
        self._tune(metrics)
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
                    self._roll_back()
            case Reactivate():
                logger.info("window %d: degraded, training again", self._progress.window_id)
            case _:
                assert_never(decision)

    def _improve(self, metrics: EvalMetrics) -> None:
        parts = self._parts
        self._round_best = metrics
        parts.tuning.on_improvement(metrics)
        best = None if self._best is None else self._best.eval_metrics
        if parts.judge.is_better(metrics, best, parts.improvement_margin):
            hyperparams = read_hyperparams(self._learner)
            # Pinned, since an evaluator of the user's may prefer what the registry would prune.
            snapshot = parts.registry.save(self._learner, metrics, hyperparams, pin=True)
            if self._best is not None:
                parts.registry.unpin(self._best.snapshot_id)
            self._best = snapshot
            parts.callbacks.notify("on_improvement", self._best)

    def _enter_dormant(self) -> None:
        answers = self._parts.callbacks.ask_dormant(self._progress.window_id)
        stop = next((answer for answer in answers if isinstance(answer, Stop)), None)
        learner = self._chosen_learner(answers)
        if stop is not None:
            self._ending = stop
        elif self._ending is not None:
            return
        elif learner is not None:
            self._begin_round(learner)
        elif self._parts.scheduler_settings.watchdog:
            self._scheduler = enter_watchdog(
                self._parts.scheduler_settings,
                self._scheduler,
                self._progress.window_id,
            )
        else:
            self._ending = self._verdict()

    def _chosen_learner(self, answers: Sequence[CallbackDecision]) -> BaseAgent | None:
        offers = [answer.agent for answer in answers if isinstance(answer, NextRound)]
        if self._next_learner is not None:
            offers.append(self._next_learner)
            self._next_learner = None
        if len(offers) > 1:
            logger.warning("%d callbacks offered a next round; the first is taken", len(offers))
        return offers[0] if offers else None

    def _verdict(self) -> Stop:
        evaluations = self._scheduler.n_without_improvement
        if self._best is None or never_rose(
            self._first_evaluations, self._best.eval_metrics, self._history.total
        ):
            return Stop(
                StopReason.NO_IMPROVEMENT,
                "no evidence that the score ever rose above the first evaluations",
            )
        return Stop(
            StopReason.CONVERGED,
            f"no improvement in {evaluations} evaluations in a row",
        )

    def _begin_round(self, learner: BaseAgent) -> None:
        self._is_replaced = learner is not self._learner
        self._progress.rounds += 1
        self._seat_learner(learner)
        if self._is_replaced:
            self._seed_training()
            self._forget_policy()
        self._begin_baseline()
        self.record("round_started", round=self._progress.rounds)

    def _begin_baseline(self) -> None:
        self._scheduler = start_round(self._parts.scheduler_settings, self._progress.window_id + 1)
        self._round_best = None

    def _roll_back(self) -> None:
        if self._best is None:
            return
        logger.warning("window %d: degraded, restoring the best policy", self._progress.window_id)
        self._parts.registry.load(self._best, self._learner)
        self._is_replaced = True
        self._forget_policy()

    def _forget_policy(self) -> None:
        self._diagnostics = {}
        self._parts.judge.forget()
        self._parts.tuning.on_restart()

    def _tune(self, metrics: EvalMetrics) -> None:
        parts = self._parts
        is_improvement = metrics is self._round_best
        if self.state is LoopState.COOLING and not is_improvement:
            parts.tuning.on_plateau(self._history)
        if self._is_replaced or self.state in (LoopState.DORMANT, LoopState.WATCHDOG):
            return
        change = parts.tuning.tune(self._learner, self._history, self._progress.window_id)
        if change is not None:
            parts.callbacks.notify("on_hyperparam_update", *change)

    # ── seats, journal, end ─────────────────────────────────────────────────────────────────────
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
        if self._best is not None:
            self._parts.registry.load(self._best, self._parts.agent)

    def _ending_of(self, error: BaseException) -> Stop:
        line = f"{type(error).__name__}: {error}".splitlines()[0]
        if isinstance(error, Exception):
            return Stop(StopReason.FAILED, line)
        return Stop(StopReason.INTERRUPTED, line)

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
        if self._best is not None:
            self._parts.registry.unpin(self._best.snapshot_id)
        if failure is None and errors:
            raise errors[0]
        return report

    def _report(self, failure: BaseException | None) -> RunReport:
        ending = self._ending or Stop(StopReason.STOPPED)
        best = self._best
        metrics = None if best is None else best.eval_metrics
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
            best_score=None if metrics is None else metrics.primary_score,
            best_score_se=None if metrics is None else metrics.score_se,
            best_n_episodes=None if metrics is None else metrics.n_episodes,
            best_window=None if best is None else best.episode_id,
            best_snapshot_id=None if best is None else best.snapshot_id,
            hyperparams=params,
            tuner=self._parts.tuning.name,
            callback_errors=self._parts.callbacks.errors,
            error=ending.detail if failure is not None else "",
            time_s=self._recorder.time_s,
        )
