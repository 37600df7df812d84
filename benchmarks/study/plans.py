"""Which runs make up the study, a part of it, or a quick look."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from benchmarks.study.records import RunKey
from benchmarks.study.tasks import TASKS

REPORTED_SEED = 1_000
"""Reported seeds start here; 0 to 99 are for development."""

HEADLINE = ("fixed", "default", "random-search", "optuna", "0.6.1-backoff")
STARTS = ("good", "rate-low", "rate-high", "random")
LONGER = ("default-thrice", "default-unstopped")
"""Runs of three times the budget, which tell about stopping alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A grid of runs."""

    conditions: Sequence[str]
    starts: Sequence[str]
    n_seeds: int
    tasks: Sequence[str] = tuple(TASKS)

    def keys(self, first_seed: int) -> Iterator[RunKey]:
        """Yield the runs, seed by seed, so that an interrupted study is balanced."""
        seeds = range(first_seed, first_seed + self.n_seeds)
        for seed, start, task, condition in product(
            seeds, self.starts, self.tasks, self.conditions
        ):
            yield RunKey(condition=condition, task=task, start=start, seed=seed)


QUICK = Plan(conditions=HEADLINE, starts=("rate-high", "random"), n_seeds=1)
HEADLINE_PLAN = Plan(conditions=HEADLINE, starts=STARTS, n_seeds=10)

PLANS: Mapping[str, Sequence[Plan]] = {
    "quick": (QUICK,),
    "headline": (HEADLINE_PLAN,),
    "whole": (
        HEADLINE_PLAN,
        Plan(
            conditions=(
                "documented-backoff",
                "documented-pbt",
                "evidence-backoff",
                "population",
                "evolution",
                "no-controller",
                "no-confirmation",
                "selection-only",
            ),
            starts=STARTS,
            n_seeds=5,
        ),
        Plan(
            conditions=(
                "0.6.1-backoff-unbounded",
                "0.6.1-pbt",
                "1.17.9-backoff",
                "1.17.9-backoff-unbounded",
                "1.17.9-pbt",
            ),
            starts=STARTS,
            n_seeds=5,
        ),
        Plan(conditions=("fixed", "default"), starts=("rate-10", "gamma"), n_seeds=5),
        Plan(conditions=("fixed", "default"), starts=STARTS, n_seeds=20),
        Plan(
            conditions=("random-search", "optuna", "population", "evolution"),
            starts=("random",),
            n_seeds=20,
        ),
        Plan(conditions=LONGER, starts=("good", "random"), n_seeds=10),
    ),
}
"""The parts by name; the whole contains the headline."""
