"""The plateau test against plain-Python least squares, and on curves whose plateau is known."""

import itertools
import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core import EvalMetrics
from optix_core.errors import CheckpointCorruptError
from optix_core.plateau_fit import fit_plateau
from optix_core.plateau_rule import IN_A_ROW, MIN_EVALUATIONS, MIN_LATER, RULES, THOROUGH
from optix_core.plateau_test import CAPACITY, PlateauProof, PlateauTest
from optix_core.student_t import student_quantile


def scored(score: float, error: float = 0.0) -> EvalMetrics:
    return EvalMetrics(score, {"n_episodes": 10, "score_se": error})


@st.composite
def series(draw: st.DrawFn) -> tuple[list[int], list[float]]:
    gaps = draw(st.lists(st.integers(1, 20), min_size=3, max_size=40))
    windows = [sum(gaps[: i + 1]) for i in range(len(gaps))]
    scores = draw(
        st.lists(
            st.integers(-10_000, 10_000).map(lambda n: n / 10),
            min_size=len(windows),
            max_size=len(windows),
        )
    )
    return windows, scores


@given(series())
def test_the_line_is_that_of_plain_least_squares(data: tuple[list[int], list[float]]) -> None:
    windows, scores = data
    n = len(windows)
    w_mean, s_mean = sum(windows) / n, sum(scores) / n
    square = sum((w - w_mean) ** 2 for w in windows)
    pairs = list(zip(windows, scores, strict=True))
    slope = sum((w - w_mean) * (s - s_mean) for w, s in pairs) / square
    residuals = [s - s_mean - slope * (w - w_mean) for w, s in pairs]
    sse = sum(e * e for e in residuals)
    fit = fit_plateau(windows, scores)
    assert fit is not None
    assert fit.n == n
    assert fit.slope == pytest.approx(slope, rel=1e-9, abs=1e-9)
    assert fit.level == pytest.approx(s_mean, rel=1e-9, abs=1e-9)
    assert fit.span == pytest.approx((windows[-1] - windows[0]) * n / (n - 1))
    assert fit.residual_sd == pytest.approx(math.sqrt(sse / (n - 2)), rel=1e-6, abs=1e-6)
    if sse > 1e-6:
        lagged = sum(residuals[i] * residuals[i + 1] for i in range(n - 1)) / sse
        rho = min(max(lagged, 0.0), 0.9)
        assert fit.autocorrelation == pytest.approx(rho, abs=1e-6)
        inflation = (1 + rho) / (1 - rho)
        error = math.sqrt(sse / (n - 2) / square * inflation)
        assert fit.slope_se == pytest.approx(error, rel=1e-5)
        assert fit.df == pytest.approx(n / inflation - 2, rel=1e-4, abs=1e-6)
        if fit.df >= 1.0:
            bound = (slope + student_quantile(0.9, math.floor(fit.df)) * error) * fit.span
            assert fit.gain_bound(0.9) == pytest.approx(bound, rel=1e-4, abs=1e-6)
            assert fit.gain_bound(0.8) <= fit.gain_bound(0.9)
        else:
            assert fit.gain_bound(0.9) == math.inf


@given(st.floats(-1e300, 1e300), st.integers(3, 30))
def test_equal_scores_are_flat_for_sure(score: float, n: int) -> None:
    fit = fit_plateau(range(n), [score] * n)
    assert fit is not None
    assert (fit.slope, fit.slope_se, fit.residual_sd, fit.autocorrelation) == (0, 0, 0, 0)
    assert fit.level == score


def test_fewer_than_three_evaluations_have_no_line() -> None:
    assert fit_plateau([0, 1], [1.0, 2.0]) is None


@given(series(), st.integers(-3, 3), st.floats(-100, 100))
def test_units_of_the_score_do_not_matter(
    data: tuple[list[int], list[float]], power: int, shift: float
) -> None:
    windows, scores = data
    fit = fit_plateau(windows, scores)
    other = fit_plateau(windows, [2.0**power * s + shift for s in scores])
    assert fit is not None
    assert other is not None
    assert other.slope == pytest.approx(2.0**power * fit.slope, rel=1e-6, abs=1e-6)


def proven_at(
    scores: Sequence[float], error: float = 0.0, test: PlateauTest | None = None, step: int = 1
) -> int | None:
    """The first evaluation at which a plateau is proven; None for never."""
    test = PlateauTest() if test is None else test
    for window_id, score in enumerate(scores):
        if test.observe(scored(score, error), step * window_id) is not None:
            return window_id
    return None


RISE = [20.0, 70.0, 200.0, 350.0, 480.0]

N_FLAT = MIN_EVALUATIONS + IN_A_ROW - 1
"""Flat evaluations that are proof, where they are few."""


def fluctuating(level: float, sd: float, n: int, seed: int = 0) -> list[float]:
    """Scores of a policy that is at its end and changes from window to window."""
    return list(level + sd * np.random.default_rng(seed).standard_normal(n))


def test_a_run_at_the_ceiling_stops_soon() -> None:
    assert proven_at([*RISE, *[500.0] * 40]) == len(RISE) + N_FLAT - 1


@pytest.mark.parametrize("step", [2, 5])
def test_evaluations_far_apart_count_windows(step: int) -> None:
    assert proven_at([*RISE, *[500.0] * 40], step=step) == proven_at([*RISE, *[500.0] * 40])


def test_what_is_learned_within_three_windows_is_believed_within_nine() -> None:
    curve = [500.0 * (1.0 - math.exp(-1.5 * t)) for t in range(12)]
    assert proven_at(curve) == 8


@pytest.mark.parametrize("seed", range(5))
def test_scores_that_fluctuate_more_than_their_errors_explain_are_watched_for_longer(
    seed: int,
) -> None:
    scores = [*RISE, *fluctuating(500.0, 20.0, 60, seed)]
    explained, unexplained = proven_at(scores, 20.0), proven_at(scores, 5.0)
    assert explained is not None
    assert unexplained is not None
    assert explained <= unexplained


@given(
    st.integers(0, 10**6),
    st.sampled_from(["rises", "rises and falls", "stands still"]),
    st.sampled_from([0.0, 20.0, 60.0]),
    st.sampled_from([0.5, 1.0, 3.0]),
)
def test_the_proof_is_the_rule_read_aloud(
    seed: int, kind: str, error: float, scatter: float
) -> None:
    rng = np.random.default_rng(seed)
    t, scale = np.arange(60.0), rng.uniform(1.0, 15.0)
    curve = 1000.0 * (1.0 - np.exp(-t / scale))
    if kind == "rises and falls":
        curve -= rng.uniform(0.0, 8.0) * np.maximum(t - 4.0 * scale, 0.0)
    if kind == "stands still":
        curve *= np.where(t < rng.uniform(5.0, 40.0), 0.4, 1.0)
    scores = list(curve + scatter * error * rng.standard_normal(60))
    met: list[tuple[bool, bool]] = [(False, False)] * 4
    test = PlateauTest()
    for n in range(1, 61):
        met = [*met, aloud(scores[:n], error)] if n > 4 else met
        proof = test.observe(scored(scores[n - 1], error), n - 1)
        expected = [
            rule
            for index, (rule, share) in enumerate(zip(RULES, (0.0, 0.15), strict=True))
            if is_held([each[index] for each in met[-n:]], share)
        ]
        assert (None if proof is None else proof.rule) is (expected[0] if expected else None)


def is_held(met: list[bool], share: float) -> bool:
    """Whether a rule holds by now, one evaluation a window, for that share of the windows."""
    row = len(met) - 1 - max((i for i, each in enumerate(met) if not each), default=-1)
    return row >= 3 and row - 1 >= share * (len(met) - 1)


def aloud(scores: Sequence[float], error: float) -> tuple[bool, bool]:
    """Both rules at the last of these scores, one a window, five of them at least."""
    n = len(scores)
    last = scores[-max(4, sum(w > n - 1 - 0.42 * n for w in range(n))) :]
    means = [sum(scores[i - 5 : i]) / 5 for i in range(5, n + 1)]
    score_range = max(means) - min(scores[0], *means)
    fit = fit_plateau(range(len(last)), last)
    assert fit is not None
    noise, gain, bound = max(fit.residual_sd, error), fit.slope * fit.span, fit.gain_bound(0.9)
    rises = gain >= 0.05 * score_range
    falls = -gain >= 0.05 * score_range and -gain >= bound - gain
    is_at_best = fit.level > max(means) - 0.05 * score_range - noise * 2 / math.sqrt(5)
    has_risen = fit.level - min(scores[0], sum(scores[:5]) / 5) > 5 * noise
    is_level = not rises and not falls and is_at_best and has_risen
    return (
        is_level and bound < 0.07 * score_range,
        is_level and fit.df >= 1 and fit.residual_sd <= 1.5 * error,
    )


def test_a_line_that_falls_is_not_level() -> None:
    def falling(per_window: float) -> list[float]:
        return [*RISE, *(level - per_window * i for i, level in enumerate(fluctuating(500, 1, 30)))]

    assert proven_at(falling(12.0)) is None
    assert proven_at(falling(0.5)) is not None


@given(st.integers(0, 50), st.integers(1, 400), st.integers(1, 30))
def test_it_asks_for_an_evaluation_when_5_percent_of_the_round_have_passed(
    first: int, length: int, shortest: int
) -> None:
    test = PlateauTest()
    assert not test.is_blind(first, shortest)
    for window_id in (first, first + length):
        test.observe(scored(0.0), window_id)
    blind = [
        w for w in range(first + length + 1, first + 2 * length + 60) if test.is_blind(w, shortest)
    ]
    gap = next(g for g in itertools.count(1) if g >= shortest and 20 * g >= length + g + 1)
    assert blind[0] == first + length + gap


def test_a_score_that_never_rose_is_left_to_the_count() -> None:
    rng = np.random.default_rng(0)
    assert proven_at([-500.0] * 300) is None
    assert proven_at(list(rng.normal(0.0, 1.0, 300)), error=1.0) is None


def test_a_rise_within_known_errors_is_none() -> None:
    scores = [9.1, 9.3, *[9.4] * 100]
    assert proven_at(scores, error=0.2) is None
    assert proven_at(scores) is not None


def test_a_dip_is_not_taken_for_the_end() -> None:
    rise = list(np.linspace(0.0, 400.0, 30))
    dipped = [*rise, *[150.0] * 25]
    assert proven_at(dipped) is None
    recovered = [*dipped, *[420.0] * 60]
    assert proven_at(recovered) is not None


def test_steady_learning_goes_on() -> None:
    rng = np.random.default_rng(1)
    assert proven_at(list(np.arange(300.0) + rng.normal(0.0, 10.0, 300)), error=10.0) is None


def test_a_new_round_needs_evaluations_of_its_own_but_no_new_rise() -> None:
    test = PlateauTest()
    assert proven_at([*RISE, *[500.0] * 40], test=test) is not None
    test.begin_round()
    assert proven_at([500.0] * 40, test=test) == MIN_LATER + IN_A_ROW - 2


def test_what_is_no_evidence_is_passed_over() -> None:
    test = PlateauTest()
    before = test.state_dict()
    for metrics in (
        EvalMetrics(1.0),
        scored(math.nan),
        scored(math.inf),
        scored(1.0, math.nan),
        EvalMetrics(1.0, {"n_episodes": 10}),
    ):
        assert test.observe(metrics, 0) is None
    assert test.state_dict() == before


def test_memory_is_bounded() -> None:
    test = PlateauTest()
    for window_id in range(3 * CAPACITY):
        test.observe(scored(float(window_id)), window_id)
    assert len(test.state_dict()["scores"]) <= CAPACITY


def test_the_proof_tells_its_numbers() -> None:
    test = PlateauTest()
    proof: PlateauProof | None = None
    for window_id, score in enumerate([*RISE, *[500.0] * 8]):
        proof = test.observe(scored(score), window_id)
    assert proof is not None
    assert proof.rule is THOROUGH
    assert str(proof) == (
        "the plateau test: over the last 6 evaluations (6 windows) the score gained at most 0 "
        "(90 % bound), of a range of 480, after a rise of 480"
    )


@given(st.integers(0, 40), st.sampled_from([0.5, 1.0, 5.0]), st.integers(0, 1))
def test_its_state_goes_on_where_it_was_saved(cut: int, error: float, n_rounds: int) -> None:
    rng = np.random.default_rng(cut)
    scores = [*RISE, *(500.0 - rng.exponential(3.0, 40))]
    first, second = PlateauTest(), PlateauTest()
    for _ in range(n_rounds):
        first.begin_round()
    proofs: list[list[PlateauProof | None]] = [[], []]
    for window_id, score in enumerate(scores):
        if window_id == cut:
            second.load_state_dict(json.loads(json.dumps(first.state_dict())))
        proofs[0].append(first.observe(scored(score, error), window_id))
        if window_id >= cut:
            proofs[1].append(second.observe(scored(score, error), window_id))
    assert proofs[0][cut:] == proofs[1]
    assert first.state_dict() == second.state_dict()


def test_a_state_of_something_else_is_refused() -> None:
    with pytest.raises(CheckpointCorruptError, match="PlateauTest"):
        PlateauTest().load_state_dict({"scores": []})
