"""Changes the learner while its policy goes on: tunes it, steers its step size, lets it learn."""

from typing import Any, final

from optix_core.base_evaluator import numeric_diagnostics
from optix_core.episode_data import EpisodeData
from optix_core.eval_metrics import EvalMetrics
from optix_core.loop_state import LoopState
from optix_core.run_in_progress import RunInProgress


@final
class Tutor:
    """Lets tuner, controller and lesson at the learner of a run, each in its turn.

    None of them touches a learner whose policy was replaced since the window in progress was
    played, nor one that a watchdog only watches.
    """

    def __init__(self, run: RunInProgress) -> None:
        """Teach the learner of this run."""
        self._run = run

    def settle(self, metrics: EvalMetrics) -> None:
        """Let the first evaluation decide who tunes and who steers; later calls change nothing."""
        tuning, steering = self._run.parts.tuning, self._run.parts.steering
        tuning.settle(self._run.learner, metrics)
        steering.settle(self._run.learner, metrics, is_tuned=tuning.moves_alone)

    def tune(self) -> None:
        """Let the tuner draw its conclusions from an evaluation."""
        run, tuning = self._run, self._run.parts.tuning
        state, history = run.book.state, run.book.history
        if state is LoopState.COOLING:
            tuning.on_plateau(history)
        if run.learning.is_replaced or state in (LoopState.DORMANT, LoopState.WATCHDOG):
            return
        window_id, held = run.progress.window_id, run.parts.steering.held
        self._announce(tuning.branch(run.learner, history, run.branches))
        self._announce(tuning.tune(run.learner, history, window_id, held=held))

    def learn(self, window: EpisodeData) -> bool:
        """Let the learner learn from a window; returns whether it has, and the lesson stands."""
        run, learner = self._run, self._run.learner
        if run.learning.is_replaced or run.book.state is LoopState.WATCHDOG:
            return False
        # What the last lesson showed takes effect now, not before the evaluation of its policy.
        steering = run.parts.steering
        self._announce(steering.before_learn(learner, window))
        if steering.oversee(learner, window, lambda: run.learning.learn(window)):
            return True
        taken_back = numeric_diagnostics(run.learning.diagnostics)
        run.learning.unlearn()
        run.recorder.event("lesson_taken_back", diagnostics=taken_back)
        return False

    def _announce(self, change: tuple[dict[str, Any], dict[str, Any]] | None) -> None:
        if change is not None:
            self._run.parts.callbacks.notify("on_hyperparam_update", *change)
