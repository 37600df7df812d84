"""H01-H02: tuning keeps the type and the bounds of every value, whatever the scores."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optix_core import BackoffOptimizer, EvalMetrics, HyperparamSet, PBTOptimizer
from optix_core.base_optimizer import BaseOptimizer
from optix_core.domain_arithmetic import mutate
from optix_core.domain_inference import infer_domain

NUMBERS = (
    st.integers(-1000, 1000)
    | st.floats(-1e6, 1e6).map(lambda value: value + 0.0)
    | st.sampled_from([0, 0.0, -0.5, 1, 1e-12, 0.99, 1.0])
)
UNTUNED = st.booleans() | st.none() | st.text(max_size=5) | st.just([1, 2.0])
PARAMS = st.dictionaries(st.sampled_from("abcdef"), NUMBERS | UNTUNED, min_size=1, max_size=6)
SCORES = st.lists(
    st.floats(-1e3, 1e3) | st.sampled_from([math.nan, math.inf, -math.inf]), min_size=1, max_size=15
)
LOW, HIGH = -2.0, 2.0


def keeps(before: Any, after: Any) -> bool:
    """Whether type and range stayed, within (0, 1) or above 0; what is no number stays."""
    if not is_number(before):
        return type(before) is type(after) and before == after
    if type(before) is not type(after) or not math.isfinite(after):
        return False
    if isinstance(before, float) and before > 0:
        return after > 0 and (before >= 1 or after < 1)
    return True


def tune(tuner: BaseOptimizer, params: dict[str, Any], scores: list[float]) -> None:
    """Let a tuner suggest after each score, and compare every suggestion with what was given."""
    history: list[EvalMetrics] = []
    current = HyperparamSet(params)
    for score in scores:
        history.append(EvalMetrics(score))
        current = tuner.suggest(current, history)
        assert current.params.keys() == params.keys()
        for name, value in params.items():
            assert keeps(value, current.params[name]), (name, value, current.params[name])
        if math.isfinite(score):
            tuner.on_improvement(history[-1])
        else:
            tuner.on_plateau(history)


def is_number(value: object) -> bool:
    return type(value) in (int, float)


def tuners(bounds: dict[str, tuple[float, float]] | None) -> list[BaseOptimizer]:
    return [
        BackoffOptimizer(param_bounds=bounds),
        PBTOptimizer(param_bounds=bounds, seed=0),
    ]


def check(n_examples: int) -> None:
    @settings(max_examples=n_examples, deadline=None)
    @given(params=PARAMS, scores=SCORES)
    def every_tuner(params: dict[str, Any], scores: list[float]) -> None:
        for tuner in tuners(None):
            tune(tuner, dict(params), scores)

    every_tuner()


def test_types_and_ranges_are_kept() -> None:
    check(60)


@pytest.mark.slow
def test_types_and_ranges_are_kept_at_length() -> None:
    check(2000)


@pytest.mark.nightly
def test_types_and_ranges_are_kept_in_ten_thousand_cases() -> None:
    check(10_000)


@settings(max_examples=60, deadline=None)
@given(start=st.floats(LOW, HIGH) | st.integers(-2, 2), scores=SCORES)
def test_bounds_are_kept(start: float, scores: list[float]) -> None:
    for tuner in tuners({"a": (LOW, HIGH)}):
        history: list[EvalMetrics] = []
        current = HyperparamSet({"a": start})
        for score in scores:
            history.append(EvalMetrics(score))
            current = tuner.suggest(current, history)
            assert LOW <= current.params["a"] <= HIGH
            assert type(current.params["a"]) is type(start)


@settings(max_examples=200, deadline=None)
@given(value=NUMBERS, relative_sd=st.floats(0, 10), seed=st.integers(0, 2**32))
def test_mutation_keeps_type_and_range(value: Any, relative_sd: float, seed: int) -> None:
    domain = infer_domain(value)
    assert domain is not None
    rng = np.random.default_rng(seed)
    mutated = value
    for _ in range(5):
        mutated = mutate(domain, mutated, relative_sd, rng)
        assert keeps(value, mutated)


@given(value=UNTUNED)
def test_what_is_no_number_has_no_domain(value: Any) -> None:
    assert infer_domain(value) is None


def test_a_score_that_is_no_number_is_not_learned_from() -> None:
    """A population of which the only high scores are no numbers copies from nobody."""
    numbers, mixed = PBTOptimizer(seed=0), PBTOptimizer(seed=0)
    history: list[EvalMetrics] = []
    for index in range(10):
        params = HyperparamSet({"rate": 0.1 + index / 100})
        history.append(EvalMetrics(float(-index)))
        numbers.suggest(params, history)
        mixed.suggest(params, history)
    for score in (math.nan, math.inf, math.nan):
        mixed.suggest(HyperparamSet({"rate": 0.999}), [*history, EvalMetrics(score)])
    assert "0.999" not in repr(mixed.state_dict())
    numbers.suggest(HyperparamSet({"rate": 0.999}), [*history, EvalMetrics(5.0)])
    assert "0.999" in repr(numbers.state_dict())
