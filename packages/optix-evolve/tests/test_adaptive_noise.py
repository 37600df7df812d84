"""The three signals, in their documented and their sound form."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core.errors import ConfigurationError
from optix_evolve.adaptive_noise import NoiseLimits, NoiseSignals, adaptive_noise

from .windows import ANY_SIZE, history, windows

RISING = [float(i) for i in range(1, 11)]
FLAT = [5.0] * 10
ZIGZAG = [1.0, -1.0] * 5

FORMS = pytest.mark.parametrize("signals", ["documented", "sound"])


@FORMS
def test_a_healthy_run_gets_the_least_noise(signals: str) -> None:
    healthy = history(RISING, train=RISING, val=RISING)
    noise = adaptive_noise(healthy, signals=signals)  # pyright: ignore[reportArgumentType]
    assert noise.noise_scale == pytest.approx(0.001)
    assert noise.effective_t == pytest.approx(1.0)


@FORMS
@pytest.mark.parametrize("scores", [[], [3.0], FLAT, [0.0] * 10, RISING[::-1]])
def test_a_run_without_progress_gets_the_most_noise(signals: str, scores: list[float]) -> None:
    stuck = history(scores, train=scores, val=scores)
    noise = adaptive_noise(stuck, signals=signals)  # pyright: ignore[reportArgumentType]
    assert noise.noise_scale == 0.1
    assert noise.progress == 0.0


def test_each_penalty_halves_progress_at_most() -> None:
    gap = adaptive_noise(history(RISING, train=[score + 100 for score in RISING], val=RISING))
    assert (gap.progress, gap.gap_penalty) == (1.0, 1.0)
    assert gap.corr_penalty == pytest.approx(0.0, abs=1e-12)
    assert gap.effective_t == pytest.approx(0.5)
    assert gap.noise_scale == pytest.approx(0.1 - 0.5 * 0.099)
    diverging = adaptive_noise(history(RISING, train=RISING[::-1], val=RISING))
    assert (diverging.gap_penalty, diverging.corr_penalty) == (0.0, 1.0)
    assert diverging.effective_t == pytest.approx(0.5)


def test_the_slope_counts_in_units_of_the_mean_or_the_spread() -> None:
    # Mean 100, slope 1: 0.01 per evaluation, a fifth of max_slope.
    slow = history([96.0, 97.0, 98.0, 99.0, 100.0, 101.0, 102.0, 103.0, 104.0])
    assert adaptive_noise(slow).progress == pytest.approx(0.2)


def test_scores_that_improve_through_zero_improve() -> None:
    through_zero = [i - 4.5 for i in range(10)]
    assert adaptive_noise(history(through_zero)).progress == 1.0
    assert adaptive_noise(history(through_zero), signals="sound").progress == 1.0
    assert adaptive_noise(history([score - 100 for score in RISING])).progress > 0.1


def test_without_validation_nothing_is_held_against_the_run() -> None:
    for signals in ("documented", "sound"):
        noise = adaptive_noise(history(RISING), signals=signals)
        assert (noise.gap_penalty, noise.corr_penalty) == (0.0, 0.0)


def test_a_constant_leaves_the_correlation_undefined_and_unpunished() -> None:
    assert adaptive_noise(history(RISING, train=FLAT, val=RISING)).corr_penalty == 0.0
    assert adaptive_noise(history(RISING, train=RISING, val=FLAT)).corr_penalty == 0.0


@pytest.mark.parametrize(("gap", "penalty"), [(1.0, 1.0), (0.0, 0.0), (-1.0, 0.0)])
def test_a_gap_over_a_level_of_zero_is_all_or_nothing(gap: float, penalty: float) -> None:
    train = [score + gap for score in ZIGZAG]
    assert adaptive_noise(history(ZIGZAG, train=train, val=ZIGZAG)).gap_penalty == penalty


def test_the_sound_gap_does_not_explode_where_scores_cross_zero() -> None:
    noisy = [3.0, -2.0, 1.0, -3.0, 2.0, -1.0, 3.0, -2.0, 1.0, -1.9]
    crossing = history(noisy, train=[score + 0.1 for score in noisy], val=noisy)
    assert adaptive_noise(crossing).gap_penalty == 1.0
    assert adaptive_noise(crossing, signals="sound").gap_penalty < 0.05


def test_a_low_correlation_counts_soundly_only_where_it_is_shown() -> None:
    # r = 0 on ten pairs could be 0.55: less than half of the documented penalty.
    train = [1.0, 2.0, 3.0, 4.0, 5.0, 5.0, 4.0, 3.0, 2.0, 1.0]
    unrelated = history(RISING, train=train, val=RISING)
    assert adaptive_noise(unrelated).corr_penalty == pytest.approx(1.0)
    assert 0.3 < adaptive_noise(unrelated, signals="sound").corr_penalty < 0.5
    opposed = history(RISING, train=RISING[::-1], val=RISING)
    assert adaptive_noise(opposed, signals="sound").corr_penalty == 1.0
    few = history(RISING[:9], train=RISING[:9][::-1], val=RISING[:9])
    assert adaptive_noise(few, signals="sound").corr_penalty == 0.0


def test_scores_that_are_mostly_noise_say_nothing_about_correlation() -> None:
    sure = history(RISING, train=RISING[::-1], val=RISING, score_se=0.1)
    unsure = history(RISING, train=RISING[::-1], val=RISING, score_se=10.0)
    assert adaptive_noise(sure, signals="sound").corr_penalty == 1.0
    assert adaptive_noise(unsure, signals="sound").corr_penalty == 0.0


def test_sound_progress_is_the_slope_s_share_of_what_would_be_significant() -> None:
    noisy = [1.0, 3.0, 2.0, 1.5, 2.5, 3.0, 1.0, 2.0, 2.5, 2.2]
    assert 0.0 < adaptive_noise(history(noisy), signals="sound").progress < 1.0
    assert adaptive_noise(history([1.0, 2.0]), signals="sound").progress == 0.0


def test_only_the_newest_finite_scores_count() -> None:
    long = history([100.0, -50.0, 3.0, *RISING])
    assert adaptive_noise(long) == adaptive_noise(history(RISING))
    assert adaptive_noise(history([*RISING, math.nan, math.inf])) == adaptive_noise(history(RISING))
    assert adaptive_noise(long, window=13) != adaptive_noise(long)


@FORMS
@given(scores=windows(ANY_SIZE, max_size=14), data=st.data())
def test_noise_stays_within_its_limits(
    signals: str, scores: list[float], data: st.DataObject
) -> None:
    n = len(scores)
    train, val = (data.draw(windows(ANY_SIZE, min_size=n, max_size=n)) for _ in range(2))
    seen = history(scores, train=train, val=val, score_se=data.draw(st.floats(0, 1e308)))
    noise = adaptive_noise(seen, signals=signals)  # pyright: ignore[reportArgumentType]
    for share in (noise.progress, noise.gap_penalty, noise.corr_penalty, noise.effective_t):
        assert 0.0 <= share <= 1.0
    assert 0.001 <= noise.noise_scale <= 0.1


def test_a_broken_validation_score_is_left_out() -> None:
    val = [*RISING[:-1], math.nan]
    seen = history(RISING, train=RISING, val=val)
    assert adaptive_noise(seen).gap_penalty == 0.0
    seen[0].metrics["val_score"] = "high"
    assert isinstance(adaptive_noise(seen), NoiseSignals)


def test_limits_and_names_are_checked() -> None:
    for limits in ({"min_scale": 0.2}, {"min_scale": -0.1}, {"max_scale": math.inf}):
        with pytest.raises(ConfigurationError, match="min_scale <= max_scale"):
            NoiseLimits(**limits)
    for max_slope in (0.0, math.nan):
        with pytest.raises(ConfigurationError, match="max_slope"):
            NoiseLimits(max_slope=max_slope)
    with pytest.raises(ConfigurationError, match="window must be at least 2"):
        adaptive_noise([], window=1)
    with pytest.raises(ConfigurationError, match="'loud'"):
        adaptive_noise([], signals="loud")  # pyright: ignore[reportArgumentType]
