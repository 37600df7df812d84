"""A clock that stands still until it is told otherwise."""

from typing import final

from optix_core.errors import ConfigurationError


@final
class FakeClock:
    """Stands in for `time.time`: call it to read it.

    Args of the constructor:
        now: what it shows first, in seconds.
        tick_s: by how much each reading moves it.

    Raises:
        ConfigurationError: if tick_s is negative.
    """

    def __init__(self, now: float = 0.0, tick_s: float = 0.0) -> None:
        if tick_s < 0.0:
            raise ConfigurationError(f"tick_s cannot be negative, got {tick_s}")
        self.now = now
        self._tick_s = tick_s

    def __call__(self) -> float:
        """Return the time shown, then move on by one tick."""
        shown = self.now
        self.now += self._tick_s
        return shown

    def advance(self, seconds: float) -> None:
        """Move on.

        Raises:
            ConfigurationError: if time would run backwards.
        """
        if seconds < 0.0:
            raise ConfigurationError(
                f"a clock cannot run backwards, got {seconds} s; give 0 or more"
            )
        self.now += seconds
