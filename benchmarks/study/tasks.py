"""The tasks of the study: environments, budgets, and the scale on which scores are compared."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

GOOD_RATE = 1e-3
"""A good step size of the study's agent on all tasks: its default, the best or next to the best of
3e-4, 1e-3, 3e-3 and 1e-2 on development seeds."""

WINDOW_STEPS = 1_024
"""Environment steps of one window, the same for every condition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One environment with a budget."""

    env_id: str
    """Gymnasium id."""
    n_windows: int
    """Budget of a run in windows of `WINDOW_STEPS` steps; everything a condition plays counts."""
    worst: float
    """Return that is normalised to 0."""
    best: float
    """Return that is normalised to 1."""
    far_factor: float
    """How many times the good step size the start `rate-high` has: where learning breaks."""

    def normalised(self, value: float) -> float:
        """Map a return so that `worst` is 0 and `best` is 1; not clipped above, clipped at 0."""
        return max(0.0, (value - self.worst) / (self.best - self.worst))

    def times(self, factor: int) -> "Task":
        """Return the task with a budget so many times as large."""
        return replace(self, n_windows=self.n_windows * factor)

    @property
    def n_steps(self) -> int:
        """Budget in environment steps."""
        return self.n_windows * WINDOW_STEPS


TASKS: Mapping[str, Task] = {
    "cartpole": Task(
        env_id="CartPole-v1",
        n_windows=60,
        worst=20.0,
        best=500.0,
        far_factor=100.0,
    ),
    "acrobot": Task(
        env_id="Acrobot-v1",
        n_windows=80,
        worst=-500.0,
        best=-80.0,
        far_factor=30.0,
    ),
    "pendulum": Task(
        env_id="Pendulum-v1",
        n_windows=120,
        worst=-1_250.0,
        best=-160.0,
        far_factor=30.0,
    ),
}
