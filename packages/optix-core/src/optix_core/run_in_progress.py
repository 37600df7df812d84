"""A run while it goes on: what it works with, where it stands, and how its policy is replaced."""

from typing import final

from optix_core.base_agent import BaseAgent
from optix_core.best_policies import BestPolicies
from optix_core.decisions import Stop, StopReason
from optix_core.learning_seat import LearningSeat
from optix_core.loop_branches import open_branches
from optix_core.loop_parts import LoopParts
from optix_core.round_book import RoundBook
from optix_core.run_recorder import RunProgress, RunRecorder


@final
class RunInProgress:
    """The parts of a run, its books, and its end.

    Whoever puts another policy in the place of the learner's does it here, so that nothing that
    was gathered of the one is ever taken for the other's.
    """

    def __init__(self, parts: LoopParts) -> None:
        """Take the parts; nothing is opened or written."""
        self.parts = parts
        """What the loop is made of."""
        self.stage = parts.stage
        """The pipelines, and who plays them."""
        self.learning = LearningSeat(parts.agent)
        """Who learns."""
        self.book = RoundBook(
            parts.scheduler_settings,
            BestPolicies(parts.registry, parts.promotion.is_better),
            parts.plateau_test,
        )
        """Where run and round stand."""
        self.progress = RunProgress()
        """How far the run has come."""
        self.recorder = RunRecorder(parts.directory, self.progress, parts.clock)
        """Writes the journal."""
        self.branches = open_branches(
            parts,
            learning=self.learning,
            recorder=self.recorder,
            on_adopt=self.forget_policy,
        )
        """Branches of training, for a tuner that tries things out."""
        self.ending: Stop | None = None
        """Why the run ends; None while it goes on."""

    @property
    def learner(self) -> BaseAgent:
        """The agent that acts and learns in this round."""
        return self.learning.agent

    def stop(self, reason: str = "") -> None:
        """End the run after the window in progress; safe from any thread."""
        if self.ending is None:
            self.ending = Stop(StopReason.STOPPED, reason or "stop() was called")
        self.stage.stop()

    def roll_back(self) -> None:
        """Restore the round's best policy: weights, optimizer slots, hyperparameters.

        Does nothing before the round's first finite score.
        """
        best = self.book.bests.of_round
        if best is not None:
            self.parts.registry.load(best, self.learner)
            self._replace_policy(self.learner)

    def begin_round(self, learner: BaseAgent) -> None:
        """Begin a round behind the window in progress; with the same learner, it goes on."""
        next_window, is_same = self.progress.window_id + 1, learner is self.learner
        if is_same:
            self.book.go_on(next_window)
        else:
            self.progress.rounds += 1
            self.stage.seat(learner, n_rounds=self.progress.rounds)
            self._replace_policy(learner)
            self.book.begin_baseline(next_window)
        event = "round_continued" if is_same else "round_started"
        self.recorder.event(event, round=self.progress.rounds)

    def forget_policy(self, learner: BaseAgent | None = None) -> None:
        """What was gathered of the policy before is not this one's, be it of another agent."""
        self.learning.replace_policy(learner)
        self.book.forget_recent()
        self.parts.judge.forget()
        self.parts.steering.on_restart()

    def _replace_policy(self, learner: BaseAgent) -> None:
        """What was tried with the policy before is not this one's."""
        self.forget_policy(learner)
        self.parts.tuning.on_restart()
