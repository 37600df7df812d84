"""Decides what evolution does when a round has converged."""

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol, final, runtime_checkable

from optix_core import EvalMetrics
from optix_core.errors import ConfigurationError
from optix_evolve import short_window
from optix_evolve.adaptive_noise import relative_gap, sound_gap
from optix_evolve.evidence import correlation_upper_bound, student_95, trend_evidence
from optix_evolve.score_window import (
    ScoreWindow,
    Signals,
    check_not_negative,
    check_signals,
    check_window,
    read_window,
)


class MetaAction(StrEnum):
    """What can be done at DORMANT."""

    STOP = "stop"
    """End the run: the spawn budget is spent."""
    PRUNE = "prune"
    """Remove the weakest member: the policy overfits."""
    SPAWN = "spawn"
    """Start a round with a new variant."""
    NO_OP = "no_op"
    """Let the same learner go on."""


@runtime_checkable
class DecisionRule(Protocol):
    """Anything that decides, `MetaController` among them; a learned rule is used the same way."""

    def decide(self, history: Sequence[EvalMetrics], status: Mapping[str, Any]) -> MetaAction:
        """Choose from the run's evaluations, oldest first, and `PolicyManager.status()`."""
        ...


@final
class MetaController:
    """Decides by four rules, of which the first that holds wins.

    1. STOP: `status["budget_exhausted"]`.
    2. PRUNE: mean(train − val) / |mean(val)| > `gap_threshold`.
    3. SPAWN: Pearson(train, val) < `corr_threshold`, or slope / max(|mean|, sd) <
       `improvement_threshold`.
    4. NO_OP.

    All on the newest `window` evaluations with a finite score. Without validation, and where a
    constant leaves Pearson undefined, neither the gap nor the correlation decides. Over a
    mean(val) of zero any positive gap prunes. Fewer than two scores have no slope, hence SPAWN.

    With `signals="sound"` a rule acts on what is shown, at 95 %: the gap's lower bound (in units
    that do not vanish at zero) above its threshold; the correlation's upper bound below its own;
    and a run counts as improving only if its slope is significant as well as steep.
    """

    def __init__(
        self,
        gap_threshold: float = 0.3,
        corr_threshold: float = 0.5,
        improvement_threshold: float = 0.05,
        *,
        window: int = 10,
        signals: Signals = "documented",
    ) -> None:
        """Decide by these thresholds.

        Args:
            gap_threshold: normalised generalization gap above which to prune.
            corr_threshold: correlation of training and validation below which to spawn.
            improvement_threshold: normalised slope below which to spawn.
            window: evaluations to look at, at least 2.
            signals: which form.

        Raises:
            ConfigurationError: for negative thresholds, a window below 2 or an unknown form.
        """
        check_not_negative(gap_threshold=gap_threshold, improvement_threshold=improvement_threshold)
        if not -1 <= corr_threshold <= 1:
            raise ConfigurationError(f"corr_threshold must be within [-1, 1], got {corr_threshold}")
        check_window(window)
        check_signals(signals)
        self._gap_threshold = gap_threshold
        self._corr_threshold = corr_threshold
        self._improvement_threshold = improvement_threshold
        self._window = window
        self._signals = signals

    def decide(self, history: Sequence[EvalMetrics], status: Mapping[str, Any]) -> MetaAction:
        """Choose an action.

        Args:
            history: the run's evaluations, oldest first.
            status: what `PolicyManager.status()` returns; only `budget_exhausted` is read, and
                counts as False where it is missing.
        """
        if status.get("budget_exhausted", False):
            return MetaAction.STOP
        seen = read_window(history, self._window)
        if self._overfits(seen):
            return MetaAction.PRUNE
        if self._diverges(seen) or not self._improves(seen):
            return MetaAction.SPAWN
        return MetaAction.NO_OP

    def _overfits(self, seen: ScoreWindow) -> bool:
        if self._signals == "documented":
            gap = relative_gap(seen.train, seen.val)
        else:
            gap = _gap_lower_bound(seen)
        return gap is not None and gap > self._gap_threshold

    def _diverges(self, seen: ScoreWindow) -> bool:
        if self._signals == "sound":
            upper = correlation_upper_bound(seen)
            return upper is not None and upper < self._corr_threshold
        return short_window.correlation(seen.train, seen.val) < self._corr_threshold

    def _improves(self, seen: ScoreWindow) -> bool:
        fit = short_window.fit_line(seen.scores)
        if fit is None or fit.unit == 0.0:
            return False
        if self._signals == "sound" and trend_evidence(fit) <= 1:
            return False
        return fit.slope >= self._improvement_threshold * fit.unit


def _gap_lower_bound(seen: ScoreWindow) -> float | None:
    # 95 % lower bound of the normalised gap; its standard error comes from the gaps themselves.
    gap = sound_gap(seen)
    factor = short_window.power_of_two(seen.train, seen.val)
    n = len(seen.val)
    if gap is None or factor is None or n < short_window.MIN_FOR_SLOPE:
        return None
    gaps = [factor * a - factor * b for a, b in zip(seen.train, seen.val, strict=True)]
    mean = sum(gaps) / n
    if mean <= 0:
        return gap
    se = math.sqrt(sum((value - mean) * (value - mean) for value in gaps) / (n * (n - 1)))
    return gap * (1 - student_95(n - 1) * se / mean)
