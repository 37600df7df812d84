"""Whether a challenger replaces the learner, is given up, or trains on: pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from optix_core.eval_metrics import EvalMetrics
from optix_core.optimizers.branch_gate import is_proven_better, order_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a policy was worth after so much training."""

    age: int
    """Windows that it had trained."""
    metrics: EvalMetrics
    """Its score then, with its evidence."""


class Outcome(StrEnum):
    """What comes of a comparison."""

    WINS = "wins"
    LOSES = "loses"
    GOES_ON = "goes on"


GRACE = 3
"""Generations after which a challenger has to be ahead: until then scores say little."""


def judge(challenger: Sequence[Mark], learner: Sequence[Mark]) -> Outcome:
    """Compare a challenger with what the learner is, and with what it was at the same age.

    It wins where it is better than the learner is now. It loses where it is worse than the learner
    was when it was as old (or first older); and, in its third generation or as old as the learner
    is now, where its score is not the higher one of these two. `is_better` says what better is.

    Args:
        challenger: its marks, oldest first, at least one.
        learner: the learner's, oldest first, at least one.
    """
    latest, now = challenger[-1], learner[-1]
    then = next((mark for mark in learner if mark.age >= latest.age), now)
    if is_better(latest.metrics, now.metrics):
        return Outcome.WINS
    if is_better(then.metrics, latest.metrics):
        return Outcome.LOSES
    has_to_lead = len(challenger) >= GRACE or latest.age >= now.age
    is_ahead = order_of(latest.metrics) > order_of(then.metrics)
    return Outcome.LOSES if has_to_lead and not is_ahead else Outcome.GOES_ON


def is_better(one: EvalMetrics, other: EvalMetrics) -> bool:
    """Whether one is proven better (Welch, p < 0.1), or higher where neither has evidence."""
    if one.has_evidence or other.has_evidence:
        return is_proven_better(one, other)
    return order_of(one) > order_of(other)
