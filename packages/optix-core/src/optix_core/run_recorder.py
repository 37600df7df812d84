"""Writes a run into its journal: its start, every window, its end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optix_core.backoff_scheduler import SchedulerState
from optix_core.base_evaluator import numeric_diagnostics
from optix_core.decisions import Decision
from optix_core.episode_data import EpisodeData
from optix_core.eval_metrics import EvalMetrics
from optix_core.policy_snapshot import PolicySnapshot
from optix_core.run_directory import RunDirectory
from optix_core.run_report import RunReport, best_fields


@dataclass(slots=True)
class RunProgress:
    """How far a run has come."""

    window_id: int = 0
    """Number of the window in progress; after the run, how many were collected."""
    steps: int = 0
    """Environment steps of training, those of branches included."""
    branch_windows: int = 0
    """Windows of training on branches."""
    rounds: int = 1
    """Rounds begun."""
    contenders: int = 0
    """Policies that played off at the end; 0 where nothing was played."""

    @property
    def windows(self) -> int:
        """Windows collected: the learner's, the one in progress aside, and those of branches."""
        return self.window_id + self.branch_windows


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowOutcome:
    """What became of one window."""

    window: EpisodeData
    metrics: EvalMetrics | None
    decisions: Sequence[Decision]
    scheduler: SchedulerState
    best: PolicySnapshot | None
    is_learned: bool
    diagnostics: Mapping[str, Any]
    hyperparams: Mapping[str, Any]
    validation_steps: int


class RunRecorder:
    """Appends the events of one run. Only fields named `time_*` depend on the clock."""

    def __init__(
        self, directory: RunDirectory, progress: RunProgress, clock: Callable[[], float]
    ) -> None:
        """Record into this directory, reading the progress as it is at each event."""
        self._directory = directory
        self.progress = progress
        """How far the run has come, as it is at each event."""
        self._clock = clock
        self._started_at = clock()
        self._hyperparams: Mapping[str, Any] | None = None
        self._best: Mapping[str, Any] = best_fields(None)
        self._last_best: PolicySnapshot | None = None
        self.run_id = 0

    def state_dict(self) -> dict[str, Any]:
        """Return how far the run has come, and the hyperparameters that were written last."""
        return {
            "window_id": self.progress.window_id,
            "steps": self.progress.steps,
            "branch_windows": self.progress.branch_windows,
            "rounds": self.progress.rounds,
            "hyperparams": self._hyperparams,
            "best": self._best,
            "time_s": self.time_s,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned; the time in between does not count."""
        self.progress.window_id = state["window_id"]
        self.progress.steps = state["steps"]
        self.progress.branch_windows = state["branch_windows"]
        self.progress.rounds = state["rounds"]
        self._hyperparams = state["hyperparams"]
        self._best = state["best"]
        self._started_at = self._clock() - state["time_s"]

    @property
    def time_s(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._started_at

    def begin(self, asked: Mapping[str, Mapping[str, Any]]) -> int:
        """Take the directory for a run; returns the run's number.

        Raises:
            CheckpointLockedError: if another process is running in this directory.
        """
        self.run_id = self._directory.begin_run(asked)
        return self.run_id

    def take_up(self) -> int:
        """Take the directory to go on with its latest run; returns the run's number.

        Raises:
            CheckpointLockedError: if another process is running in this directory.
            CheckpointNotFoundError: if there is no run.
        """
        self.run_id = self._directory.resume_run()
        return self.run_id

    def start(self, asked: Mapping[str, Mapping[str, Any]]) -> None:
        """Append the first event."""
        self._started_at = self._clock()
        self.event("run_started", asked=asked, time_started=self._started_at)

    def event(self, name: str, **fields: Any) -> None:
        """Append an event at the window in progress."""
        self._directory.journal.append(
            name, run=self.run_id, window=self.progress.window_id, **fields
        )

    def window(self, outcome: WindowOutcome) -> None:
        """Append the window in progress; its hyperparameters and the best where they changed."""
        changed: dict[str, Any] = {}
        if outcome.hyperparams != self._hyperparams:
            self._hyperparams = outcome.hyperparams
            changed["hyperparams"] = outcome.hyperparams
        if outcome.best is not self._last_best:
            self._last_best = outcome.best
            best = best_fields(outcome.best)
            if best != self._best:
                self._best = best
                changed.update(best)
        ended, metrics = outcome.window.episode_returns, outcome.metrics
        self.event(
            "window",
            round=self.progress.rounds,
            steps=self.progress.steps,
            validation_steps=outcome.validation_steps,
            state=outcome.scheduler.state.value,
            interval=outcome.scheduler.interval,
            n_without_improvement=outcome.scheduler.n_without_improvement,
            episodes=len(ended),
            mean_return=float(ended.mean()) if len(ended) else None,
            score=None if metrics is None else metrics.primary_score,
            metrics=None if metrics is None else metrics.metrics,
            decisions=[type(decision).__name__ for decision in outcome.decisions],
            best=None if outcome.best is None else outcome.best.sequence,
            learned=outcome.is_learned,
            diagnostics=numeric_diagnostics(outcome.diagnostics) if outcome.is_learned else {},
            time_s=self.time_s,
            **changed,
        )

    def end(self, report: RunReport) -> None:
        """Append the report, durably."""
        fields = {name: getattr(report, name) for name in RunReport.__slots__}
        fields.update(stop_reason=report.stop_reason.value, state=report.state.value)
        del fields["run_id"]
        self.event("run_stopped", **fields)
        self._directory.journal.sync()
