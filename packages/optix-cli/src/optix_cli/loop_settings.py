"""The loop settings of `optix train`: one set for every environment; an agent may prefer others."""

from dataclasses import dataclass, fields
from typing import Any

from optix_core.errors import ConfigurationError
from optix_core.finite_guard import check_policy
from optix_core.scheduler_settings import SchedulerSettings

# One validation episode has no standard error, so no decision could rest on it.
_LEAST = {
    "n_envs": 1,
    "window_size": 1,
    "validation_episodes": 2,
    "test_episodes": 1,
    "max_snapshots": 1,
    "improvement_margin": 0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """How `optix train` collects, validates and stops; nothing depends on the environment's id.

    A run that has risen stops when the plateau test proves that it rises no more: a CartPole-v1
    that is solved after 10,000 steps stops at about 20,000. The test needs evaluations close
    together, hence `plateau_threshold` 10 and intervals of at most 4 windows.

    Patience is for runs that have not risen. They stop after `dormant_threshold` evaluations in a
    row that are no better than the best, and these are spread out: with the defaults they span
    about 105 windows, 215,000 steps of training. Tasks that are flat at first (Acrobot-v1 earns
    -500 for its first 20,000 steps and more) or noisy are not given up before that.

    Raises:
        ConfigurationError: if a value is out of its range or two contradict.
    """

    n_envs: int = 8
    """Environments stepped together, at least 1."""
    window_size: int = 256
    """Steps of each environment in a window, at least 1; the agent learns from a window at once."""
    validation_episodes: int = 30
    """Greedy episodes behind a score, on the same seeds each time. Thirty, since the first policy
    that is perfect on them stays the best: one that fails each tenth episode passes 30 in 4 % of
    the cases, 20 in 12 %."""
    base_interval: int = 1
    """Windows between evaluations while the score improves."""
    backoff_factor: float = 1.5
    """Growth of that interval at each evaluation without improvement on a plateau."""
    max_interval_episodes: int = 4
    """Longest interval in windows: progress that comes late is still noticed soon."""
    plateau_threshold: int = 10
    """Evaluations in a row without improvement that make a plateau."""
    dormant_threshold: int = 35
    """Evaluations in a row without improvement that mean convergence."""
    plateau_test: bool = True
    """Whether a proven plateau ends a run before that."""
    improvement_margin: float = 0.0
    """By how much a score must exceed the best; 0, for no margin suits every scale of reward."""
    degradation_threshold: float = 0.95
    """Share of the best below which a score counts as degraded."""
    degradation_patience: int = 1
    """Degraded evaluations in a row that make a degradation."""
    rollback_on_degradation: bool = False
    """Whether a degradation restores the best policy; off, since learning dips and recovers."""
    autotune: bool = True
    """Whether the step size follows the policy's change per window."""
    confirm: bool = True
    """Whether a policy becomes the best only with evidence, from fresh episodes; without, the
    highest validation score does, lucky or not."""
    on_nonfinite: str = "skip"
    """What becomes of a window with rewards or observations that are NaN or infinite: "skip" passes
    it over, "rollback" restores the best policy besides, "raise" ends the run."""
    max_snapshots: int = 10
    """Policies kept in the run directory."""
    test_episodes: int = 100
    """Fresh episodes that the best policy is tested on, at least 1."""

    def __post_init__(self) -> None:
        """Check the ranges; those of the scheduler are its own."""
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise ConfigurationError(
                    f"{name} must be at least {least}, got {getattr(self, name)}"
                )
        check_policy("on_nonfinite", self.on_nonfinite)
        self.scheduler()

    @property
    def steps_per_window(self) -> int:
        """Environment steps of one window."""
        return self.n_envs * self.window_size

    def scheduler(self) -> SchedulerSettings:
        """Return what concerns the scheduler."""
        return SchedulerSettings(
            base_interval=self.base_interval,
            backoff_factor=self.backoff_factor,
            max_interval_episodes=self.max_interval_episodes,
            plateau_threshold=self.plateau_threshold,
            dormant_threshold=self.dormant_threshold,
            degradation_threshold=self.degradation_threshold,
            degradation_patience=self.degradation_patience,
            rollback_on_degradation=self.rollback_on_degradation,
        )

    def windows_within(self, max_steps: int | None) -> int | None:
        """Return how many whole windows fit into a budget of steps; None for no budget.

        Raises:
            ConfigurationError: if not even one fits.
        """
        if max_steps is None:
            return None
        if max_steps < self.steps_per_window:
            raise ConfigurationError(
                f"--max-steps must be at least one window, {self.steps_per_window:,} steps "
                f"(n_envs {self.n_envs} times window_size {self.window_size}), got {max_steps:,}; "
                "raise it, or make windows smaller with --set window_size=…"
            )
        return max_steps // self.steps_per_window

    def as_dict(self) -> dict[str, Any]:
        """Return the settings by name, in the order of their definition."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
