"""Decides whether the step size of a run is steered, and lets the controller do it."""

import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

from optix_core.base_agent import BaseAgent
from optix_core.episode_data import EpisodeData
from optix_core.errors import CheckpointCorruptError
from optix_core.eval_metrics import EvalMetrics
from optix_core.kept_weights import kept_weights
from optix_core.step_size_controller import StepSizeController

Change = tuple[dict[str, Any], dict[str, Any]]


@final
class SteeringSeat:
    """Holds the controller of the step size, where there is one.

    It steers where the user asked for it by naming the step size. Otherwise the first evaluation
    decides: where scores carry evidence, nobody else tunes, and the agent declares a step size.
    A tuner of the user's moves the step size as it likes: two hands on one wheel would each see
    the other's moves as their own.
    """

    def __init__(
        self,
        controller: StepSizeController | None,
        lesson_path: Path | None = None,
        *,
        is_asked: bool = False,
    ) -> None:
        """Seat a controller; None leaves every step size as it is.

        Args:
            controller: steers.
            lesson_path: where weights are kept while a lesson may have to be taken back; None for
                a temporary folder of the system's.
            is_asked: whether the user named the step size.
        """
        self._controller = controller
        self._lesson_path = lesson_path
        self._is_asked = is_asked
        self._is_settled = False
        self._held: str | None = None

    @property
    def name(self) -> str:
        """Class name of the controller; empty where nothing is steered."""
        return "" if self._held is None else StepSizeController.__name__

    @property
    def held(self) -> str | None:
        """The hyperparameter that is steered, and that no tuner may move; None for none."""
        return self._held

    def settle(self, agent: BaseAgent, first: EvalMetrics, *, is_tuned: bool) -> None:
        """Decide by the first evaluation; later calls change nothing.

        Raises:
            ConfigurationError: if it is not clear which hyperparameter is the step size.
        """
        if self._is_settled:
            return
        self._is_settled = True
        is_wanted = self._is_asked or (first.has_evidence and not is_tuned)
        if self._controller is None or not is_wanted:
            return
        step_size = self._controller.step_size(agent)
        self._held = None if step_size is None else step_size.name

    def before_learn(self, agent: BaseAgent, window: EpisodeData) -> Change | None:
        """Put a new step size into force; returns hyperparameters before and after a change."""
        if self._controller is None or self._held is None:
            return None
        return self._controller.before_learn(agent, window)

    def oversee(
        self, agent: BaseAgent, window: EpisodeData, learn: Callable[[], Mapping[str, Any]]
    ) -> bool:
        """Let the agent learn and the controller conclude from it.

        Args:
            agent: who learns.
            window: what from.
            learn: makes it; returns its diagnostics.

        Returns:
            Whether the lesson stands; where it does not the weights are those of before.
        """
        controller = self._controller
        if controller is None or self._held is None:
            learn()
            return True
        if not controller.is_watchful:
            return controller.after_learn(window, learn())
        with self._lesson_folder() as folder, kept_weights(agent, folder) as put_back:
            return controller.after_learn(window, learn()) or not put_back()

    @contextmanager
    def _lesson_folder(self) -> Generator[Path]:
        if self._lesson_path is not None:
            yield self._lesson_path
            return
        with tempfile.TemporaryDirectory(prefix="optix-") as folder:
            yield Path(folder) / "lesson"

    def on_restart(self) -> None:
        """Tell the controller that the policy was replaced."""
        if self._controller is not None:
            self._controller.on_restart()

    def state_dict(self) -> dict[str, Any]:
        """Return what was decided, and the controller's state."""
        controller = self._controller
        return {
            "is_settled": self._is_settled,
            "held": self._held,
            "controller": None if controller is None else controller.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned.

        Raises:
            CheckpointCorruptError: if it is something else, or of a run that was steered while
                this one has no controller.
        """
        try:
            self._is_settled, self._held = bool(state["is_settled"]), state["held"]
            controller = state["controller"]
        except (KeyError, TypeError) as error:
            raise CheckpointCorruptError(f"not a state of a SteeringSeat: {error}") from error
        if self._controller is not None and controller is not None:
            self._controller.load_state_dict(controller)
        elif self._held is not None:
            raise CheckpointCorruptError(
                f"the run steered {self._held}, but this one has no controller; give autotune=True"
            )
