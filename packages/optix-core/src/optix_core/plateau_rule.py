"""How much a run has to show before it counts as being at its plateau: two rules, one slow."""

import math
from dataclasses import dataclass

from optix_core.plateau_fit import PlateauFit

N_SMOOTHED = 5
"""Evaluations in a running mean, and in the level of the beginning."""
RISE_IN_NOISE = 3.0
"""By how many times its noise the score must have risen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What a run has shown so far, in units of its score."""

    fit: PlateauFit
    """The line through its last scores."""
    known_error: float
    """Standard error of one of these scores, as evaluators know it; the median."""
    low: float
    """Where it began, or the lowest it has been since: what it has risen from."""
    high: float
    """The highest running mean."""
    beginning: float
    """Level of its first evaluations."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateauRule:
    """What has to hold at an evaluation, and for how long."""

    min_evaluations: int
    """Evaluations that the line goes through at least."""
    level: float
    """Of the one-sided bound of what the scores may be gaining."""
    tolerance: float
    """Share of the range that this bound stays below."""
    near: float
    """Share of the range that the level may lie below the highest running mean, beside noise."""
    in_a_row: int
    """Evaluations in a row at which it has to hold."""
    is_quick: bool = False
    """Whether what follows is asked for besides, and the first score counts as the beginning."""
    steepest: float = math.inf
    """Share of the range that the line itself gains at most."""
    max_scatter: float = math.inf
    """Deviation round the line, in known errors of a score: what these explain."""
    fine: float = math.inf
    """Share of the range below which a deviation needs no explanation."""
    held_share: float = 0.0
    """Share of the round's windows for which it has to hold."""

    def is_met(self, course: Course) -> bool:
        """Whether it holds at this evaluation."""
        fit, score_range = course.fit, course.score_range
        slack = course.noise * 2.0 / math.sqrt(N_SMOOTHED)
        return (
            fit.gain_bound(self.level) < self.tolerance * score_range
            and fit.level > course.high - self.near * score_range - slack
            and course.rise > RISE_IN_NOISE * course.noise
            and (not self.is_quick or self._is_calm(course))
        )

    def _is_calm(self, course: Course) -> bool:
        fit, score_range = course.fit, course.score_range
        explained = max(self.max_scatter * course.known_error, self.fine * score_range)
        return fit.slope * fit.span < self.steepest * score_range and fit.residual_sd <= explained


THOROUGH = PlateauRule(min_evaluations=6, level=0.9, tolerance=0.07, near=0.05, in_a_row=3)
"""For any scores, however they fluctuate."""
QUICK = PlateauRule(
    min_evaluations=4,
    level=0.8,
    tolerance=0.15,
    near=0.03,
    in_a_row=3,
    is_quick=True,
    steepest=0.05,
    max_scatter=1.5,
    fine=0.01,
    held_share=0.15,
)
"""For scores that fluctuate no more than their known errors explain. Where they fluctuate more, it
is the policy that does, as on LunarLander, and what looks flat for a while often rises again: there
a rule as quick as this one stopped at less than half of what the runs went on to reach."""
RULES = (THOROUGH, QUICK)
