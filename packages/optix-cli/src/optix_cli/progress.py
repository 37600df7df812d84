"""What a run has done so far, as told by the loop: one value for every way to show it."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, final

from optix_cli.loop_settings import LoopSettings
from optix_core.eval_metrics import EvalMetrics
from optix_core.loop_callback import LoopCallback, LoopHandle
from optix_core.loop_state import LoopState
from optix_core.policy_snapshot import PolicySnapshot

RATE_WINDOWS = 16
"""The rate of steps is taken over this many windows, for calm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run has come."""

    windows: int = 0
    """Windows collected."""
    steps: int = 0
    """Environment steps of training."""
    max_steps: int | None = None
    """The budget of steps; None for no limit."""
    steps_per_s: float | None = None
    """Steps a second lately; None before the third window."""
    state: LoopState = LoopState.ACTIVE
    """State of the loop."""
    last: EvalMetrics | None = None
    """The last evaluation."""
    best: EvalMetrics | None = None
    """The evaluation of the best policy."""
    best_steps: int = 0
    """Environment steps of training before it."""
    n_without_improvement: int = 0
    """Evaluations in a row that were no better than the best."""
    dormant_threshold: int = 1
    """How many of them end the run."""
    gap_windows: int = 1
    """Windows between the last two evaluations."""
    scores: tuple[float, ...] = ()
    """Scores so far, oldest first."""
    time_s: float = 0.0
    """Seconds since the run began."""


class ProgressView(Protocol):
    """A way to show progress."""

    def start(self, progress: Progress) -> None:
        """Begin to show."""
        ...

    def show(self, progress: Progress) -> None:
        """Show how things are after a window."""
        ...

    def evaluated(self, progress: Progress) -> None:
        """Show what came of an evaluation."""
        ...

    def stop(self) -> None:
        """Take down what was shown."""
        ...


@final
class ProgressCallback(LoopCallback):
    """Follows a run and hands its progress to a view.

    The loop tells of an evaluation before it decides about it, so what came of one is shown when
    the next window is told of, or at the end.
    """

    def __init__(
        self,
        view: ProgressView,
        settings: LoopSettings,
        *,
        max_steps: int | None = None,
        after_window: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Show the progress of a run of these settings.

        Args:
            view: shows it.
            settings: those of the run.
            max_steps: the run's budget.
            after_window: called after each window; may raise to end the run.
            clock: counts seconds.
        """
        self._after_window = after_window
        self._view = view
        self._settings = settings
        self._max_steps = max_steps
        self._clock = clock
        self._started_at = clock()
        self._loop: LoopHandle | None = None
        self._windows = self._steps = self._best_steps = 0
        self._time_s = 0.0
        self._last: EvalMetrics | None = None
        self._best: EvalMetrics | None = None
        self._round_best: PolicySnapshot | None = None
        self._has_news = self._has_improved = False
        self._last_window_evaluated: int | None = None
        self._gap = settings.base_interval
        self._n_without_improvement = 0
        self._marks: deque[tuple[float, int]] = deque(maxlen=RATE_WINDOWS)

    def bind(self, loop: LoopHandle) -> None:
        """Keep the loop, to read its state."""
        self._loop = loop

    def on_loop_start(self) -> None:
        """Start the clock and the view."""
        self._started_at = self._clock()
        self._view.start(self.progress())

    def on_episode_end(self, window_id: int, metrics: EvalMetrics | None) -> None:
        """Take note of a window."""
        self._tell_news()
        self._windows = window_id + 1
        self._steps = 0 if self._loop is None else self._loop.steps
        self._time_s = self._clock() - self._started_at
        if window_id > 0:  # the first `learn`, which may compile, says nothing about the pace
            self._marks.append((self._time_s, self._steps))
        if metrics is not None:
            self._note_evaluation(window_id, metrics)
        self._view.show(self.progress())
        self._after_window()

    def on_dormant(self, window_id: int) -> None:  # noqa: ARG002
        """Begin to count anew: where the run goes on, it is with a round of its own."""
        self._tell_news()
        self._n_without_improvement = 0

    def on_improvement(self, snapshot: PolicySnapshot) -> None:
        """Take note of the new best."""
        self._best, self._best_steps = snapshot.eval_metrics, self._steps
        self._has_improved = True

    def on_loop_stop(self) -> None:
        """Tell of the last evaluation and take the view down."""
        self._tell_news()
        self._view.stop()

    def progress(self) -> Progress:
        """Return how far the run has come."""
        loop = self._loop
        return Progress(
            windows=self._windows,
            steps=self._steps,
            max_steps=self._max_steps,
            steps_per_s=self._rate(),
            state=LoopState.ACTIVE if loop is None else loop.state,
            last=self._last,
            best=self._best,
            best_steps=self._best_steps,
            n_without_improvement=self._n_without_improvement,
            dormant_threshold=self._settings.dormant_threshold,
            gap_windows=self._gap,
            scores=() if loop is None else tuple(m.primary_score for m in loop.history),
            time_s=self._time_s,
        )

    def _note_evaluation(self, window_id: int, metrics: EvalMetrics) -> None:
        self._last, self._has_news = metrics, True
        if self._last_window_evaluated is not None:
            self._gap = window_id - self._last_window_evaluated
        self._last_window_evaluated = window_id

    def _tell_news(self) -> None:
        if self._has_news:
            self._note_round_best()
            count = 0 if self._has_improved else self._n_without_improvement + 1
            self._n_without_improvement = count
            self._has_news = self._has_improved = False
            self._view.evaluated(self.progress())

    def _note_round_best(self) -> None:
        """Patience counts against the round's best; only the run's comes with `on_improvement`."""
        best = None if self._loop is None else self._loop.round_best_snapshot
        if best is not None and best is not self._round_best:
            self._has_improved = True
        self._round_best = best

    def _rate(self) -> float | None:
        if not self._marks:
            return None
        (start, first), (end, last) = self._marks[0], self._marks[-1]
        return (last - first) / (end - start) if end > start else None
