"""The scheduler's rules, one by one, and the backoff formula for any factor, cap and scores."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core.backoff_scheduler import (
    BackoffScheduler,
    Evaluation,
    SchedulerState,
    decide,
    enter_dormant,
    enter_watchdog,
    is_degraded,
    is_due,
    put_off,
    start_round,
)
from optix_core.decisions import (
    Decision,
    Degrade,
    EnterCooling,
    EnterDormant,
    Improve,
    Reactivate,
)
from optix_core.errors import CheckpointCorruptError, LoopError
from optix_core.loop_state import LoopState
from optix_core.scheduler_settings import SchedulerSettings

Step = tuple[int, SchedulerState, tuple[Decision, ...]]


def run(
    settings: SchedulerSettings, scores: Sequence[float], state: SchedulerState | None = None
) -> list[Step]:
    """Evaluate at each window that is due; better means higher than every finite score before."""
    state = start_round(settings, 0) if state is None else state
    steps: list[Step] = []
    for score in scores:
        window_id = state.next_window
        is_better = state.best_score is not None and score > state.best_score
        evaluation = Evaluation(window_id=window_id, score=score, is_better=is_better)
        state, decisions = decide(settings, state, evaluation)
        steps.append((window_id, state, decisions))
        if state.state is LoopState.DORMANT:
            break
    return steps


def windows(steps: list[Step]) -> list[int]:
    return [window_id for window_id, _, _ in steps]


def all_decisions(steps: list[Step]) -> list[Decision]:
    return [decision for _, _, decisions in steps for decision in decisions]


def test_a_constant_score_backs_off_geometrically_and_ends_after_twenty() -> None:
    steps = run(SchedulerSettings(), [0.5] * 100)
    # Five evaluations without improvement at every window; then gaps 2, 4, 8 … 64, 100, 100 …
    gaps = [1] * 5 + [2, 4, 8, 16, 32, 64] + [100] * 9
    assert windows(steps) == [0, *np.cumsum(gaps).tolist()]
    assert all_decisions(steps) == [Improve(is_first=True), EnterCooling(), EnterDormant()]
    assert [step[0] for step in steps if EnterCooling() in step[2]] == [5]
    assert steps[-1][1].n_without_improvement == 20


def test_a_factor_below_two_backs_off_too() -> None:
    steps = run(SchedulerSettings(backoff_factor=1.5, dormant_threshold=12), [1.0] * 100)
    # 1.5, 2.25, 3.375, 5.06, 7.59, 11.39, 17.09: kept as real numbers, rounded half up when used.
    assert np.diff(windows(steps)).tolist() == [1] * 5 + [2, 2, 3, 5, 8, 11, 17]


@given(
    factor=st.floats(1.0, 1e6),
    lengths=st.tuples(st.integers(1, 50), st.integers(0, 200)),
    counts=st.tuples(st.integers(1, 8), st.integers(0, 12)),
)
def test_gaps_follow_the_backoff_formula(
    factor: float, lengths: tuple[int, int], counts: tuple[int, int]
) -> None:
    (base, room), (plateau, more) = lengths, counts
    settings = SchedulerSettings(
        base_interval=base,
        backoff_factor=factor,
        max_interval_episodes=base + room,
        plateau_threshold=plateau,
        dormant_threshold=plateau + more,
    )
    steps = run(settings, [3.0] * 1_000)
    assert len(steps) == 1 + plateau + more
    for count, gap in enumerate(np.diff(windows(steps)).tolist()):
        growths = max(0, count - plateau + 1)
        interval = min(base * factor**growths, base + room)
        # Powers round otherwise than repeated products; at a half either neighbour is right.
        assert gap in {math.floor(interval + 0.5 - 1e-6), math.floor(interval + 0.5 + 1e-6)}
        assert base <= gap <= base + room


anything = st.floats(allow_nan=True, allow_infinity=True)


@given(scores=st.lists(anything, max_size=60), factor=st.floats(1.0, 4.0), rolls_back=st.booleans())
def test_invariants_hold_for_any_scores(
    scores: list[float], factor: float, *, rolls_back: bool
) -> None:
    settings = SchedulerSettings(backoff_factor=factor, rollback_on_degradation=rolls_back)
    highest: float | None = None
    count = 0
    for _, state, decisions in run(settings, scores):
        score = scores.pop(0)
        if math.isfinite(score) and (highest is None or score > highest):
            assert decisions == (Improve(is_first=highest is None),)
            highest, count = score, 0
            assert (state.state, state.interval) == (LoopState.ACTIVE, 1.0)
        else:
            count += 1
            assert not any(isinstance(decision, Improve) for decision in decisions)
        assert (state.best_score, state.n_without_improvement) == (highest, count)
        assert 1 <= state.gap <= settings.max_interval_episodes
        assert (state.state is LoopState.DORMANT) == (count >= settings.dormant_threshold)
        assert is_due(state, state.next_window) == (state.state is not LoopState.DORMANT)


@given(st.lists(st.floats(50.0, 100.0), min_size=21, max_size=40))
def test_degradation_never_keeps_a_run_awake(noise: list[float]) -> None:
    """0.6.1 reset the count at every score below 95 % of the best, and never became DORMANT."""
    steps = run(SchedulerSettings(), [101.0, *noise])
    assert steps[-1][1].state is LoopState.DORMANT
    assert len(steps) == 21


def test_noise_around_a_constant_ends() -> None:
    scores = np.random.default_rng(0).normal(100.0, 10.0, 5_000).tolist()
    steps = run(SchedulerSettings(), scores)
    assert steps[-1][1].state is LoopState.DORMANT
    assert len(steps) < 300


def test_an_improvement_in_cooling_starts_the_backoff_anew() -> None:
    steps = run(SchedulerSettings(), [1.0] * 8 + [2.0] + [1.99] * 7)
    assert steps[7][1].state is LoopState.COOLING
    assert steps[8][1].state is LoopState.ACTIVE
    assert steps[8][2] == (Improve(is_first=False),)
    assert np.diff(windows(steps)).tolist() == [1] * 5 + [2, 4, 8] + [1] * 5 + [2, 4]


def test_a_first_score_that_is_not_finite_is_no_baseline() -> None:
    steps = run(SchedulerSettings(), [math.nan, math.inf, -math.inf, -7.0])
    assert [step[1].best_score for step in steps] == [None, None, None, -7.0]
    assert all_decisions(steps) == [Improve(is_first=True)]
    assert [step[1].n_without_improvement for step in steps] == [1, 2, 3, 0]


def test_nothing_but_nan_converges_without_a_best() -> None:
    steps = run(SchedulerSettings(), [math.nan] * 50)
    assert all_decisions(steps) == [EnterCooling(), EnterDormant()]
    assert steps[-1][1].best_score is None


def test_what_compare_says_decides_also_against_the_numbers() -> None:
    settings = SchedulerSettings()
    state = start_round(settings, 0, best_score=10.0)
    lower = Evaluation(window_id=0, score=5.0, is_better=True)
    state, decisions = decide(settings, state, lower)
    assert decisions == (Improve(is_first=False),)
    assert state.best_score == 5.0
    higher = Evaluation(window_id=1, score=7.0, is_better=False)
    state, decisions = decide(settings, state, higher)
    assert (decisions, state.best_score) == ((), 5.0)


def test_equal_thresholds_pass_through_cooling() -> None:
    settings = SchedulerSettings(plateau_threshold=3, dormant_threshold=3)
    steps = run(settings, [1.0] * 10)
    assert steps[-1][2] == (EnterCooling(), EnterDormant())


@pytest.mark.parametrize(
    ("best", "threshold", "limit"),
    [
        (100.0, 0.75, 75.0),
        (-100.0, 0.75, -125.0),
        (0.0, 0.75, 0.0),
        (8.0, 1.0, 8.0),
        (8.0, 0.0, 0.0),
    ],
)
def test_degraded_is_strictly_below_the_limit(best: float, threshold: float, limit: float) -> None:
    settings = SchedulerSettings(degradation_threshold=threshold)
    assert not is_degraded(settings, best, limit)
    assert is_degraded(settings, best, math.nextafter(limit, -math.inf))
    assert not is_degraded(settings, best, math.nan)
    assert not is_degraded(settings, best, -math.inf)


def test_a_negative_score_equal_to_its_best_is_not_degraded() -> None:
    assert all_decisions(run(SchedulerSettings(), [-100.0] * 5)) == [Improve(is_first=True)]


def test_an_excursion_is_announced_once_and_ends_with_a_score_that_is_not_degraded() -> None:
    scores = [100.0, 50.0, math.nan, 40.0, 96.0, 50.0, 60.0]
    decisions = [step[2] for step in run(SchedulerSettings(plateau_threshold=20), scores)]
    fall = (Degrade(restore_best=False, is_new=True),)
    assert decisions == [(Improve(is_first=True),), fall, (), (), (), fall, ()]


def test_every_degraded_evaluation_is_rolled_back_but_announced_once() -> None:
    settings = SchedulerSettings(rollback_on_degradation=True)
    first, second = (step[2] for step in run(settings, [100.0, 50.0, 50.0])[1:])
    assert first == (Degrade(restore_best=True, is_new=True),)
    assert second == (Degrade(restore_best=True, is_new=False),)


def test_patience_asks_for_several_in_a_row_and_begins_anew_after_a_rollback() -> None:
    settings = SchedulerSettings(
        degradation_patience=2, rollback_on_degradation=True, plateau_threshold=20
    )
    scores = [100.0, 50.0, 96.0, 50.0, math.nan, 50.0, 50.0, 50.0]
    decisions = [step[2] for step in run(settings, scores)]
    assert decisions[1:5] == [()] * 4
    assert decisions[5:] == [
        (Degrade(restore_best=True, is_new=True),),
        (),
        (Degrade(restore_best=True, is_new=False),),
    ]


def test_degradation_is_carried_out_before_the_change_of_state() -> None:
    settings = SchedulerSettings(plateau_threshold=1, dormant_threshold=1)
    steps = run(settings, [1.0, 0.0])
    assert steps[-1][2] == (
        Degrade(restore_best=False, is_new=True),
        EnterCooling(),
        EnterDormant(),
    )


def test_putting_off_moves_the_evaluation_by_one_window() -> None:
    settings = SchedulerSettings(base_interval=10)
    state = start_round(settings, 3)
    assert is_due(state, 3)
    later = put_off(put_off(state))
    assert [is_due(later, window_id) for window_id in (3, 4, 5)] == [False, False, True]
    after, _ = decide(settings, later, Evaluation(window_id=5, score=1.0, is_better=False))
    assert after.next_window == 15


def test_the_gap_counts_from_the_window_that_was_evaluated() -> None:
    settings = SchedulerSettings(base_interval=10)
    late = Evaluation(window_id=17, score=1.0, is_better=False)
    assert decide(settings, start_round(settings, 3), late)[0].next_window == 27


def watchdog_at_100() -> tuple[SchedulerSettings, SchedulerState]:
    settings = SchedulerSettings(watchdog=True, dormant_threshold=6)
    steps = run(settings, [10.0] * 7)
    window_id, state, _ = steps[-1]
    assert state.state is LoopState.DORMANT
    return settings, enter_watchdog(settings, state, window_id)


def test_a_watchdog_evaluates_at_the_longest_interval() -> None:
    settings, state = watchdog_at_100()
    assert state.next_window == 7 + 100
    steps = run(settings, [9.9, 9.8, math.nan], state)
    assert np.diff(windows(steps)).tolist() == [100, 100]
    assert {step[1].state for step in steps} == {LoopState.WATCHDOG}
    assert all_decisions(steps) == []


def test_a_watchdog_records_an_improvement_and_stays() -> None:
    settings, state = watchdog_at_100()
    ((_, state, decisions),) = run(settings, [12.0], state)
    assert decisions == (Improve(is_first=False),)
    assert (state.state, state.best_score, state.gap) == (LoopState.WATCHDOG, 12.0, 100)


def test_a_watchdog_reactivates_with_a_fresh_count_and_keeps_the_best() -> None:
    settings, state = watchdog_at_100()
    steps = run(settings, [5.0, 5.0], state)
    assert all_decisions(steps) == [Degrade(restore_best=False, is_new=True), Reactivate()]
    _, state, _ = steps[0]
    assert (state.state, state.n_without_improvement) == (LoopState.ACTIVE, 0)
    assert (state.interval, state.best_score) == (1.0, 10.0)
    assert windows(steps) == [107, 108]


def test_a_degradation_that_was_announced_before_still_wakes_the_watchdog() -> None:
    settings = SchedulerSettings(plateau_threshold=1, dormant_threshold=1)
    window_id, state, _ = run(settings, [10.0, 5.0])[-1]
    state = enter_watchdog(settings, state, window_id)
    assert all_decisions(run(settings, [5.0], state)) == [
        Degrade(restore_best=False, is_new=False),
        Reactivate(),
    ]


def test_only_a_dormant_round_becomes_a_watchdog_and_it_takes_no_evaluation() -> None:
    settings = SchedulerSettings()
    with pytest.raises(LoopError, match="follows DORMANT alone, got active"):
        enter_watchdog(settings, start_round(settings, 0), 0)
    dormant = enter_dormant(start_round(settings, 0))
    assert not is_due(dormant, 10_000)
    with pytest.raises(LoopError, match="DORMANT"):
        decide(settings, dormant, Evaluation(window_id=0, score=1.0, is_better=True))


def test_a_round_begins_with_its_own_baseline_unless_given_one() -> None:
    settings = SchedulerSettings(base_interval=4)
    assert start_round(settings, 12) == SchedulerState(interval=4.0, next_window=12)
    kept = start_round(settings, 12, best_score=3.0)
    _, decisions = decide(settings, kept, Evaluation(window_id=12, score=2.9, is_better=False))
    assert decisions == ()


def test_a_state_survives_json() -> None:
    state = run(SchedulerSettings(backoff_factor=1.7), [1.0] * 5 + [0.1] * 4)[-1][1]
    text = json.dumps(state.to_dict(), allow_nan=False)
    assert SchedulerState.from_dict(json.loads(text)) == state


@pytest.mark.parametrize(
    "damage",
    [
        {"interval": "x"},
        {"interval": 0.5},
        {"interval": math.inf},
        {"interval": math.nan},
        {"state": "asleep"},
        {"n_degraded": -1},
        {"n_degraded": True},
        {"next_window": None},
        {"best_score": math.nan},
        {"stranger": 1},
    ],
)
def test_a_damaged_state_is_refused(damage: dict[str, Any]) -> None:
    state = start_round(SchedulerSettings(), 0).to_dict()
    with pytest.raises(CheckpointCorruptError, match="scheduler state"):
        SchedulerState.from_dict({**state, **damage})


@pytest.mark.parametrize("name", sorted(start_round(SchedulerSettings(), 0).to_dict()))
def test_a_state_that_lacks_a_field_is_refused(name: str) -> None:
    state = start_round(SchedulerSettings(), 0).to_dict()
    del state[name]
    with pytest.raises(CheckpointCorruptError, match="not the fields"):
        SchedulerState.from_dict(state)


def test_the_class_does_what_the_functions_do() -> None:
    settings = SchedulerSettings(dormant_threshold=6, watchdog=True)
    scheduler = BackoffScheduler(settings)
    decisions: list[Decision] = []
    for window_id in range(100):
        if scheduler.is_due(window_id):
            decisions += scheduler.decide(
                Evaluation(window_id=window_id, score=1.0, is_better=False)
            )
    assert decisions == all_decisions(run(settings, [1.0] * 7))
    scheduler.enter_watchdog(7)
    assert scheduler.state.state is LoopState.WATCHDOG
    scheduler.start_round(200)
    scheduler.put_off()
    assert scheduler.state == put_off(start_round(settings, 200))
    assert BackoffScheduler().settings == SchedulerSettings()
