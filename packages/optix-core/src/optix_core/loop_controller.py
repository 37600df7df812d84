"""The training loop: collects windows and carries out what was decided about them."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, assert_never, final

import numpy as np

from optix_core.base_agent import BaseAgent
from optix_core.base_evaluator import numeric_diagnostics
from optix_core.best_policies import BestPolicies
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.decisions import (
    RESUMABLE,
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
from optix_core.eval_metrics import EvalMetrics
from optix_core.hand_back import hand_back_best
from optix_core.learning_seat import LearningSeat
from optix_core.loop_branches import close_branches, open_branches
from optix_core.loop_parts import LoopParts
from optix_core.loop_report import report_run
from optix_core.loop_state import LoopState
from optix_core.policy_snapshot import PolicySnapshot
from optix_core.promotion import Trial
from optix_core.round_book import RoundBook
from optix_core.run_recorder import RunProgress, RunRecorder, WindowOutcome
from optix_core.run_report import RunReport
from optix_core.run_state import RunState
from optix_core.stage import Stage, try_all
from optix_core.standing import Standing
from optix_core.state_keeper import StateKeeper
from optix_core.state_store import SavedState
from optix_core.tuning_seat import read_hyperparams

logger = logging.getLogger(__name__)


@final
class LoopController:
    """Runs one run, once. The only place where decisions are carried out.

    One iteration: collect a window; where an evaluation is due, score it, decide, carry out, tune;
    then learn from the window. So score, weights and hyperparameters belong to one policy.
    """

    def __init__(self, parts: LoopParts) -> None:
        """Take the parts; nothing is opened or written before `run`."""
        self._parts = parts
        self._stage = Stage(parts.pipeline, parts.val_pipeline, parts.seeds)
        self._learning = LearningSeat(parts.agent)
        self._book = RoundBook(
            parts.scheduler_settings,
            BestPolicies(parts.registry, parts.promotion.is_better),
            parts.plateau_test,
        )
        self._ending: Stop | None = None
        self._offered_round: NextRound | None = None
        self._progress = RunProgress()
        self._recorder = RunRecorder(parts.directory, self._progress, parts.clock)
        self._branches = open_branches(
            parts,
            learning=self._learning,
            recorder=self._recorder,
            play=self._stage.next_window,
            on_adopt=self._forget_policy,
        )
        self._keeper = StateKeeper(
            parts.directory, (parts.registry, parts.branch_store), self._recorder
        )
        self._run_state = RunState(
            parts,
            stage=self._stage,
            learning=self._learning,
            book=self._book,
            recorder=self._recorder,
        )

    @property
    def state(self) -> LoopState:
        """State of the loop."""
        return self._book.state

    @property
    def steps(self) -> int:
        """Environment steps of training so far."""
        return self._progress.steps

    @property
    def validation_steps(self) -> int:
        """Environment steps of validation so far."""
        return self._parts.judge.validation_steps

    @property
    def learner(self) -> BaseAgent:
        """The agent that acts and learns in this round."""
        return self._learning.agent

    @property
    def history(self) -> Sequence[EvalMetrics]:
        """Evaluations so far, oldest first, thinned beyond 4,096."""
        return self._book.history

    @property
    def registry(self) -> CheckpointRegistry:
        """Where this run keeps its snapshots."""
        return self._parts.registry

    @property
    def best_snapshot(self) -> PolicySnapshot | None:
        """The best policy of this run so far."""
        return self._book.bests.of_run

    @property
    def round_best_snapshot(self) -> PolicySnapshot | None:
        """The best policy of this round so far."""
        return self._book.bests.of_round

    @property
    def is_stuck(self) -> bool:
        """Whether nothing shows that the run ever rose above its first evaluations."""
        return self._book.is_stuck

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
        best = self.round_best_snapshot
        if best is not None:
            self.registry.load(best, self.learner)
            self._replace_policy(self.learner)

    def stop(self, reason: str = "") -> None:
        """End the run after the window in progress; safe from any thread."""
        if self._ending is None:
            self._ending = Stop(StopReason.STOPPED, reason or "stop() was called")
        self._stage.stop()

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
        saved = self._keeper.open_run(self._parts.asked, resume=self._parts.resume)
        failure: BaseException | None = None
        try:
            self._open(saved)
            self._collect()
            hand_back_best(self._parts, self._book, self._recorder, self._ending)
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

    def _open(self, saved: SavedState | None) -> None:
        self._stage.open(self.learner)
        self._parts.callbacks.bind(self)
        self._parts.callbacks.notify("on_loop_start")
        if saved is not None:
            self._keeper.put_back(saved, self._run_state)

    def _collect(self) -> None:
        while self._may_go_on():
            window = self._stage.next_window()
            if window is None:
                self._ending = Stop(StopReason.STOPPED, "the pipeline ended")
                break
            self._iterate(window)
            self._progress.window_id += 1
            if self._ending is None:
                self._keeper.save_if_cheap(self._run_state)
        if self._progress.window_id and self._ending and self._ending.reason in RESUMABLE:
            self._keeper.save(self._run_state)

    def _may_go_on(self) -> bool:
        collected = self._progress.windows
        if self._ending is None and collected == self._parts.max_windows:
            detail = f"all {collected} windows were collected"
            self._ending = Stop(StopReason.MAX_WINDOWS, detail)
        return self._ending is None

    def _iterate(self, window: EpisodeData) -> None:
        parts, window_id = self._parts, self._progress.window_id
        self._progress.steps += window.length
        self._learning.begin_window()
        if window.episode_id != window_id:
            window = replace(window, episode_id=window_id)
        is_finite = parts.guard.passes(window)
        if is_finite:
            window = parts.judge.observe(window)
        else:
            self._pass_over(window_id)
        metrics = self._evaluate(window) if is_finite and self._book.is_due(window_id) else None
        parts.callbacks.notify("on_episode_end", window_id, metrics)
        decisions = () if metrics is None else self._decide(metrics)
        is_learned = is_finite and self._learn(window)
        outcome = WindowOutcome(
            window=window,
            metrics=metrics,
            decisions=decisions,
            scheduler=self._book.scheduler,
            best=self.best_snapshot,
            is_learned=is_learned,
            diagnostics=self._learning.diagnostics,
            hyperparams=read_hyperparams(self.learner).params,
            validation_steps=parts.judge.validation_steps,
        )
        self._recorder.window(outcome)

    def _pass_over(self, window_id: int) -> None:
        self.record("window_skipped", n_skipped=self._parts.guard.n_skipped)
        if self._book.is_due(window_id):
            self._book.put_off()
        if self._parts.guard.policy == "rollback":
            self.roll_back()

    def _evaluate(self, window: EpisodeData) -> EvalMetrics | None:
        metrics = self._parts.judge.evaluate(window, self._learning.diagnostics)
        if metrics is None:
            self._book.put_off()
        return metrics

    def _decide(self, metrics: EvalMetrics) -> tuple[Decision, ...]:
        parts, window_id = self._parts, self._progress.window_id
        if parts.judge.take_unit_change():
            self._book.begin_baseline(window_id + 1)
        parts.tuning.settle(self.learner, metrics)
        parts.steering.settle(self.learner, metrics, is_tuned=parts.tuning.moves_alone)
        self._book.enter(metrics)
        trial = self._try(metrics)
        decisions = self._book.decide(window_id, metrics, trial)
        for decision in decisions:
            self._carry_out(decision, metrics, trial)
        self._tune()
        return decisions

    def _try(self, metrics: EvalMetrics) -> Trial:
        """Hold an evaluation against the round's best, with the policy that earned it."""
        bests = self._book.bests
        trial = self._parts.promotion.hold(
            metrics, bests.round_standing, self._book.recent, agent=self.learner
        )
        if trial.event:
            self.record("promotion", **trial.event)
        if trial.is_contender:
            bests.save_contender(self.learner, trial.standing)
        return trial

    def _carry_out(self, decision: Decision, metrics: EvalMetrics, trial: Trial) -> None:
        callbacks, window_id = self._parts.callbacks, self._progress.window_id
        match decision:
            case Improve():
                self._improve(metrics, trial.standing)
            case EnterCooling():
                logger.info("window %d: plateau, cooling", window_id)
                callbacks.notify("on_plateau", window_id, self.state)
            case EnterDormant():
                self._enter_dormant()
            case Degrade(restore_best, is_new):
                if is_new:
                    callbacks.notify("on_degradation", window_id, metrics)
                if restore_best:
                    logger.warning("window %d: degraded", window_id)
                    self.roll_back()
            case Reactivate():
                logger.info("window %d: degraded, training again", window_id)
            case _:
                assert_never(decision)

    def _improve(self, metrics: EvalMetrics, standing: Standing) -> None:
        self._parts.tuning.on_improvement(metrics)
        if self._book.bests.save(self.learner, standing):
            self._parts.callbacks.notify("on_improvement", self.best_snapshot)

    def _enter_dormant(self) -> None:
        parts, window_id = self._parts, self._progress.window_id
        answer = parts.callbacks.ask_dormant(window_id) or self._offered_round
        self._offered_round = None
        if isinstance(answer, Stop):
            self._ending = answer
        elif self._ending is not None:
            return
        elif answer is not None:
            self._begin_round(answer.agent)
        elif parts.scheduler_settings.watchdog:
            self._book.watch(window_id)
        else:
            self._ending = self._book.conclude()

    def _begin_round(self, learner: BaseAgent) -> None:
        next_window = self._progress.window_id + 1
        if learner is self.learner:
            self._book.go_on(next_window)
            self.record("round_continued", round=self._progress.rounds)
            return
        self._progress.rounds += 1
        self._stage.seat(learner, n_rounds=self._progress.rounds)
        self._replace_policy(learner)
        self._book.begin_baseline(next_window)
        self.record("round_started", round=self._progress.rounds)

    def _replace_policy(self, learner: BaseAgent) -> None:
        """What was tried with the policy before is not this one's."""
        self._forget_policy(learner)
        self._parts.tuning.on_restart()

    def _forget_policy(self, learner: BaseAgent | None = None) -> None:
        """What was gathered of the policy before is not this one's, be it of another agent."""
        self._learning.replace_policy(learner)
        self._book.forget_recent()
        self._parts.judge.forget()
        self._parts.steering.on_restart()

    def _tune(self) -> None:
        parts = self._parts
        if self.state is LoopState.COOLING:
            parts.tuning.on_plateau(self.history)
        if self._learning.is_replaced or self.state in (LoopState.DORMANT, LoopState.WATCHDOG):
            return
        window_id, held = self._progress.window_id, parts.steering.held
        self._announce(parts.tuning.branch(self.learner, self.history, self._branches))
        self._announce(parts.tuning.tune(self.learner, self.history, window_id, held=held))

    def _announce(self, change: tuple[dict[str, Any], dict[str, Any]] | None) -> None:
        if change is not None:
            self._parts.callbacks.notify("on_hyperparam_update", *change)

    def _learn(self, window: EpisodeData) -> bool:
        if self._learning.is_replaced or self.state is LoopState.WATCHDOG:
            return False
        # What the last lesson showed takes effect now, not before the evaluation of its policy.
        steering, learner = self._parts.steering, self.learner
        self._announce(steering.before_learn(learner, window))
        if steering.oversee(learner, window, lambda: self._learning.learn(window)):
            return True
        taken_back = numeric_diagnostics(self._learning.diagnostics)
        self._learning.unlearn()
        self.record("lesson_taken_back", diagnostics=taken_back)
        return False

    def _close(self, failure: BaseException | None) -> RunReport:
        """End the run however it ended; a failure in flight is never masked."""
        notify = self._parts.callbacks.notify
        errors = try_all([lambda: notify("on_loop_stop"), *self._stage.closers])
        ending = self._ending or Stop(StopReason.STOPPED)
        report = report_run(
            self._parts,
            self._book,
            self._recorder,
            ending=ending,
            learner=self.learner,
            error="" if failure is None else ending.detail,
        )
        try:
            self._recorder.end(report)
            self._parts.tuning.let_go(self._branches)
            close_branches(self._parts, is_over=ending.reason not in RESUMABLE)
        finally:
            self._parts.directory.end_run()
        self._book.bests.release()
        if failure is None and errors:
            raise errors[0]
        return report
