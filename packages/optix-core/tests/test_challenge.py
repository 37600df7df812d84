"""Who replaces the learner, who is given up, who trains on: against the rule in words."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core import EvalMetrics
from optix_core.mean_comparison import MeanEvidence, welch_p
from optix_core.optimizers.challenge import Mark, Outcome, judge


def alone(age: int, score: float, se: float | None = 1.0) -> list[Mark]:
    return [mark(age, score, se)]


def mark(age: int, score: float, se: float | None = 1.0) -> Mark:
    evidence = {} if se is None else {"n_episodes": 8, "score_se": se}
    return Mark(age=age, metrics=EvalMetrics(score, {**evidence}))


LEARNER = [mark(3, 0.0), mark(6, 10.0), mark(9, 20.0)]
"""Two errors of a difference are 2.8."""


@pytest.mark.parametrize(
    ("age", "score", "expected"),
    [
        (3, 23.0, Outcome.WINS),
        (3, 19.0, Outcome.GOES_ON),
        (3, -1.0, Outcome.GOES_ON),
        (3, -3.0, Outcome.LOSES),
        (5, 9.0, Outcome.GOES_ON),  # held to what the learner was when it was first older
        (5, 7.0, Outcome.LOSES),
        (9, 23.0, Outcome.WINS),
        (9, 21.0, Outcome.GOES_ON),
        (9, 20.0, Outcome.LOSES),
        (12, 21.0, Outcome.GOES_ON),
        (12, 19.0, Outcome.LOSES),
        (3, math.nan, Outcome.LOSES),
    ],
)
def test_a_challenger_is_held_to_the_learner_now_and_at_its_age(
    age: int, score: float, expected: Outcome
) -> None:
    assert judge(alone(age, score), LEARNER) is expected


@pytest.mark.parametrize(
    ("score", "expected"),
    [(20.1, Outcome.WINS), (20.0, Outcome.GOES_ON), (-0.1, Outcome.LOSES), (0.0, Outcome.GOES_ON)],
)
def test_without_evidence_the_higher_score_is_the_better_one(
    score: float, expected: Outcome
) -> None:
    learner = [mark(each.age, each.metrics.primary_score, None) for each in LEARNER]
    assert judge(alone(3, score, None), learner) is expected


def test_equal_constants_are_given_up_when_they_are_as_old() -> None:
    learner = [mark(3, -500.0, 0.0), mark(6, -500.0, 0.0)]
    assert judge(alone(3, -500.0, 0.0), learner) is Outcome.GOES_ON
    assert judge(alone(6, -500.0, 0.0), learner) is Outcome.LOSES


@pytest.mark.parametrize(("score", "expected"), [(10.1, Outcome.GOES_ON), (10.0, Outcome.LOSES)])
def test_in_its_third_generation_a_challenger_has_to_be_ahead(
    score: float, expected: Outcome
) -> None:
    young = [mark(2, -9.0), mark(4, score)]
    assert judge(young, LEARNER) is Outcome.GOES_ON
    assert judge([mark(1, -9.0), *young], LEARNER) is expected


scores = st.integers(-5, 5).map(float)
errors = st.sampled_from([0.0, 0.5, 2.0])


def beats(one: Mark, other: Mark) -> bool:
    """Welch, p < 0.1."""
    first, second = MeanEvidence.of(one.metrics), MeanEvidence.of(other.metrics)
    assert first is not None
    assert second is not None
    return welch_p(first, second) < 0.1


@given(
    st.tuples(st.integers(1, 12), scores, errors),
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(1, 4), scores, errors), min_size=1, max_size=4),
)
def test_the_rule_in_words(
    newest: tuple[int, float, float], n_generations: int, steps: list[tuple[int, float, float]]
) -> None:
    age, score, error = newest
    learner: list[Mark] = []
    for n_windows, level, se in steps:
        learner.append(mark((learner[-1].age if learner else 0) + n_windows, level, se))
    challenger, now = mark(age, score, error), learner[-1]
    older = [each for each in learner if each.age >= age]
    rival = older[0] if older else now
    is_behind = score <= rival.metrics.primary_score
    if beats(challenger, now):
        expected = Outcome.WINS
    elif beats(rival, challenger) or (is_behind and (age >= now.age or n_generations >= 3)):
        expected = Outcome.LOSES
    else:
        expected = Outcome.GOES_ON
    assert judge([challenger] * n_generations, learner) is expected
