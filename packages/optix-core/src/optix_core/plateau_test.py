"""Whether a run has shown that it no longer improves: a test of equivalence, not of absence."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import mean, median
from typing import Any, final

from optix_core.errors import CheckpointCorruptError
from optix_core.eval_metrics import EvalMetrics
from optix_core.plateau_fit import fit_plateau
from optix_core.plateau_rule import (
    IN_A_ROW,
    LEVEL,
    MIN_EVALUATIONS,
    MIN_LATER,
    N_SMOOTHED,
    RULES,
    Course,
    PlateauRule,
)

CAPACITY = 1024
"""Evaluations of a round that are kept; beyond, the older half goes."""
SHARE = 0.42
"""Share of the round's windows that a line goes through, the last ones."""
LONGEST_GAP = 0.05
"""Share of the round's windows that may pass without an evaluation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateauProof:
    """Why a run counts as being at its plateau."""

    rule: PlateauRule
    """By which rule."""
    course: Course
    """What the run had shown."""

    def __str__(self) -> str:
        """Return the sentence for a report."""
        fit = self.course.fit
        gain = max(0.0, self.course.gain_bound)
        return (
            f"the plateau test: over the last {fit.n} evaluations ({fit.span:.0f} windows) the "
            f"score gained at most {gain:.3g} ({100 * LEVEL:.0f} % bound), of a range of "
            f"{self.course.score_range:.4g}, after a rise of {self.course.rise:.4g}"
        )


@dataclass(slots=True)
class _Streak:
    """Evaluations in a row at which a rule was met, and the window of the first of them."""

    n: int = 0
    since: int = 0

    def follow(self, *, is_met: bool, window_id: int) -> None:
        if not is_met:
            self.n = 0
            return
        self.since = self.since if self.n else window_id
        self.n += 1


@final
class PlateauTest:
    """Follows the evaluations of a run and says when they prove a plateau.

    At each evaluation a line is fitted (`fit_plateau`) through the last 42 % of the round's
    windows, four evaluations at least. Noise is the larger of the scores' deviation round the line
    and their known standard error. Range is that of the first score and of the running mean of 5
    evaluations over the whole run; its beginning the first five evaluations or, where it is lower,
    the first. With the upper bound b · span + e = (b + t₀.₉₀ · SE) · span, the line is level where

    * b · span < 0.05 · range, and -b · span less than that or than e: it neither rises nor falls;
    * level > highest running mean - 0.05 · range - noise · 2/√5: it has not fallen from its best,
      as in a dip that learning recovers from;
    * level - beginning > 5 · noise: it has risen. A score that is flat from the beginning may rise
      late, so that the count alone may end such a run.

    The run is at a plateau where the line is level at 3 evaluations in a row and at each

    * the bound lies below 0.07 · range: whatever it may still be gaining is little; or
    * the scores deviate from the line by no more than 1.5 times their known error, which is asked
      for as long as it takes 15 % of the round's windows to pass. More evaluations of a policy
      that is at its end would show no more, and what is learned at once need not be watched for
      long.

    A new round has evaluations of its own; range and beginning are the run's, so that a variant
    that starts at the height of its parent need not rise again. Since what it may learn has hardly
    begun, only the first of the two will do there, with a line through six evaluations at least.

    The constants (`plateau_rule`) were chosen on runs of the public study that nothing stopped and
    on the simulated curves of `benchmarks/stopping.py`, on development seeds of both. For a round
    of more than 1,024 evaluations the line may go through fewer than 42 % of them.
    """

    def __init__(self) -> None:
        """Begin a run."""
        self._beginning: list[float] = []
        self._low = math.inf
        self._high = -math.inf
        self._n_rounds = 0
        self.begin_round()

    def begin_round(self) -> None:
        """Begin a round: its evaluations are those that follow."""
        self._n_rounds += 1
        self._windows: list[int] = []
        self._scores: list[float] = []
        self._errors: list[float] = []
        self._first_window = 0
        self._streaks = [_Streak() for _ in RULES]

    def is_blind(self, window_id: int, shortest: int = 1) -> bool:
        """Whether too much of the round has passed since its last evaluation.

        A schedule that backs off by doubling its intervals leaves fewer evaluations in the last
        42 % of a run than a line needs, until long after the plateau began.

        Args:
            window_id: the number of the window that might be evaluated.
            shortest: windows that have to have passed in any case.

        Returns:
            Whether 5 % of the round's windows have passed; False before there was any evidence.
        """
        if not self._windows:
            return False
        gap = window_id - self._windows[-1]
        return gap >= max(shortest, LONGEST_GAP * (window_id - self._first_window + 1))

    def observe(self, metrics: EvalMetrics, window_id: int) -> PlateauProof | None:
        """Take in an evaluation.

        Args:
            metrics: of the evaluation; without evidence, or with a score or error that is not
                finite, it is passed over.
            window_id: the number of its window, above all before it.

        Returns:
            The proof where there is one by now, None otherwise.
        """
        error = metrics.score_se
        is_known = metrics.has_evidence and metrics.is_finite
        if not is_known or error is None or not math.isfinite(error):
            return None
        self._add(window_id, metrics.primary_score, abs(error))
        course = self._course(window_id)
        proofs = [
            self._follow(course, rule, streak, window_id)
            for rule, streak in zip(RULES, self._streaks, strict=True)
        ]
        return next((proof for proof in proofs if proof is not None), None)

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next evaluation depends on."""
        return {
            "beginning": list(self._beginning),
            "range": [self._low, self._high] if self._low <= self._high else [],
            "windows": list(self._windows),
            "scores": list(self._scores),
            "errors": list(self._errors),
            "first_window": self._first_window,
            "n_rounds": self._n_rounds,
            "streaks": [[streak.n, streak.since] for streak in self._streaks],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned.

        Raises:
            CheckpointCorruptError: if something is missing or of a wrong type.
        """
        try:
            if "streaks" not in state:
                state = {**state, **_of_one_rule(state)}
            self._beginning = [float(score) for score in state["beginning"]]
            self._low, self._high = state["range"] or (math.inf, -math.inf)
            self._windows = [int(window) for window in state["windows"]]
            self._scores = [float(score) for score in state["scores"]]
            self._errors = [float(error) for error in state["errors"]]
            self._first_window = int(state["first_window"])
            self._n_rounds = int(state["n_rounds"])
            self._streaks = [
                _Streak(int(n), int(since))
                for (n, since), _ in zip(state["streaks"], RULES, strict=True)
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointCorruptError(f"not a state of a PlateauTest: {error}") from error

    def _add(self, window_id: int, score: float, error: float) -> None:
        if not self._windows:
            self._first_window = window_id
        if len(self._beginning) < N_SMOOTHED:
            self._beginning.append(score)
        self._windows.append(window_id)
        self._scores.append(score)
        self._errors.append(error)
        if len(self._scores) >= N_SMOOTHED:
            smoothed = mean(self._scores[-N_SMOOTHED:])
            self._low, self._high = min(self._low, smoothed), max(self._high, smoothed)
        if len(self._scores) > CAPACITY:
            for kept in (self._windows, self._scores, self._errors):
                del kept[: CAPACITY // 2]

    def _follow(
        self, course: Course | None, rule: PlateauRule, streak: _Streak, window_id: int
    ) -> PlateauProof | None:
        is_known = rule.is_for_later_rounds or self._n_rounds == 1
        is_met = course is not None and is_known and rule.is_met(course)
        streak.follow(is_met=is_met, window_id=window_id)
        if course is None or streak.n < IN_A_ROW:
            return None
        held, round_windows = window_id - streak.since, window_id - self._first_window
        if held < rule.held_share * round_windows:
            return None
        return PlateauProof(rule=rule, course=course)

    def _course(self, window_id: int) -> Course | None:
        least = MIN_EVALUATIONS if self._n_rounds == 1 else MIN_LATER
        n = max(least, self._n_recent(window_id))
        if len(self._scores) < n or self._low > self._high:
            return None
        fit = fit_plateau(self._windows[-n:], self._scores[-n:])
        if fit is None:
            return None
        first = self._beginning[0]
        return Course(
            fit=fit,
            known_error=median(self._errors[-n:]),
            low=min(self._low, first),
            high=self._high,
            beginning=min(mean(self._beginning), first),
        )

    def _n_recent(self, window_id: int) -> int:
        cut = window_id - SHARE * (window_id - self._first_window + 1)
        return sum(window > cut for window in self._windows)


def _of_one_rule(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a state lacks that was saved while there was the thorough rule alone.

    It goes on alone: the other one is for a run's first round.
    """
    return {
        "first_window": state["first_window"] or 0,
        "n_rounds": 2,
        "streaks": [[state["n_in_a_row"], 0], *([[0, 0]] * (len(RULES) - 1))],
    }
