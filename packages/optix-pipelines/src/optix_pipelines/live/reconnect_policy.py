"""When to open a lost connection again, and when to give up: pure arithmetic over failures."""

import math
from dataclasses import dataclass
from typing import final

from optix_core.environment_pipeline import positive_int
from optix_core.errors import ConfigurationError


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ReconnectPolicy:
    """Exponential back-off with jitter, and a limit of failures as OTP supervisors have one.

    The n-th failure of the last `period_s` seconds is followed by a wait of
    min(first_delay_s · factor^(n − 1), max_delay_s) · (1 − jitter · u), u uniform in [0, 1).
    With n = `max_failures` there is no wait: the source is given up.

    Raises:
        ConfigurationError: if a value is out of its range.
    """

    max_failures: int = 5
    """Failures within the period that are too many, at least 1; 1 never opens again."""
    period_s: float = 60.0
    """For how long a failure counts, in seconds; above 0."""
    first_delay_s: float = 0.5
    """The wait after a first failure, in seconds; above 0."""
    factor: float = 2.0
    """By what each further failure lengthens it; at least 1."""
    max_delay_s: float = 30.0
    """The longest wait, in seconds; above 0."""
    jitter: float = 0.5
    """The share of a wait that is left to chance, so that many clients do not call at once."""

    def __post_init__(self) -> None:
        """Check every range."""
        positive_int("max_failures", self.max_failures)
        for name in ("period_s", "first_delay_s", "max_delay_s"):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ConfigurationError(
                    f"{name} must be a positive number of seconds, got {getattr(self, name)!r}"
                )
        if not 1.0 <= self.factor < math.inf:
            raise ConfigurationError(f"factor must be at least 1, got {self.factor!r}")
        if not 0.0 <= self.jitter <= 1.0:
            raise ConfigurationError(f"jitter must lie in [0, 1], got {self.jitter!r}")

    def after_failure(
        self, failures: tuple[float, ...], now: float, uniform: float
    ) -> tuple[tuple[float, ...], float | None]:
        """Take in one failure.

        Args:
            failures: times of those that still counted after the last one, oldest first.
            now: time of this one, in seconds of a clock that never runs backwards.
            uniform: drawn for it, in [0, 1).

        Returns:
            The failures that count now, this one included, and the wait in seconds; None where
            the source is to be given up.
        """
        counted = (*(time for time in failures if now - time < self.period_s), now)
        if len(counted) >= self.max_failures:
            return counted, None
        return counted, self._delay(len(counted)) * (1.0 - self.jitter * uniform)

    def _delay(self, n_failures: int) -> float:
        try:
            delay = self.first_delay_s * self.factor ** (n_failures - 1)
        except OverflowError:
            return self.max_delay_s
        return min(delay, self.max_delay_s)
