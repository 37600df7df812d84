"""The rules of the backoff scheduler: thresholds and intervals, checked once."""

import math
import numbers
from dataclasses import dataclass

from optix_core.errors import ConfigurationError

_WHOLE = (
    "base_interval",
    "max_interval_episodes",
    "plateau_threshold",
    "dormant_threshold",
    "degradation_patience",
)
_REAL = ("backoff_factor", "degradation_threshold")
_SWITCHES = ("rollback_on_degradation", "watchdog")


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSettings:
    """When to evaluate, when to back off, when to stop.

    Raises:
        ConfigurationError: if a value is of a wrong type, out of its range, or two contradict.
    """

    base_interval: int = 1
    """Windows between evaluations while ACTIVE, at least 1."""
    backoff_factor: float = 2.0
    """What the interval is multiplied by in COOLING, at least 1."""
    max_interval_episodes: int = 100
    """The longest interval in windows, at least `base_interval`."""
    plateau_threshold: int = 5
    """Evaluations in a row without improvement that make a plateau, at least 1."""
    dormant_threshold: int = 20
    """Evaluations in a row without improvement that mean convergence, at least the former."""
    degradation_threshold: float = 0.95
    """Share of the best below which a score is degraded, in [0, 1]."""
    degradation_patience: int = 1
    """Degraded evaluations in a row before anything is done, at least 1."""
    rollback_on_degradation: bool = False
    """Whether a degradation restores the best snapshot."""
    watchdog: bool = False
    """Whether to watch for degradation after convergence instead of ending."""

    def __post_init__(self) -> None:
        """Check every range; NumPy numbers are taken as Python's."""
        for name in _WHOLE:
            object.__setattr__(self, name, _whole(name, getattr(self, name)))
        for name in _REAL:
            object.__setattr__(self, name, _real(name, getattr(self, name)))
        for name in _SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(
                    f"{name} must be True or False, got {getattr(self, name)!r}"
                )
        if self.backoff_factor < 1.0:
            raise ConfigurationError(
                f"backoff_factor must be at least 1, got {self.backoff_factor}; "
                "below 1 the interval would shrink on a plateau"
            )
        if not 0.0 <= self.degradation_threshold <= 1.0:
            raise ConfigurationError(
                f"degradation_threshold must lie in [0, 1], got {self.degradation_threshold}"
            )
        self._check_order()

    def _check_order(self) -> None:
        if self.max_interval_episodes < self.base_interval:
            raise ConfigurationError(
                f"max_interval_episodes must be at least base_interval, got "
                f"{self.max_interval_episodes} < {self.base_interval}; raise it"
            )
        if self.dormant_threshold < self.plateau_threshold:
            raise ConfigurationError(
                f"dormant_threshold must be at least plateau_threshold, got "
                f"{self.dormant_threshold} < {self.plateau_threshold}; raise it"
            )


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or int(value) < 1:
        raise ConfigurationError(f"{name} must be a whole number of at least 1, got {value!r}")
    return int(value)


def _real(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise ConfigurationError(f"{name} must be a finite number, got {value!r}")
    return float(value)
