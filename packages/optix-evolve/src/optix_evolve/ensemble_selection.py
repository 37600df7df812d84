"""Which members of an ensemble act: chosen by paired episodes, returns in and a choice out."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, final

from optix_core.mean_comparison import LEVEL, MIN_EPISODES, paired_p
from optix_evolve.score_weights import mean_score

SELECTION_EPISODES = 30
"""Episodes that each policy plays. Fewer prove less of what can be gained: the study of evolution
tells what 10, 30 and 100 come to."""
MAX_CANDIDATES = 5
"""Members, the best by their episodes alone, that may act together. All subsets of five are few;
every further one would double them."""
MAX_ADDED = 2
"""Members that join at once at most. Two voters cannot outvote each other, so that a third whom
either of them alone would not improve may make all three better than one."""

Members = tuple[int, ...]
"""Positions of members that act together, ascending."""
Play = Callable[[Members], Sequence[float]]
"""Lets members act together with equal weights; returns what each episode earned. The same
episodes in the same order whoever plays; () where nobody can play any."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What members earned together."""

    members: Members
    """Who acted."""
    returns: tuple[float, ...]
    """Return of each episode."""
    p: float | None = None
    """One-sided p-value that they are no better than who was chosen before; None for one alone."""

    @property
    def mean(self) -> float:
        """Mean return; minus infinity where a return is not finite."""
        are_finite = all(map(math.isfinite, self.returns))
        return mean_score(self.returns) if are_finite else -math.inf

    def to_event(self) -> dict[str, Any]:
        """Return it as fields of the journal."""
        mean = self.mean
        return {
            "members": list(self.members),
            "mean": mean if math.isfinite(mean) else None,
            "p": self.p,
        }


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Who acts, and what that rests on."""

    chosen: Trial
    """Who acts, each with the same weight."""
    trials: Sequence[Trial]
    """Every member alone, then everybody who was held against the chosen, in that order."""
    n_episodes: int
    """Episodes played in all."""

    @property
    def members(self) -> Members:
        """Positions of the members that act."""
        return self.chosen.members

    def to_event(self) -> dict[str, Any]:
        """Return it as fields of the journal."""
        return {
            "members": list(self.members),
            "mean": self.chosen.to_event()["mean"],
            "episodes": self.n_episodes,
            "trials": [trial.to_event() for trial in self.trials],
        }


def select_members(n_members: int, play: Play) -> Selection | None:
    """Choose greedily who acts together, from the best member on.

    1. Each member plays alone. The one of the highest mean return is chosen, the oldest of several.
    2. One or two of the five best join who was chosen, each way that is possible. Of those that
       beat the chosen on the same episodes (paired one-sided t test, p < 0.05) the one of the
       highest mean is chosen, of equal means the smaller. Again, until none does.

    So the best member acts alone unless others are proven to improve on it. Where the chosen earn
    the same in every episode, as at a ceiling, there is nothing to prove and nobody is tried.
    Nobody plays twice: of K members at most K + 15 sets play, 20 of five.

    Args:
        n_members: how many there are.
        play: plays the same episodes with any of them, at least two.

    Returns:
        None for no members, or where fewer than two episodes are played.

    References:
        R. Caruana, A. Niculescu-Mizil, G. Crew, A. Ksikes, Ensemble selection from libraries of
        models, ICML 2004: forward selection. The test, and pairs, are ours.
    """
    earned: dict[Members, tuple[float, ...]] = {}

    def returns_of(members: Members) -> tuple[float, ...]:
        if members not in earned:
            earned[members] = tuple(play(members))
        return earned[members]

    trials: list[Trial] = []
    for position in range(n_members):
        trials.append(Trial(members=(position,), returns=returns_of((position,))))
        if len(trials[-1].returns) < MIN_EPISODES:
            return None
    if not trials:
        return None
    ranked = sorted(trials, key=lambda trial: -trial.mean)[:MAX_CANDIDATES]
    pool = [trial.members[0] for trial in ranked]
    chosen, better = ranked[0], ranked[0]
    while better is not None:
        chosen = better
        tried = [_against(chosen, each, returns_of(each)) for each in _larger(chosen, pool)]
        trials.extend(tried)
        better = _best_proven(tried)
    n_episodes = sum(map(len, earned.values()))
    return Selection(chosen=chosen, trials=tuple(trials), n_episodes=n_episodes)


def _larger(chosen: Trial, pool: Sequence[int]) -> Iterator[Members]:
    """Who might act instead of the chosen: they and one or two more, the best of the pool first."""
    if len(set(chosen.returns)) == 1:
        return
    others = [position for position in pool if position not in chosen.members]
    for n_added in range(1, MAX_ADDED + 1):
        for added in combinations(others, n_added):
            yield tuple(sorted((*chosen.members, *added)))


def _against(chosen: Trial, members: Members, returns: tuple[float, ...]) -> Trial:
    return Trial(members=members, returns=returns, p=paired_p(returns, chosen.returns))


def _best_proven(tried: Sequence[Trial]) -> Trial | None:
    proven = [trial for trial in tried if trial.p is not None and trial.p < LEVEL]
    return max(proven, key=lambda trial: trial.mean, default=None)
