"""Who copies whom, and what counts as evidence between branches."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core import EvalMetrics
from optix_core.errors import ConfigurationError
from optix_core.optimizers.branch_gate import effect_size, is_proven_better
from optix_core.optimizers.selection import Contestant, select


def scored(score: float, se: float = 1.0, n: int = 8) -> EvalMetrics:
    return EvalMetrics(score, {"n_episodes": n, "score_se": se})


def members(*scores: float, se: float = 1.0, times_last: tuple[int, ...] = ()) -> list[Contestant]:
    counts = times_last or (0,) * len(scores)
    return [
        Contestant(age=3, metrics=scored(score, se), times_last=count)
        for score, count in zip(scores, counts, strict=True)
    ]


finite = st.floats(-1e6, 1e6)


@given(finite, st.floats(0.0, 1e3), st.integers(2, 50))
def test_equal_samples_prove_nothing(score: float, se: float, n: int) -> None:
    metrics = scored(score, se, n)
    assert not is_proven_better(metrics, metrics)
    assert effect_size(metrics, metrics) == 0.0


@given(finite, finite, st.floats(0.0, 1e3), st.floats(0.0, 1e3))
def test_two_scores_never_beat_each_other(one: float, other: float, se: float, se2: float) -> None:
    first, second = scored(one, se), scored(other, se2)
    assert not (is_proven_better(first, second) and is_proven_better(second, first))
    assert effect_size(first, second) == effect_size(second, first) >= 0.0


def test_a_difference_of_two_errors_is_proven_and_one_of_one_is_not() -> None:
    # One-sided 10 % quantile of t with 14 degrees of freedom: 1.345.
    assert is_proven_better(scored(1.36 * math.sqrt(2.0)), scored(0.0))
    assert not is_proven_better(scored(1.33 * math.sqrt(2.0)), scored(0.0))
    assert effect_size(scored(3.0), scored(0.0)) == pytest.approx(3.0 / math.sqrt(2.0))


def test_constants_that_differ_are_proven() -> None:
    assert is_proven_better(scored(500.0, 0.0), scored(499.0, 0.0))
    assert effect_size(scored(500.0, 0.0), scored(499.0, 0.0)) == 1e6


def test_a_score_without_evidence_proves_nothing_and_one_that_is_no_number_loses() -> None:
    bare, nothing = EvalMetrics(1e9), EvalMetrics(math.nan, {"n_episodes": 0, "score_se": math.nan})
    assert not is_proven_better(bare, scored(0.0))
    assert not is_proven_better(scored(1e9), bare)
    assert is_proven_better(scored(-1e9), nothing)
    assert not is_proven_better(nothing, scored(-1e9))
    assert effect_size(bare, scored(0.0)) == 0.0


@given(st.floats(-1e6, 1e6), st.integers(2, 6), st.data())
def test_equal_members_change_nothing(score: float, n: int, data: st.DataObject) -> None:
    leader = data.draw(st.integers(0, n - 1))
    selection = select(members(*[score] * n), leader)
    assert selection.best == selection.leader == leader
    assert selection.mutant is selection.newcomer is None
    assert selection.times_last == (0,) * n


def test_the_last_copies_the_best_and_the_last_but_one_starts_anew() -> None:
    selection = select(members(10.0, 50.0, 0.0, 9.0), leader=1)
    assert (selection.best, selection.leader) == (1, 1)
    assert (selection.mutant, selection.newcomer) == (2, 3)
    assert selection.times_last == (0, 0, 0, 0)


def test_a_beaten_leader_hands_over_and_may_copy() -> None:
    selection = select(members(0.0, 50.0, 49.5, 49.0), leader=0)
    assert (selection.best, selection.leader, selection.mutant) == (1, 1, 0)
    assert selection.newcomer is None


def test_a_leader_that_is_not_proven_worse_leads_on() -> None:
    selection = select(members(1.0, 1.5, 1.2, 1.1), leader=0)
    assert (selection.best, selection.leader, selection.mutant) == (1, 0, None)
    assert selection.times_last == (1, 0, 0, 0)


def test_being_last_twice_is_evidence() -> None:
    selection = select(members(1.1, 1.5, 1.0, 1.2, times_last=(0, 0, 1, 0)), leader=0)
    assert (selection.leader, selection.mutant, selection.newcomer) == (0, 2, None)
    assert selection.times_last == (0, 0, 0, 0)


def test_being_last_counts_only_in_a_row() -> None:
    selection = select(members(1.1, 1.5, 1.0, 1.2, times_last=(1, 0, 0, 0)), leader=1)
    assert selection.mutant is None
    assert selection.times_last == (0, 0, 1, 0)


def test_a_score_that_is_no_number_is_last() -> None:
    contestants = members(1.0, math.nan, 0.9)
    selection = select(contestants, leader=0)
    assert (selection.best, selection.mutant) == (0, 1)


def test_ages_that_differ_are_refused() -> None:
    contestants = [Contestant(age=3, metrics=scored(0.0)), Contestant(age=4, metrics=scored(0.0))]
    with pytest.raises(ConfigurationError, match=r"equal age, got \[3, 4\]"):
        select(contestants, leader=0)


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=8), st.data())
def test_a_selection_makes_sense(scores: list[float], data: st.DataObject) -> None:
    n = len(scores)
    leader = data.draw(st.integers(0, n - 1))
    counts = tuple(data.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    selection = select(members(*scores, times_last=counts), leader)
    assert scores[selection.best] == max(scores)
    assert selection.leader in (leader, selection.best)
    copying = {selection.mutant, selection.newcomer} - {None}
    assert not copying & {selection.best, selection.leader}
    assert selection.mutant is None or scores[selection.mutant] == min(scores)
