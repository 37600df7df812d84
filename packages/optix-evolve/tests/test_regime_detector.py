"""Which regime a run's scores are in."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core.errors import ConfigurationError
from optix_evolve.regime_detector import RegimeDetector

from .windows import ANY_SIZE, history, windows

CASES = pytest.mark.parametrize(
    ("scores", "regime"),
    [
        ([float(i) for i in range(10)], "trending"),
        ([float(-i) for i in range(10)], "trending"),
        ([i - 4.5 for i in range(10)], "trending"),
        ([100.0 + 20 * i for i in range(10)], "trending"),
        ([5.0] * 10, "ranging"),
        ([0.0] * 10, "ranging"),
        ([1.0, -1.0] * 5, "volatile"),
        ([10.0, 90.0] * 5, "volatile"),
        ([], "ranging"),
        ([1.0], "ranging"),
        ([1.0, 100.0], "ranging"),
    ],
)
FORMS = pytest.mark.parametrize("signals", ["documented", "sound"])


@FORMS
@CASES
def test_regimes(signals: str, scores: list[float], regime: str) -> None:
    detector = RegimeDetector(signals=signals)  # pyright: ignore[reportArgumentType]
    assert detector.detect(history(scores)) == regime


def test_a_steady_level_with_little_noise_ranges() -> None:
    rng = np.random.default_rng(1)
    learning = np.linspace(20, 480, 30).tolist()
    settled = (500 + 3 * rng.normal(size=10)).tolist()
    for detector in (RegimeDetector(), RegimeDetector(signals="sound")):
        assert detector.detect(history([*learning, *settled])) == "ranging"


def test_noise_far_above_zero_is_volatile_soundly_and_not_in_the_documented_form() -> None:
    # The documented spread is relative to the mean, so an offset of the scores hides it.
    swinging = [1010.0, 990.0, 1008.0, 991.0, 1009.0, 990.0, 1010.0, 992.0, 1007.0, 990.0]
    assert RegimeDetector().detect(history(swinging)) == "ranging"
    assert RegimeDetector(signals="sound").detect(history(swinging)) == "volatile"


def test_a_sound_trend_is_significant() -> None:
    # The rise is steep enough, but eight swings could make it; the range is that of the run.
    unsure = [-5000.0, 5000.0, 10.0, 30.0, 10.0, 30.0, 12.0, 32.0, 14.0, 34.0]
    assert RegimeDetector(1.0, 0.05, 8).detect(history(unsure)) == "trending"
    assert RegimeDetector(1.0, 0.05, 8, signals="sound").detect(history(unsure)) == "ranging"


def test_only_the_newest_finite_scores_count() -> None:
    scores = [1.0, -1.0, 1.0, *range(1, 11), math.nan]
    assert RegimeDetector().detect(history(scores)) == "trending"
    assert RegimeDetector(window=4).detect(history([0.0, 9.0, 5.0, 5.0, 5.0, 5.0])) == "ranging"


@given(scores=windows(min_size=3), exponent=st.integers(-30, 30))
def test_a_regime_does_not_depend_on_the_unit(scores: list[float], exponent: int) -> None:
    scaled = [2.0**exponent * score for score in scores]
    for detector in (RegimeDetector(), RegimeDetector(signals="sound")):
        assert detector.detect(history(scaled)) == detector.detect(history(scores))


@FORMS
@given(scores=windows(ANY_SIZE))
def test_every_series_has_a_regime(signals: str, scores: list[float]) -> None:
    detector = RegimeDetector(signals=signals)  # pyright: ignore[reportArgumentType]
    assert detector.detect(history(scores)) in {"trending", "ranging", "volatile"}


def test_thresholds_are_checked() -> None:
    with pytest.raises(ConfigurationError, match="volatility_threshold"):
        RegimeDetector(volatility_threshold=-0.1)
    with pytest.raises(ConfigurationError, match="trend_threshold"):
        RegimeDetector(trend_threshold=math.nan)
    with pytest.raises(ConfigurationError, match="window"):
        RegimeDetector(window=1)
    with pytest.raises(ConfigurationError, match="signals"):
        RegimeDetector(signals="vague")  # pyright: ignore[reportArgumentType]
