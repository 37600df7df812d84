"""How much a run has to show before it counts as being at its plateau: two rules, one slow."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from optix_core.plateau_fit import PlateauFit

MIN_EVALUATIONS = 4
"""Evaluations that the line goes through at least."""
MIN_LATER = 6
"""The same in a round that is not the first: a variant begins at the height of its parent, flat
before it has learned anything."""
N_SMOOTHED = 5
"""Evaluations in a running mean, and in the level of the beginning."""
IN_A_ROW = 3
"""Evaluations in a row at which a rule has to hold."""
LEVEL = 0.9
"""Of one-sided bounds of what the scores may be gaining or losing."""
BAND = 0.05
"""Share of the range within which scores count as level."""
LITTLE = 0.07
"""Share of the range that is not worth waiting for."""
RISE_IN_NOISE = 5.0
"""By how many times its noise the score must have risen. With less of a rise, standstills on the
way pass for the end: at 3 half as many stops again are wrong."""
MAX_SCATTER = 1.5
"""Deviation round the line in known errors of a score: what these explain."""
HELD_SHARE = 0.15
"""Share of the round's windows for which what is explained by known errors has to hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What a run has shown so far, in units of its score."""

    fit: PlateauFit
    """The line through its last scores."""
    known_error: float
    """Standard error of one of these scores, as evaluators know it; the median."""
    low: float
    """Its first score, or the lowest running mean since: what it has risen from."""
    high: float
    """The highest running mean."""
    beginning: float
    """Level of its first evaluations, or the first score where that is lower."""

    @property
    def score_range(self) -> float:
        """By how much the score has moved in all."""
        return self.high - self.low

    @property
    def rise(self) -> float:
        """Level of the line less that of the beginning."""
        return self.fit.level - self.beginning

    @property
    def noise(self) -> float:
        """Of one score: its deviation round the line, or its known error where that is larger."""
        return max(self.fit.residual_sd, self.known_error)

    @property
    def gain_bound(self) -> float:
        """Upper bound of what the scores gained along the line; infinite without evidence."""
        return self.fit.gain_bound(LEVEL)

    @property
    def is_level(self) -> bool:
        """Whether the run has risen, stands at its best, and the line is level.

        A line that falls by more than 5 % of the range, and by more than its error explains, goes
        into a dip that learning recovers from: it is no end either.
        """
        band = BAND * self.score_range
        gain = self.fit.slope * self.fit.span
        deepest = max(band, self.gain_bound - gain)
        slack = self.noise * 2.0 / math.sqrt(N_SMOOTHED)
        return (
            -deepest < gain < band
            and self.fit.level > self.high - band - slack
            and self.rise > RISE_IN_NOISE * self.noise
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateauRule:
    """What has to hold at an evaluation beside `Course.is_level`, and for how long."""

    holds: Callable[[Course], bool]
    """Whether it holds."""
    held_share: float = 0.0
    """Share of the round's windows for which it has to."""
    is_for_later_rounds: bool = True
    """Whether it applies to any round but the first."""

    def is_met(self, course: Course) -> bool:
        """Whether the rule is met at this evaluation."""
        return course.is_level and self.holds(course)


def _gains_little(course: Course) -> bool:
    return course.gain_bound < LITTLE * course.score_range


def _is_explained(course: Course) -> bool:
    has_evidence = math.isfinite(course.gain_bound)
    return has_evidence and course.fit.residual_sd <= MAX_SCATTER * course.known_error


THOROUGH = PlateauRule(holds=_gains_little)
"""For any scores, however they fluctuate."""
QUICK = PlateauRule(holds=_is_explained, held_share=HELD_SHARE, is_for_later_rounds=False)
"""For scores that fluctuate no more than their known errors explain. Where they fluctuate more, it
is the policy that does, as on LunarLander, and what looks flat for a while often rises again: there
a rule as quick as this one stopped at less than half of what the runs went on to reach."""
RULES = (THOROUGH, QUICK)
