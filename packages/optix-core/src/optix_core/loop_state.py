"""The states of the training loop."""

from enum import StrEnum


class LoopState(StrEnum):
    """What the loop is doing; `backoff_scheduler` says how it moves between these."""

    ACTIVE = "active"
    """Improving, or too early to tell: evaluates every `base_interval` windows."""
    COOLING = "cooling"
    """On a plateau: the gap between evaluations grows geometrically."""
    DORMANT = "dormant"
    """Converged: the run ends, unless a callback continues it."""
    WATCHDOG = "watchdog"
    """Converged and still acting: watches for degradation, neither learns nor tunes."""
