"""When to evaluate and when a run has converged: a pure state machine over evaluations."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, final

from optix_core.component_state import read_state
from optix_core.decisions import (
    Decision,
    Degrade,
    EnterCooling,
    EnterDormant,
    Improve,
    Reactivate,
)
from optix_core.errors import CheckpointCorruptError, LoopError
from optix_core.loop_state import LoopState
from optix_core.scheduler_settings import SchedulerSettings

__all__ = [
    "BackoffScheduler",
    "Evaluation",
    "SchedulerSettings",
    "SchedulerState",
    "decide",
    "enter_dormant",
    "enter_watchdog",
    "is_degraded",
    "is_due",
    "put_off",
    "start_round",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerState:
    """Where a round stands.

    Raises:
        ValueError: if a count, the interval or the best score is impossible.
    """

    state: LoopState = LoopState.ACTIVE
    """What the loop is doing."""
    interval: float
    """Windows between evaluations, before rounding."""
    next_window: int
    """The window at which the next evaluation is due."""
    n_without_improvement: int = 0
    """Evaluations in a row without improvement, the same count for both thresholds."""
    best_score: float | None = None
    """The best score of the round, None before its first finite evaluation."""
    n_degraded: int = 0
    """Degraded evaluations in a row, counted anew after a rollback."""
    in_excursion: bool = False
    """Whether the degradation that lasts has been announced."""

    def __post_init__(self) -> None:
        """Refuse what no sequence of evaluations leads to."""
        counts = (self.next_window, self.n_without_improvement, self.n_degraded)
        if min(counts) < 0 or not 1 <= self.interval < math.inf:
            raise ValueError(f"counts must be at least 0 and the interval at least 1, got {self}")
        if self.best_score is not None and not math.isfinite(self.best_score):
            raise ValueError(f"best_score must be finite or None, got {self.best_score}")

    @property
    def gap(self) -> int:
        """Windows between two evaluations: the interval rounded half up, at least 1."""
        return max(1, math.floor(self.interval + 0.5))

    def to_dict(self) -> dict[str, Any]:
        """Return the state as JSON scalars by name."""
        return {**asdict(self), "state": str(self.state)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "SchedulerState":
        """Read what `to_dict` returned.

        Raises:
            CheckpointCorruptError: if a field is missing, unknown, of a wrong type or impossible.
        """
        if set(data) != {field.name for field in fields(cls)}:
            raise CheckpointCorruptError(f"not the fields of a scheduler state: {sorted(data)}")
        return read_state(cls, data, what="scheduler state")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What one evaluation says to the scheduler."""

    window_id: int
    """The window that was evaluated."""
    score: float
    """Its primary score; may be NaN or infinite."""
    is_better: bool
    """Whether it beats the round's best by more than the margin, with what evidence there is;
    ignored while there is none."""
    confirmed_score: float | None = None
    """What the policy is held to score, which becomes the best score; None for the score itself."""
    is_worse: bool = True
    """Whether a score below the degradation threshold may be called degraded: False where the
    evidence does not show that the policy is worse than the best."""
    is_plateau: bool = False
    """Whether the run has been shown, by other means than the count, to improve no more."""
    is_due: bool = True
    """Whether the schedule asked for it; False for one that somebody else wanted in between."""


def start_round(
    settings: SchedulerSettings, window_id: int, best_score: float | None = None
) -> SchedulerState:
    """Begin a round at a window, which is evaluated.

    Args:
        settings: the rules.
        window_id: the first window of the round.
        best_score: what to improve on; None makes the first finite score the baseline.
    """
    return SchedulerState(
        interval=float(settings.base_interval),
        next_window=window_id,
        best_score=best_score,
    )


def is_due(state: SchedulerState, window_id: int) -> bool:
    """Whether a window is to be evaluated; never in DORMANT."""
    return state.state is not LoopState.DORMANT and window_id >= state.next_window


def put_off(state: SchedulerState) -> SchedulerState:
    """Move the evaluation that is due one window on, for want of finished episodes."""
    return replace(state, next_window=state.next_window + 1)


def enter_dormant(state: SchedulerState) -> SchedulerState:
    """Declare convergence before the count does, on other evidence."""
    return replace(state, state=LoopState.DORMANT)


def enter_watchdog(
    settings: SchedulerSettings, state: SchedulerState, window_id: int
) -> SchedulerState:
    """Go on from DORMANT as a watchdog: evaluate every `max_interval_episodes` windows.

    Args:
        settings: the rules.
        state: of the round that converged; its best score and excursion stay.
        window_id: the window at which it converged.

    Raises:
        LoopError: if the state is not DORMANT.
    """
    if state.state is not LoopState.DORMANT:
        raise LoopError(f"WATCHDOG follows DORMANT alone, got {state.state}")
    interval = settings.max_interval_episodes
    return replace(
        state,
        state=LoopState.WATCHDOG,
        interval=float(interval),
        next_window=window_id + interval,
    )


def decide(
    settings: SchedulerSettings, state: SchedulerState, evaluation: Evaluation
) -> tuple[SchedulerState, tuple[Decision, ...]]:
    """Take in one evaluation: the new state and what is to be carried out, in order.

    The first finite score is the baseline and an improvement. A score that is NaN or infinite is
    an evaluation without improvement; it neither begins, lengthens nor ends a degradation.
    Without improvement the count grows: at `plateau_threshold` ACTIVE becomes COOLING, at
    `dormant_threshold` DORMANT, and from the evaluation that enters COOLING on
    interval ← min(interval · backoff_factor, max_interval_episodes). A proven plateau makes ACTIVE
    and COOLING DORMANT at once, also with a score that is the best by a little. An evaluation that
    is not due changes nothing beside, unless it is an improvement.

    A degradation (`is_degraded` and `is_worse`, `degradation_patience` times in a row) gives
    `Degrade` where it is new or where the best is to be restored; a rollback starts the row anew,
    since the policy that earned it is gone. An excursion ends with the first finite score that is
    not degraded.

    Args:
        settings: the rules.
        state: before the evaluation.
        evaluation: of the window that was due.

    Returns:
        The state after it, and its decisions: degradation first, then the change of state.
        DORMANT is returned also with `watchdog=True`, so that `on_dormant` can be heard;
        `enter_watchdog` goes on from there.

    Raises:
        LoopError: if the state is DORMANT.
    """
    if state.state is LoopState.DORMANT:
        raise LoopError("a DORMANT round takes no evaluation; start a round or enter WATCHDOG")
    is_learning = state.state is not LoopState.WATCHDOG
    improves = _is_improvement(state, evaluation)
    decisions: tuple[Decision, ...] = ()
    if improves:
        decisions = (Improve(is_first=state.best_score is None),)
        confirmed = evaluation.confirmed_score
        best_score = evaluation.score if confirmed is None else confirmed
        state = _improved(settings, state, best_score)
    elif evaluation.is_due:
        state = replace(state, n_without_improvement=state.n_without_improvement + 1)
        state, degrade = _follow_excursion(settings, state, evaluation)
        follow = _watch if state.state is LoopState.WATCHDOG else _back_off
        state, decisions = follow(settings, state, degrade)
    if evaluation.is_plateau and is_learning and state.state is not LoopState.DORMANT:
        decisions, state = (*decisions, EnterDormant()), enter_dormant(state)
    if improves or evaluation.is_due:
        state = replace(state, next_window=evaluation.window_id + state.gap)
    return state, decisions


def is_degraded(settings: SchedulerSettings, best_score: float, score: float) -> bool:
    """Whether score < best − |best| · (1 − degradation_threshold); never for a non-finite score.

    For a best of 100 and a threshold of 0.95 that is below 95, for −100 below −105, for 0 below 0.
    """
    limit = best_score - abs(best_score) * (1.0 - settings.degradation_threshold)
    return math.isfinite(score) and score < limit


def _is_improvement(state: SchedulerState, evaluation: Evaluation) -> bool:
    is_baseline = state.best_score is None
    return math.isfinite(evaluation.score) and (is_baseline or evaluation.is_better)


def _improved(settings: SchedulerSettings, state: SchedulerState, score: float) -> SchedulerState:
    improved = replace(
        state,
        n_without_improvement=0,
        best_score=score,
        n_degraded=0,
        in_excursion=False,
    )
    # A watchdog does not learn, so a better score is no reason to train again.
    if state.state is LoopState.WATCHDOG:
        return improved
    return replace(improved, state=LoopState.ACTIVE, interval=float(settings.base_interval))


def _follow_excursion(
    settings: SchedulerSettings, state: SchedulerState, evaluation: Evaluation
) -> tuple[SchedulerState, Degrade | None]:
    score = evaluation.score
    if state.best_score is None or not math.isfinite(score):
        return state, None
    if not (evaluation.is_worse and is_degraded(settings, state.best_score, score)):
        return replace(state, n_degraded=0, in_excursion=False), None
    n_degraded = state.n_degraded + 1
    if n_degraded < settings.degradation_patience:
        return replace(state, n_degraded=n_degraded), None
    restores = settings.rollback_on_degradation
    degrade = Degrade(restore_best=restores, is_new=not state.in_excursion)
    return replace(state, n_degraded=0 if restores else n_degraded, in_excursion=True), degrade


def _watch(
    settings: SchedulerSettings, state: SchedulerState, degrade: Degrade | None
) -> tuple[SchedulerState, tuple[Decision, ...]]:
    if degrade is None:
        return state, ()
    active = replace(
        state,
        state=LoopState.ACTIVE,
        n_without_improvement=0,
        interval=float(settings.base_interval),
    )
    return active, (degrade, Reactivate())


def _back_off(
    settings: SchedulerSettings, state: SchedulerState, degrade: Degrade | None
) -> tuple[SchedulerState, tuple[Decision, ...]]:
    decisions: list[Decision] = []
    if degrade is not None and (degrade.is_new or degrade.restore_best):
        decisions.append(degrade)
    if state.n_without_improvement < settings.plateau_threshold:
        return state, tuple(decisions)
    if state.state is LoopState.ACTIVE:
        decisions.append(EnterCooling())
    longer = min(state.interval * settings.backoff_factor, float(settings.max_interval_episodes))
    state = replace(state, state=LoopState.COOLING, interval=longer)
    if state.n_without_improvement >= settings.dormant_threshold:
        decisions.append(EnterDormant())
        state = enter_dormant(state)
    return state, tuple(decisions)


@final
class BackoffScheduler:
    """A round's settings and state in one object; it adds no rule to the functions above."""

    def __init__(self, settings: SchedulerSettings | None = None) -> None:
        """Start the first round at window 0."""
        self.settings = SchedulerSettings() if settings is None else settings
        self.state = start_round(self.settings, 0)

    def is_due(self, window_id: int) -> bool:
        """Whether a window is to be evaluated."""
        return is_due(self.state, window_id)

    def put_off(self) -> None:
        """Move the evaluation that is due one window on."""
        self.state = put_off(self.state)

    def decide(self, evaluation: Evaluation) -> tuple[Decision, ...]:
        """Take in one evaluation and return what is to be carried out."""
        self.state, decisions = decide(self.settings, self.state, evaluation)
        return decisions

    def start_round(self, window_id: int, best_score: float | None = None) -> None:
        """Begin a round at a window."""
        self.state = start_round(self.settings, window_id, best_score)

    def enter_watchdog(self, window_id: int) -> None:
        """Go on from DORMANT as a watchdog."""
        self.state = enter_watchdog(self.settings, self.state, window_id)
