"""Exploit from the lowest fifth, explore otherwise; types, bounds and generator are kept."""

import math
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core.domain import Domain
from optix_core.errors import CheckpointCorruptError, ConfigurationError
from optix_core.eval_metrics import EvalMetrics
from optix_core.hyperparam_set import HyperparamSet
from optix_core.optimizers import PBTOptimizer

Params = dict[str, Any]


def enter(optimizer: PBTOptimizer, params: Params, score: float) -> Params:
    return optimizer.suggest(HyperparamSet(params), [EvalMetrics(score)]).params


def filled(scores: list[float], seed: int = 0) -> PBTOptimizer:
    """Return a tuner whose history holds x = 100 + index with these scores."""
    optimizer = PBTOptimizer(seed=seed)
    for index, score in enumerate(scores):
        enter(optimizer, {"x": 100.0 + index}, score)
    return optimizer


def test_fewer_than_five_entries_explore() -> None:
    optimizer = filled([5.0, 4.0, 3.0])
    moved = enter(optimizer, {"x": 1.0}, 2.0)["x"]
    assert moved not in {1.0, 100.0, 101.0, 102.0}


def test_the_fifth_entry_may_exploit_the_best() -> None:
    assert enter(filled([1.0, 9.0, 3.0, 4.0]), {"x": 1.0}, 0.5) == {"x": 101.0}


def test_a_score_above_the_lowest_fifth_explores_by_the_formula() -> None:
    optimizer = filled([1.0, 9.0, 3.0, 4.0])
    optimizer.set_rng(np.random.default_rng(7))
    noise = np.random.default_rng(7).standard_normal()
    assert enter(optimizer, {"x": 2.0}, 2.0) == {"x": 2.0 * (1 + 0.1 * noise)}


def test_between_bounds_it_explores_in_proportion_to_the_room() -> None:
    optimizer = PBTOptimizer({"x": (-10.0, 10.0)})
    optimizer.set_rng(np.random.default_rng(7))
    noise = np.random.default_rng(7).standard_normal()
    assert enter(optimizer, {"x": 2.0}, 2.0) == {"x": 2.0 + 0.1 * 20.0 * noise}


def test_exploits_are_uniform_among_the_best_fifth() -> None:
    chosen: list[float] = []
    for seed in range(300):
        optimizer = filled([float(score) for score in range(1, 15)], seed)
        optimizer.set_rng(np.random.default_rng(seed))
        chosen.append(enter(optimizer, {"x": 1.0}, 0.0)["x"])
    names, counts = np.unique(chosen, return_counts=True)
    assert names.tolist() == [111.0, 112.0, 113.0]
    assert counts.min() > 70


def reference_is_lowest(earlier: list[float], score: float) -> bool:
    """By sorting: whether the last place that the score can take is within the lowest fifth."""
    ranked = sorted([*earlier, score], reverse=True)
    places_from_below = len(ranked) - ranked.index(score)
    return len(ranked) >= 5 and places_from_below <= max(1, len(ranked) // 5)


@given(st.lists(st.integers(0, 20).map(float), max_size=40), st.integers(0, 20).map(float))
def test_exploits_exactly_from_the_lowest_fifth(earlier: list[float], score: float) -> None:
    optimizer = filled(earlier)
    after = enter(optimizer, {"x": 1.0}, score)["x"]
    assert (after >= 100.0) == reference_is_lowest(earlier, score)
    if after >= 100.0:
        n_best = max(1, (len(earlier) + 1) // 5)
        assert earlier[int(after) - 100] in sorted(earlier, reverse=True)[:n_best]


def test_the_newer_of_equal_scores_is_taken() -> None:
    assert enter(filled([9.0, 9.0, 9.0, 9.0]), {"x": 1.0}, 0.0) == {"x": 103.0}


def test_a_constant_score_explores() -> None:
    optimizer = filled([3.0] * 30)
    assert enter(optimizer, {"x": 1.0}, 3.0)["x"] < 50.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_enters_nothing(bad: float) -> None:
    early = filled([1.0, 2.0])
    assert enter(early, {"x": 1.0}, bad) == {"x": 1.0}
    assert early.n_entries == 2
    late = filled([1.0, 9.0, 3.0, 4.0, 5.0])
    assert enter(late, {"x": 1.0}, bad) == {"x": 101.0}
    assert late.n_entries == 5


def test_without_a_history_nothing_happens() -> None:
    optimizer = PBTOptimizer()
    assert optimizer.suggest(HyperparamSet({"x": 1.0}), []).params == {"x": 1.0}


def test_the_last_256_are_kept() -> None:
    optimizer = filled([1e9] + [float(score) for score in range(1, 257)])
    assert optimizer.n_entries == 256
    assert enter(optimizer, {"x": 1.0}, 0.0)["x"] != 100.0


values: st.SearchStrategy[Any] = st.one_of(
    st.integers(-1_000, 1_000),
    st.floats(-1e6, 1e6),
    st.floats(0.0, 1.0, exclude_min=True, exclude_max=True),
    st.floats(0.015625, 1.0, width=32, exclude_max=True).map(np.float32),
    st.booleans(),
    st.none(),
    st.text(max_size=3),
    st.lists(st.floats(), max_size=2),
)


@given(
    st.dictionaries(st.sampled_from("abcdef"), values, max_size=5),
    st.lists(st.floats(), max_size=25),
    st.integers(0, 5),
)
def test_types_and_inferred_domains_survive_anything(
    params: Params, scores: list[float], seed: int
) -> None:
    optimizer = PBTOptimizer(seed=seed)
    current = params
    for score in scores:
        current = enter(optimizer, current, score)
    for name, first in params.items():
        last = current[name]
        assert type(last) is type(first)
        if isinstance(first, bool | str | list) or first is None:
            assert str(last) == str(cast("object", first))
        elif isinstance(first, float | np.floating) and 0 < first < 1:
            assert 0 < last < 1
        elif first > 0:
            assert last > 0


@given(
    st.floats(-5, 5),
    st.floats(-5, 5),
    st.floats(-6, 6) | st.integers(-6, 6),
    st.lists(st.floats(), max_size=25),
)
def test_bounds_survive_any_scores(a: float, b: float, value: float, scores: list[float]) -> None:
    low, high = min(a, b), max(a, b)
    optimizer = PBTOptimizer({"x": (low, high)}, seed=0)
    current: Params = {"x": value}
    for score in scores:
        current = enter(optimizer, current, score)
        assert current["x"] == value or low <= current["x"] <= high
        assert type(current["x"]) is type(value)


def test_an_exploited_value_takes_the_type_that_the_parameter_has_now() -> None:
    optimizer = PBTOptimizer(seed=0)
    for score in (1.0, 2.0, 3.0, 9.0):
        enter(optimizer, {"x": 7.6, "gone": 1.0}, score)
    after = enter(optimizer, {"x": 3, "new": 0.5}, 0.0)
    assert after == {"x": 8, "new": 0.5}
    assert type(after["x"]) is int


def test_declared_domains_hold() -> None:
    optimizer = PBTOptimizer(seed=0)
    optimizer.set_domains({"x": Domain(low=1e-5, high=1e-2, log=True)})
    current: Params = {"x": 1e-3, "y": 2.0}
    seen: list[float] = []
    for score in range(200):
        current = enter(optimizer, current, float(score))
        seen.append(current["x"])
        assert current["y"] == 2.0
    assert 1e-5 <= min(seen) < 1e-3 < max(seen) <= 1e-2


def test_no_global_generator_is_touched() -> None:
    def global_state() -> str:
        return repr(np.random.get_state())  # noqa: NPY002 -- to see that nobody used it

    before = global_state()
    filled([1.0, 2.0, 3.0, 4.0, 5.0, 0.0])
    assert global_state() == before


def test_the_same_seed_gives_the_same_suggestions() -> None:
    runs = [[enter(filled([1.0, 2.0, 3.0], seed), {"x": 5.0}, 4.0)["x"] for seed in (1, 1, 2)]]
    assert runs[0][0] == runs[0][1] != runs[0][2]


def test_a_resumed_tuner_goes_on_as_if_nothing_had_happened() -> None:
    scores = np.random.default_rng(2).normal(size=60).tolist()
    optimizer = PBTOptimizer(seed=4)
    current: Params = {"a": 0.99, "n": 50, "c": 1.1}
    for score in scores[:30]:
        current = enter(optimizer, current, score)
    resumed = PBTOptimizer(seed=99)
    resumed.load_state_dict(optimizer.state_dict())
    again = current
    for score in scores[30:]:
        current, again = enter(optimizer, current, score), enter(resumed, again, score)
        assert current == again


@pytest.mark.parametrize("damage", [{"history": 3}, {"rng": {}}, {"inferred": {"a": "?"}}])
def test_a_damaged_state_is_refused(damage: Params) -> None:
    optimizer = PBTOptimizer(seed=0)
    with pytest.raises(CheckpointCorruptError):
        optimizer.load_state_dict({**optimizer.state_dict(), **damage})


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="got -1"):
        PBTOptimizer(seed=-1)
