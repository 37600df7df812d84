"""Who of a population goes on, who copies whom, and who learns in the run itself: pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from optix_core.errors import ConfigurationError
from optix_core.eval_metrics import EvalMetrics
from optix_core.optimizers.branch_gate import is_proven_better, order_of

TWICE = 2
"""Generations in a row at the end that count as evidence: chance alone needs two coincidences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A member of the population as it is compared."""

    age: int
    """Windows that it has trained."""
    metrics: EvalMetrics
    """Its score on the episodes that all are examined on."""
    times_last: int = 0
    """Generations in a row, before this one, at the end of which it was last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a comparison comes to; members by index."""

    best: int
    """The donor: the highest score."""
    leader: int
    """Who learns in the run from here on."""
    mutant: int | None
    """Copies the best and mutates its hyperparameters; None where nobody lost."""
    newcomer: int | None
    """Copies the best's weights and draws hyperparameters afresh; None where nobody lost."""
    times_last: tuple[int, ...]
    """By member, this generation included; 0 for whoever copies."""


def select(contestants: Sequence[Contestant], leader: int) -> Selection:
    """Compare a population.

    A member loses where the best is proven better (Welch, p < 0.1), or where it is last for the
    second generation in a row. The last one that loses copies the best and mutates; the last but
    one, where it loses too, copies the weights and draws anew. A leader that loses hands over to
    the best first, and may copy it then as any other. Equal scores prove nothing, name nobody
    last, and leave the leader where it is among the highest.

    Args:
        contestants: at least two, all of one age.
        leader: index of the member that learns in the run.

    Raises:
        ConfigurationError: if their ages differ: a younger one has had less time to get anywhere.
    """
    ages = [contestant.age for contestant in contestants]
    if len(set(ages)) > 1:
        raise ConfigurationError(f"members are compared at equal age, got {ages}")
    orders = [order_of(contestant.metrics) for contestant in contestants]
    # Of equals the leader, so that nothing changes hands for nothing; then the first.
    ranked = sorted(range(len(orders)), key=lambda i: (-orders[i], i != leader, i))
    best, last = ranked[0], ranked[-1]
    times_last = [0] * len(orders)
    if orders[last] < orders[best]:
        times_last[last] = contestants[last].times_last + 1

    def loses(index: int) -> bool:
        is_beaten = is_proven_better(contestants[best].metrics, contestants[index].metrics)
        return index != best and (is_beaten or times_last[index] >= TWICE)

    heir = best if loses(leader) else leader
    copying = [index for index in ranked[-2:] if loses(index)]
    mutant = last if last in copying else None
    newcomer = next((index for index in copying if index != last), None)
    for index in copying:
        times_last[index] = 0
    return Selection(
        best=best,
        leader=heir,
        mutant=mutant,
        newcomer=newcomer,
        times_last=tuple(times_last),
    )
