"""What can be decided, as frozen values: by the scheduler, and by callbacks at DORMANT."""

from dataclasses import dataclass
from enum import StrEnum

from optix_core.base_agent import BaseAgent


@dataclass(frozen=True, slots=True)
class Improve:
    """The round has a new best: keep it, tell the tuner."""

    is_first: bool
    """Whether this is the baseline, the first finite evaluation of the round."""


@dataclass(frozen=True, slots=True)
class EnterCooling:
    """The plateau begins."""


@dataclass(frozen=True, slots=True)
class EnterDormant:
    """The round has converged."""


@dataclass(frozen=True, slots=True)
class Degrade:
    """The score fell far below the best."""

    restore_best: bool
    """Whether the best snapshot is to be restored."""
    is_new: bool
    """Whether this begins an excursion, so that it is announced."""


@dataclass(frozen=True, slots=True)
class Reactivate:
    """WATCHDOG saw a degradation: train again."""


Decision = Improve | EnterCooling | EnterDormant | Degrade | Reactivate
"""What `backoff_scheduler.decide` returns."""


class StopReason(StrEnum):
    """Why a run ended."""

    CONVERGED = "converged"
    NO_IMPROVEMENT = "no improvement"
    BUDGET_EXHAUSTED = "budget exhausted"
    META_STOP = "meta stop"
    MAX_WINDOWS = "max windows"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


RESUMABLE = frozenset(
    {StopReason.MAX_WINDOWS, StopReason.STOPPED, StopReason.FAILED, StopReason.INTERRUPTED}
)
"""Endings from which a run may be resumed; `MAX_WINDOWS` with a higher limit."""


@dataclass(frozen=True, slots=True)
class NextRound:
    """Go on with this agent as the learner of a new round."""

    agent: BaseAgent


@dataclass(frozen=True, slots=True)
class Stop:
    """End the run."""

    reason: StopReason = StopReason.STOPPED
    detail: str = ""


CallbackDecision = NextRound | Stop
"""What `on_dormant` may return."""


def ending_of(error: BaseException) -> Stop:
    """Return how an error ends a run: `FAILED`, or `INTERRUPTED` where somebody asked for it."""
    line = f"{type(error).__name__}: {error}".splitlines()[0]
    is_failure = isinstance(error, Exception)
    return Stop(StopReason.FAILED if is_failure else StopReason.INTERRUPTED, line)
