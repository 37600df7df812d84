"""What is decided at DORMANT."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core.errors import ConfigurationError
from optix_evolve.meta_controller import DecisionRule, MetaAction, MetaController

from .windows import ANY_SIZE, history, windows

RISING = [float(i) for i in range(1, 11)]
NOISY = [1.0, 3.0, 2.0, 1.5, 2.5, 3.0, 1.0, 2.0, 2.5, 2.2]
FLAT = [5.0] * 10
HEALTHY = history(RISING, train=[1.1 * score for score in RISING], val=RISING)
OPEN = {"budget_exhausted": False}

FORMS = pytest.mark.parametrize("signals", ["documented", "sound"])


def controller(signals: str, **thresholds: float) -> MetaController:
    return MetaController(**thresholds, signals=signals)  # pyright: ignore[reportArgumentType]


@FORMS
def test_a_spent_budget_stops_whatever_else_holds(signals: str) -> None:
    for seen in (HEALTHY, [], history(FLAT)):
        decided = controller(signals).decide(seen, {"budget_exhausted": True})
        assert decided is MetaAction.STOP


@FORMS
def test_overfitting_prunes_before_anything_spawns(signals: str) -> None:
    overfit = history(FLAT, train=[2 * score for score in FLAT], val=FLAT)
    assert controller(signals).decide(overfit, OPEN) is MetaAction.PRUNE


@FORMS
def test_a_gap_up_to_the_threshold_is_healthy(signals: str) -> None:
    assert controller(signals).decide(HEALTHY, OPEN) is MetaAction.NO_OP
    assert controller(signals, gap_threshold=0.05).decide(HEALTHY, OPEN) is MetaAction.PRUNE


@FORMS
def test_scores_that_part_ways_spawn(signals: str) -> None:
    opposed = history(RISING, train=RISING[::-1], val=RISING)
    assert controller(signals).decide(opposed, OPEN) is MetaAction.SPAWN


@FORMS
@pytest.mark.parametrize("scores", [[], [3.0], FLAT, [0.0] * 10, RISING[::-1]])
def test_a_plateau_spawns(signals: str, scores: list[float]) -> None:
    assert controller(signals).decide(history(scores), OPEN) is MetaAction.SPAWN
    both = history(scores, train=scores, val=scores)
    assert controller(signals).decide(both, OPEN) is MetaAction.SPAWN


@FORMS
def test_improvement_without_validation_goes_on(signals: str) -> None:
    assert controller(signals).decide(history(RISING), {}) is MetaAction.NO_OP
    through_zero = history([i - 4.5 for i in range(10)])
    assert controller(signals).decide(through_zero, {}) is MetaAction.NO_OP


def test_a_constant_training_score_is_no_reason_to_spawn() -> None:
    saturated = history(RISING, train=[0.0] * 10, val=RISING)
    assert MetaController().decide(saturated, OPEN) is MetaAction.NO_OP


def test_soundly_a_gap_that_noise_explains_does_not_prune() -> None:
    val = [score + 10 for score in NOISY]
    jumping = [8.0, -8.0, 15.0, 20.0, -6.0, 9.0, 21.0, -10.0, 12.0, -1.0]
    train = [score + jump for score, jump in zip(val, jumping, strict=True)]
    seen = history(val, train=train, val=val)
    assert MetaController().decide(seen, OPEN) is MetaAction.PRUNE
    assert MetaController(signals="sound").decide(seen, OPEN) is MetaAction.SPAWN


def test_soundly_a_rise_that_noise_explains_is_a_plateau() -> None:
    rising = [1.0, 9.0, 2.0, 8.0, 3.0, 9.0, 4.0, 8.0, 5.0, 10.0]
    assert MetaController().decide(history(rising), OPEN) is MetaAction.NO_OP
    assert MetaController(signals="sound").decide(history(rising), OPEN) is MetaAction.SPAWN


@pytest.mark.parametrize(("gap", "action"), [(1.0, "prune"), (-1.0, "spawn")])
def test_over_a_level_of_zero_any_positive_gap_prunes(gap: float, action: str) -> None:
    val = [1.0, -1.0] * 5
    seen = history(val, train=[score + gap for score in val], val=val)
    assert MetaController().decide(seen, OPEN) == action


@FORMS
@given(scores=windows(ANY_SIZE), data=st.data())
def test_every_history_gets_an_action(
    signals: str, scores: list[float], data: st.DataObject
) -> None:
    n = len(scores)
    train, val = (data.draw(windows(ANY_SIZE, min_size=n, max_size=n)) for _ in range(2))
    seen = history(scores, train=train, val=val)
    decided = controller(signals).decide(seen, OPEN)
    assert decided in {MetaAction.PRUNE, MetaAction.SPAWN, MetaAction.NO_OP}


def test_anything_with_decide_is_a_decision_rule() -> None:
    class Always:
        def decide(self, history: object, status: object) -> MetaAction:
            return MetaAction.SPAWN

    assert isinstance(Always(), DecisionRule)
    assert isinstance(MetaController(), DecisionRule)
    assert not isinstance(object(), DecisionRule)


def test_thresholds_are_checked() -> None:
    for name, value in (("gap_threshold", -1.0), ("improvement_threshold", math.inf)):
        with pytest.raises(ConfigurationError, match=name):
            controller("sound", **{name: value})
    for value in (-1.5, 2.0, math.nan):
        with pytest.raises(ConfigurationError, match="corr_threshold"):
            MetaController(corr_threshold=value)
    with pytest.raises(ConfigurationError, match="signals"):
        controller("both")
