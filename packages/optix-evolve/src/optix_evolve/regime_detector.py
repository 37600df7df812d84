"""Names the regime that a run's scores are in: trending, ranging or volatile."""

from collections.abc import Sequence
from typing import Literal

from optix_core import EvalMetrics
from optix_evolve.evidence import trend_evidence
from optix_evolve.score_window import (
    Signals,
    check_not_negative,
    check_signals,
    check_window,
    read_window,
)
from optix_evolve.short_window import MIN_FOR_RESIDUALS, LineFit, fit_line, power_of_two

Regime = Literal["trending", "ranging", "volatile"]


class RegimeDetector:
    """Classifies the newest scores by their spread round their trend, and by the trend.

    With a least-squares line through the window and unit = max(|mean|, sd):

    - volatile: sd of the residuals / unit > `volatility_threshold`, so that a clean trend is a
      trend and an oscillation round zero is volatile;
    - trending: |slope| / unit > `trend_threshold`, up or down;
    - ranging: anything else, fewer than three finite scores and constants included.

    With `signals="sound"` the residuals are divided by the score range of the whole run, and a
    trend has to be significant (95 %) as well as steep.

    Subclass and override `detect` for signals of your own domain.
    """

    def __init__(
        self,
        volatility_threshold: float = 0.2,
        trend_threshold: float = 0.05,
        window: int = 10,
        *,
        signals: Signals = "documented",
    ) -> None:
        """Classify by these thresholds.

        Args:
            volatility_threshold: relative spread round the trend above which scores are volatile.
            trend_threshold: relative change per evaluation above which they trend.
            window: evaluations to look at, at least 2.
            signals: which form.

        Raises:
            ConfigurationError: for negative thresholds, a window below 2 or an unknown form.
        """
        check_not_negative(
            volatility_threshold=volatility_threshold, trend_threshold=trend_threshold
        )
        check_window(window)
        check_signals(signals)
        self._volatility_threshold = volatility_threshold
        self._trend_threshold = trend_threshold
        self._window = window
        self._signals = signals

    def detect(self, metrics_history: Sequence[EvalMetrics]) -> Regime:
        """Name the regime of the newest evaluations; non-finite scores are left out."""
        seen = read_window(metrics_history, self._window)
        fit = fit_line(seen.scores)
        if fit is None or fit.n < MIN_FOR_RESIDUALS or fit.unit == 0.0:
            return "ranging"
        spread_unit = fit.unit
        if self._signals == "sound":
            spread_unit = (power_of_two(seen.scores) or 1.0) * seen.score_range
        if fit.residual_sd > self._volatility_threshold * spread_unit:
            return "volatile"
        return "trending" if self._is_trending(fit) else "ranging"

    def _is_trending(self, fit: LineFit) -> bool:
        if self._signals == "sound" and abs(trend_evidence(fit)) <= 1:
            return False
        return abs(fit.slope) > self._trend_threshold * fit.unit
