"""Tests of means against permutations, each other, and what they must say of odd samples."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core import EvalMetrics
from optix_core.mean_comparison import (
    MeanEvidence,
    minimum_detectable_effect,
    paired_detectable_effect,
    paired_p,
    pooled,
    welch_p,
)
from optix_core.student_t import student_tail

RETURNS = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30)
EVIDENCE = st.builds(MeanEvidence, st.floats(-1e6, 1e6), st.floats(0.0, 1e6), st.integers(2, 1000))


def evidence_of(returns: list[float]) -> MeanEvidence:
    """Evidence of a sample, by the textbook."""
    n = len(returns)
    mean = sum(returns) / n
    variance = sum((x - mean) ** 2 for x in returns) / (n - 1)
    return MeanEvidence(mean, math.sqrt(variance / n), n)


@given(st.lists(RETURNS, min_size=1, max_size=6))
def test_pooled_evidence_is_that_of_all_returns_together(samples: list[list[float]]) -> None:
    together = pooled([evidence_of(returns) for returns in samples])
    expected = evidence_of([x for returns in samples for x in returns])
    assert together.n == expected.n
    assert together.mean == pytest.approx(expected.mean, rel=1e-9, abs=1e-6)
    assert together.se == pytest.approx(expected.se, rel=1e-6, abs=1e-6)


@given(one=RETURNS, other=RETURNS)
def test_welch_is_the_textbook_formula(one: list[float], other: list[float]) -> None:
    a, b = evidence_of(one), evidence_of(other)
    va, vb = a.se**2, b.se**2
    if min(va, vb) < 1e-12:
        return
    df = (va + vb) ** 2 / (va**2 / (a.n - 1) + vb**2 / (b.n - 1))
    expected = student_tail((a.mean - b.mean) / math.sqrt(va + vb), df)
    assert welch_p(a, b) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@given(one=EVIDENCE, other=EVIDENCE)
def test_welch_is_antisymmetric_and_follows_the_sign(
    one: MeanEvidence, other: MeanEvidence
) -> None:
    p = welch_p(one, other)
    assert 0.0 <= p <= 1.0
    if one.se == other.se == 0.0:
        assert p == (0.0 if one.mean > other.mean else 1.0)
        return
    assert p + welch_p(other, one) == pytest.approx(1.0, abs=1e-12)
    if one.mean > other.mean:
        assert p <= 0.5


@given(
    one=EVIDENCE,
    other=EVIDENCE,
    factor=st.sampled_from([1e-150, 1e-9, 1e9, 1e150]),
)
def test_welch_does_not_know_the_unit(
    one: MeanEvidence, other: MeanEvidence, factor: float
) -> None:
    if max(one.se, other.se) < 1e-9:
        return
    scaled = [MeanEvidence(e.mean * factor, e.se * factor, e.n) for e in (one, other)]
    assert welch_p(*scaled) == pytest.approx(welch_p(one, other), rel=1e-6, abs=1e-9)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=2, max_size=30))
def test_pairs_are_the_textbook_formula(pairs: list[tuple[float, float]]) -> None:
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    differences = evidence_of([a - b for a, b in pairs])
    if differences.se < 1e-6:
        return
    expected = student_tail(differences.mean / differences.se, len(pairs) - 1)
    assert paired_p(one, other) == pytest.approx(expected, rel=1e-7, abs=1e-300)


def test_pairs_agree_with_all_flips_of_sign() -> None:
    rng = np.random.default_rng(3)
    other = rng.normal(100.0, 30.0, 12)
    one = other + rng.normal(4.0, 6.0, 12)
    differences = one - other
    signs = [list(row) for row in itertools.product((-1.0, 1.0), repeat=12)]
    flips = np.array(signs, dtype=np.float64)
    exact = float((flips @ differences >= differences.sum() - 1e-12).mean())
    assert paired_p(one.tolist(), other.tolist()) == pytest.approx(exact, abs=0.01)
    # The seeds' own spread is gone in the pairs and not in Welch's test.
    assert welch_p(evidence_of(one.tolist()), evidence_of(other.tolist())) > 0.2


@pytest.mark.parametrize(
    ("one", "other", "p"),
    [
        ([500.0] * 20, [500.0] * 20, 1.0),
        ([501.0] * 20, [500.0] * 20, 0.0),
        ([499.0] * 20, [500.0] * 20, 1.0),
        ([], [], 1.0),
        ([1.0], [0.0], 1.0),
        ([1.0, 2.0], [0.0], 1.0),
        ([1.0, math.nan], [0.0, 0.0], 1.0),
        ([1.0, math.inf], [0.0, 0.0], 1.0),
    ],
)
def test_pairs_of_odd_samples(one: list[float], other: list[float], p: float) -> None:
    assert paired_p(one, other) == p


@pytest.mark.parametrize(
    "metrics",
    [
        {},
        {"n_episodes": 10},
        {"n_episodes": 1, "score_se": math.nan},
        {"n_episodes": 10, "score_se": math.nan},
        {"n_episodes": 10, "score_se": math.inf},
        {"n_episodes": 10, "score_se": -1.0},
    ],
)
def test_evidence_that_cannot_be_used(metrics: dict[str, float]) -> None:
    assert MeanEvidence.of(EvalMetrics(1.0, {**metrics})) is None


def test_evidence_of_metrics() -> None:
    metrics = EvalMetrics(1.0, {"n_episodes": 2, "score_se": 0.0})
    assert MeanEvidence.of(metrics) == MeanEvidence(1.0, 0.0, 2)
    assert MeanEvidence.of(EvalMetrics(math.nan, metrics.metrics)) is None


@pytest.mark.parametrize(("effect", "n"), [(0.25, 198), (0.5, 50), (1.0, 13)])
def test_detectable_effect_is_that_of_the_tables(effect: float, n: int) -> None:
    # Episodes an arm for a gain of so many sd at power 0.8, one-sided 0.05 (Cohen 1988, 2.4.1).
    enough = MeanEvidence(7.0, 3.0 / math.sqrt(n), n)
    fewer = MeanEvidence(7.0, 3.0 / math.sqrt(n - 1), n - 1)
    assert minimum_detectable_effect(enough, n, level=0.05) <= 3.0 * effect
    assert minimum_detectable_effect(fewer, n - 1, level=0.05) > 3.0 * effect


def test_detectable_effect_holds_its_power() -> None:
    rng = np.random.default_rng(0)
    incumbent, n, runs = MeanEvidence(0.0, 1.0 / math.sqrt(20), 20), 20, 2000
    effect = minimum_detectable_effect(incumbent, n, level=0.05)
    hits = sum(
        welch_p(
            evidence_of((effect + rng.normal(size=n)).tolist()),
            evidence_of(rng.normal(size=n).tolist()),
        )
        < 0.05
        for _ in range(runs)
    )
    # The t test at 38 degrees of freedom is short of the normal one by about 0.01.
    assert hits / runs == pytest.approx(0.79, abs=0.03)


def test_detectable_is_what_a_promotion_would_prove() -> None:
    incumbent = MeanEvidence(0.0, 1.0 / math.sqrt(30), 30)
    # z at 0.98 and at 0.8 add up to 2.8954.
    assert minimum_detectable_effect(incumbent, 30) == pytest.approx(
        2.8954 / math.sqrt(15), abs=1e-4
    )
    assert paired_detectable_effect([1.0, 3.0], [0.0, 0.0]) == pytest.approx(2.8954, abs=1e-4)


def test_pairs_detect_what_their_spread_allows() -> None:
    one, other = [1.0, 2.0, 3.0, 4.0], [0.0, 2.0, 2.0, 3.0]
    effect = paired_detectable_effect(one, other, level=0.05)
    assert effect == pytest.approx(2.4865 * 0.5 / 2.0, abs=1e-3)
    assert math.isnan(paired_detectable_effect([1.0], [2.0]))
    assert paired_detectable_effect([5.0] * 3, [5.0] * 3) == 0.0
