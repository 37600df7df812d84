"""The training loop: collects windows and carries out what was decided about them."""

import logging
from dataclasses import replace
from typing import assert_never, final

from optix_core.decisions import (
    RESUMABLE,
    Decision,
    Degrade,
    EnterCooling,
    EnterDormant,
    Improve,
    Reactivate,
    Stop,
    StopReason,
    ending_of,
)
from optix_core.episode_data import EpisodeData
from optix_core.eval_metrics import EvalMetrics
from optix_core.hand_back import hand_back_best
from optix_core.loop_parts import LoopParts
from optix_core.loop_state import LoopState
from optix_core.policy_snapshot import PolicySnapshot
from optix_core.promotion import Trial
from optix_core.run_closing import close_run
from optix_core.run_handle import RunHandle
from optix_core.run_in_progress import RunInProgress
from optix_core.run_recorder import WindowOutcome
from optix_core.run_report import RunReport
from optix_core.run_state import RunState
from optix_core.standing import Standing
from optix_core.state_keeper import StateKeeper
from optix_core.state_store import SavedState
from optix_core.tuning_seat import read_hyperparams
from optix_core.tutor import Tutor

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
        self._run = RunInProgress(parts)
        self._handle = RunHandle(self._run)
        self._tutor = Tutor(self._run)
        self._keeper = StateKeeper(
            parts.directory, (parts.registry, parts.bench.store.registry), self._run.recorder
        )
        self._run_state = RunState(self._run)

    @property
    def state(self) -> LoopState:
        """State of the loop."""
        return self._run.book.state

    @property
    def best_snapshot(self) -> PolicySnapshot | None:
        """The best policy of this run so far."""
        return self._run.book.bests.of_run

    def stop(self, reason: str = "") -> None:
        """End the run after the window in progress; safe from any thread."""
        self._run.stop(reason)

    def run(self) -> RunReport:
        """Train until the run ends; returns its report, with the best policy in the agent.

        Raises:
            Exception: what agent, environment or evaluator raised, as it was raised, with a note
                that names window and step. The report is written to the journal before.
        """
        run, progress = self._run, self._run.progress
        saved = self._keeper.open_run(self._parts.asked, resume=self._parts.resume)
        failure: BaseException | None = None
        try:
            self._open(saved)
            self._collect()
            hand_back_best(run)
        except BaseException as error:
            failure, run.ending = error, ending_of(error)
            error.add_note(f"Optix: in window {progress.window_id}, after step {progress.steps}")
            raise
        finally:
            report = close_run(run, failure)
        return report

    def _open(self, saved: SavedState | None) -> None:
        self._run.stage.open(self._run.learner)
        self._parts.callbacks.bind(self._handle)
        self._parts.callbacks.notify("on_loop_start")
        if saved is not None:
            self._keeper.put_back(saved, self._run_state)

    def _collect(self) -> None:
        run = self._run
        while self._may_go_on():
            window = run.stage.next_window()
            if window is None:
                run.ending = Stop(StopReason.STOPPED, "the pipeline ended")
                break
            self._iterate(window)
            run.progress.window_id += 1
            if run.ending is None:
                self._keeper.save_if_cheap(self._run_state)
        if run.progress.window_id and run.ending and run.ending.reason in RESUMABLE:
            self._keeper.save(self._run_state)

    def _may_go_on(self) -> bool:
        collected = self._run.progress.windows
        if self._run.ending is None and collected == self._parts.max_windows:
            detail = f"all {collected} windows were collected"
            self._run.ending = Stop(StopReason.MAX_WINDOWS, detail)
        return self._run.ending is None

    def _iterate(self, window: EpisodeData) -> None:
        parts, window_id = self._parts, self._run.progress.window_id
        window = self._begin(window)
        is_finite = parts.guard.passes(window)
        if is_finite:
            window = parts.judge.observe(window)
        else:
            self._pass_over()
        metrics = self._evaluate(window) if is_finite and self._is_due() else None
        parts.callbacks.notify("on_episode_end", window_id, metrics)
        decisions = () if metrics is None else self._decide(metrics)
        is_learned = is_finite and self._tutor.learn(window)
        self._record(window, metrics, decisions, is_learned=is_learned)

    def _begin(self, window: EpisodeData) -> EpisodeData:
        window_id = self._run.progress.window_id
        self._run.progress.steps += window.length
        self._run.learning.begin_window()
        return window if window.episode_id == window_id else replace(window, episode_id=window_id)

    def _is_due(self) -> bool:
        return self._run.book.is_due(self._run.progress.window_id)

    def _pass_over(self) -> None:
        guard = self._parts.guard
        self._run.recorder.event("window_skipped", n_skipped=guard.n_skipped)
        self._run.book.put_off(self._run.progress.window_id)
        if guard.policy == "rollback":
            self._run.roll_back()

    def _evaluate(self, window: EpisodeData) -> EvalMetrics | None:
        metrics = self._parts.judge.evaluate(window, self._run.learning.diagnostics)
        if metrics is None:
            self._run.book.put_off(self._run.progress.window_id)
        return metrics

    def _decide(self, metrics: EvalMetrics) -> tuple[Decision, ...]:
        """Decide about an evaluation, carry that out, and tune; returns what was decided."""
        book, window_id = self._run.book, self._run.progress.window_id
        if self._parts.judge.take_unit_change():
            book.begin_baseline(window_id + 1)
        self._tutor.settle(metrics)
        book.enter(metrics)
        trial = self._try(metrics)
        decisions = book.decide(window_id, metrics, trial)
        for decision in decisions:
            self._carry_out(decision, metrics, trial)
        self._tutor.tune()
        return decisions

    def _try(self, metrics: EvalMetrics) -> Trial:
        """Hold an evaluation against the round's best, with the policy that earned it."""
        run, bests = self._run, self._run.book.bests
        trial = self._parts.promotion.hold(
            metrics, bests.round_standing, run.book.recent, agent=run.learner
        )
        if trial.event:
            run.recorder.event("promotion", **trial.event)
        if trial.is_contender:
            bests.save_contender(run.learner, trial.standing)
        return trial

    def _carry_out(self, decision: Decision, metrics: EvalMetrics, trial: Trial) -> None:
        notify, window_id = self._parts.callbacks.notify, self._run.progress.window_id
        match decision:
            case Improve():
                self._improve(metrics, trial.standing)
            case EnterCooling():
                logger.info("window %d: plateau, cooling", window_id)
                notify("on_plateau", window_id, self.state)
            case EnterDormant():
                self._enter_dormant()
            case Degrade(restore_best, is_new):
                if is_new:
                    notify("on_degradation", window_id, metrics)
                if restore_best:
                    logger.warning("window %d: degraded", window_id)
                    self._run.roll_back()
            case Reactivate():
                logger.info("window %d: degraded, training again", window_id)
            case _:
                assert_never(decision)

    def _improve(self, metrics: EvalMetrics, standing: Standing) -> None:
        self._parts.tuning.on_improvement(metrics)
        if self._run.book.bests.save(self._run.learner, standing):
            self._parts.callbacks.notify("on_improvement", self.best_snapshot)

    def _enter_dormant(self) -> None:
        run, window_id = self._run, self._run.progress.window_id
        answer = self._parts.callbacks.ask_dormant(window_id)
        offered = self._handle.take_offer()
        answer = answer or offered
        if isinstance(answer, Stop):
            run.ending = answer
        elif run.ending is not None:
            return
        elif answer is not None:
            run.begin_round(answer.agent)
        elif self._parts.scheduler_settings.watchdog:
            run.book.watch(window_id)
        else:
            run.ending = run.book.conclude()

    def _record(
        self,
        window: EpisodeData,
        metrics: EvalMetrics | None,
        decisions: tuple[Decision, ...],
        *,
        is_learned: bool,
    ) -> None:
        run = self._run
        outcome = WindowOutcome(
            window=window,
            metrics=metrics,
            decisions=decisions,
            scheduler=run.book.scheduler,
            best=self.best_snapshot,
            is_learned=is_learned,
            diagnostics=run.learning.diagnostics,
            hyperparams=read_hyperparams(run.learner).params,
            validation_steps=self._parts.judge.validation_steps,
        )
        run.recorder.window(outcome)
