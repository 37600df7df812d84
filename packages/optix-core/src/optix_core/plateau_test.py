"""Whether a run has shown that it no longer improves: a test of equivalence, not of absence."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import mean, median
from typing import Any, final

from optix_core.errors import CheckpointCorruptError
from optix_core.eval_metrics import EvalMetrics
from optix_core.plateau_fit import PlateauFit, fit_plateau

CAPACITY = 1024
"""Evaluations of a round that are kept; beyond, the older half goes."""
MIN_EVALUATIONS = 6
"""Evaluations that a line goes through at least."""
SHARE = 0.4
"""Share of the round's windows that it goes through, the last ones."""
TOLERANCE = 0.07
"""Share of the score's range that may be left to gain."""
NEAR = 0.05
"""Share of the score's range that the level may lie below the highest running mean."""
IN_A_ROW = 3
"""Evaluations in a row at which it has to hold."""
N_SMOOTHED = 5
"""Evaluations in a running mean, and in the level of the beginning."""
RISE_IN_NOISE = 3.0
"""By how many times its noise the score must have risen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateauProof:
    """Why a run counts as being at its plateau."""

    fit: PlateauFit
    """The line through its last scores."""
    score_range: float
    """Of the run's smoothed scores."""
    rise: float
    """Level of the line less the level of the run's first evaluations."""

    def __str__(self) -> str:
        """Return the sentence for a report."""
        fit = self.fit
        return (
            f"the plateau test: over the last {fit.n} evaluations ({fit.span:.0f} windows) the "
            f"score gained at most {max(0.0, fit.gain_bound):.3g} (90 % bound), of a range of "
            f"{self.score_range:.4g}, after a rise of {self.rise:.4g}"
        )


@final
class PlateauTest:
    """Follows the evaluations of a run and says when they prove a plateau.

    At each evaluation a line is fitted (`fit_plateau`) through the last 40 % of the round's
    windows, at least 6 evaluations. Range is that of the running mean of 5 evaluations over the
    whole run, noise the larger of the scores' deviation round the line and their known standard
    error. The run is at a plateau where, at 3 evaluations in a row,

    * (b + t₀.₉₀ · SE) · span < 0.07 · range: whatever it may still be gaining is little;
    * level > highest running mean - 0.05 · range - noise · 2/√5: it has not fallen from its best,
      as in a dip that learning recovers from;
    * level - first evaluations > 3 · noise: it has risen. A score that is flat from the beginning
      may rise late, so that the count alone may end such a run.

    A new round has evaluations of its own; range and beginning are the run's, so that a variant
    that starts at the height of its parent need not rise again.

    The constants are those of `benchmarks/stopping.py`, chosen on its development seeds. For a
    round of more than 1,024 evaluations the line may go through fewer than 40 % of them.
    """

    def __init__(self) -> None:
        """Begin a run."""
        self._beginning: list[float] = []
        self._low = math.inf
        self._high = -math.inf
        self.begin_round()

    def begin_round(self) -> None:
        """Begin a round: its evaluations are those that follow."""
        self._windows: list[int] = []
        self._scores: list[float] = []
        self._errors: list[float] = []
        self._first_window: int | None = None
        self._n_in_a_row = 0

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
        proof = self._prove(window_id)
        self._n_in_a_row = 0 if proof is None else self._n_in_a_row + 1
        return proof if self._n_in_a_row >= IN_A_ROW else None

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next evaluation depends on."""
        return {
            "beginning": list(self._beginning),
            "range": [self._low, self._high] if self._low <= self._high else [],
            "windows": list(self._windows),
            "scores": list(self._scores),
            "errors": list(self._errors),
            "first_window": self._first_window,
            "n_in_a_row": self._n_in_a_row,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned.

        Raises:
            CheckpointCorruptError: if something is missing or of a wrong type.
        """
        try:
            self._beginning = [float(score) for score in state["beginning"]]
            self._low, self._high = state["range"] or (math.inf, -math.inf)
            self._windows = [int(window) for window in state["windows"]]
            self._scores = [float(score) for score in state["scores"]]
            self._errors = [float(error) for error in state["errors"]]
            first = state["first_window"]
            self._first_window = None if first is None else int(first)
            self._n_in_a_row = int(state["n_in_a_row"])
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointCorruptError(f"not a state of a PlateauTest: {error}") from error

    def _add(self, window_id: int, score: float, error: float) -> None:
        if self._first_window is None:
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

    def _prove(self, window_id: int) -> PlateauProof | None:
        n = max(MIN_EVALUATIONS, self._n_recent(window_id))
        if len(self._scores) < n:
            return None
        fit = fit_plateau(self._windows[-n:], self._scores[-n:])
        if fit is None:
            return None
        score_range = self._high - self._low
        noise = max(fit.residual_sd, median(self._errors[-n:]))
        rise = fit.level - mean(self._beginning)
        is_flat = fit.gain_bound < TOLERANCE * score_range
        slack = noise * 2.0 / math.sqrt(N_SMOOTHED)
        is_at_its_height = fit.level > self._high - NEAR * score_range - slack
        if not (is_flat and is_at_its_height and rise > RISE_IN_NOISE * noise):
            return None
        return PlateauProof(fit=fit, score_range=score_range, rise=rise)

    def _n_recent(self, window_id: int) -> int:
        first = window_id if self._first_window is None else self._first_window
        cut = window_id - SHARE * (window_id - first + 1)
        return sum(window > cut for window in self._windows)
