"""The two-phase finite difference: its arithmetic against a slow reference, and 0.6.1's faults."""

import json
import math
from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core.domain import Domain
from optix_core.errors import CheckpointCorruptError, ConfigurationError
from optix_core.eval_metrics import EvalMetrics
from optix_core.hyperparam_set import HyperparamSet
from optix_core.optimizers import BackoffOptimizer

Params = dict[str, Any]


def play(
    optimizer: BackoffOptimizer,
    params: Params,
    scores: list[float] | Callable[[Params], float],
    n_evaluations: int = 0,
) -> list[Params]:
    """Tune an agent that takes every suggestion; return its parameters after each evaluation."""
    history: list[EvalMetrics] = []
    trace: list[Params] = []
    for index in range(n_evaluations if callable(scores) else len(scores)):
        score = scores(params) if callable(scores) else scores[index]
        history.append(EvalMetrics(score))
        params = optimizer.suggest(HyperparamSet(params), history).params
        trace.append(params)
    return trace


def test_one_cycle_that_keeps_and_one_that_reverses() -> None:
    trace = play(BackoffOptimizer(), {"a": 2.0, "b": -4.0}, [1.0, 2.0, 3.0, 2.5, 0.0, 0.0])
    assert trace == [
        {"a": 2.1, "b": -4.0},  # probe a: s0 = 1
        {"a": 2.1, "b": -4.0},  # s+ = 2: kept
        {"a": 2.1, "b": -3.8},  # the kept value scored 3: s0 of the probe of b
        {"a": 2.1, "b": -4.2},  # s+ = 2.5: turned to the other side
        {"a": 2.1 + 0.05 * 2.1, "b": -4.2},  # round robin: a again
        {"a": pytest.approx(0.95 * 2.1), "b": -4.2},  # equal: ĝ = 0 reverses
    ]


def reference(start: Params, scores: list[float], rel: float) -> Iterator[Params]:
    """The rule for unbounded floats other than (0, 1), written from its description."""
    params, names = dict(start), list(start)
    theta = s_0 = delta = math.nan
    for index, score in enumerate(scores):
        name = names[(index // 2) % len(names)]
        if index % 2 == 0:
            theta, s_0 = params[name], score
            delta = rel * (abs(theta) if theta != 0 else 1.0)
            params[name] = theta + delta
            delta = params[name] - theta
        else:
            gradient = (score - s_0) / delta
            params[name] = theta + delta if gradient > 0 else theta - delta
        yield dict(params)


@given(
    st.lists(st.sampled_from([-30.0, -4.5, -1.0, 0.0]), min_size=1, max_size=4),
    st.lists(st.floats(-1e6, 1e6), max_size=20),
    st.floats(0.01, 0.25),
)
def test_arithmetic_equals_the_reference(
    values: list[float], scores: list[float], rel: float
) -> None:
    params = {f"p{index}": value for index, value in enumerate(values)}
    trace = play(BackoffOptimizer(relative_step=rel), params, scores)
    for ours, theirs in zip(trace, reference(params, scores, rel), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-15)


values: st.SearchStrategy[Any] = st.one_of(
    st.integers(-1_000, 1_000),
    st.floats(-1e6, 1e6),
    st.floats(0.0, 1.0, exclude_min=True, exclude_max=True),
    st.floats(0.015625, 1.0, width=32, exclude_max=True).map(np.float32),
    st.integers(-128, 127).map(np.int8),
    st.booleans(),
    st.none(),
    st.text(max_size=3),
    st.lists(st.floats(), max_size=2),
)
any_params = st.dictionaries(st.sampled_from("abcdef"), values, max_size=5)
any_scores = st.lists(st.floats(), max_size=30)


@given(any_params, any_scores, st.lists(st.sampled_from("ipr-"), min_size=30, max_size=30))
def test_types_and_inferred_domains_survive_anything(
    params: Params, scores: list[float], events: list[str]
) -> None:
    optimizer = BackoffOptimizer()
    current = params
    for score, event in zip(scores, events, strict=False):
        metrics = EvalMetrics(score)
        if event == "i":
            optimizer.on_improvement(metrics)
        elif event == "p":
            optimizer.on_plateau([metrics])
        elif event == "r":
            optimizer.on_restart()
        before = HyperparamSet(current).copy().params
        current = optimizer.suggest(HyperparamSet(current), [metrics]).params
        assert sum(repr(before[name]) != repr(current[name]) for name in before) <= 1
        assert 0.01 <= optimizer.relative_step <= 0.25
    for name, first in params.items():
        last = current[name]
        assert type(last) is type(first)
        if isinstance(first, bool | str | list) or first is None:
            assert str(last) == str(cast("object", first))
        elif isinstance(first, float | np.floating) and 0 < first < 1:
            assert 0 < last < 1
        elif first > 0:
            assert last > 0


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-6, 6) | st.integers(-6, 6), any_scores)
def test_bounds_survive_any_scores(a: float, b: float, value: float, scores: list[float]) -> None:
    low, high = min(a, b), max(a, b)
    trace = play(BackoffOptimizer({"x": (low, high)}), {"x": value}, scores)
    for params in trace:
        assert params["x"] == value or low <= params["x"] <= high
        assert type(params["x"]) is type(value)


def test_reversal_goes_to_the_other_side() -> None:
    """0.6.1 returned to θ, so that parameters only rose."""
    assert play(BackoffOptimizer(), {"x": 10.0}, [1.0, 0.0])[-1] == {"x": 9.5}


def test_pure_noise_does_not_drive_a_parameter_up() -> None:
    """In 0.6.1 noise drove a parameter from 1.0 to 9.975 of 10."""
    finals: list[float] = []
    for seed in range(20):
        noise = np.random.default_rng(seed).standard_normal(400).tolist()
        finals.append(play(BackoffOptimizer({"x": (0.0, 10.0)}), {"x": 1.0}, noise)[-1]["x"])
    assert np.median(finals) < 3.0


def test_a_zero_gradient_reverses() -> None:
    """0.6.1 kept the probe."""
    assert play(BackoffOptimizer(), {"x": 10.0}, [-500.0, -500.0])[-1] == {"x": 9.5}


def test_ints_stay_ints_and_true_stays_true() -> None:
    params = {"epochs": 4, "use_gae": True, "rate": 0.1}
    for after in play(BackoffOptimizer(), params, [1.0, 0.0] * 20):
        assert type(after["epochs"]) is int
        assert after["use_gae"] is True


def test_an_int_moves_by_one_and_a_positive_one_stays_positive() -> None:
    trace = play(BackoffOptimizer(), {"epochs": 2}, [1.0, 0.0] * 5)
    assert [params["epochs"] for params in trace] == [3, 1, 2, 1, 2, 1, 2, 1, 2, 1]


def test_a_large_int_moves_by_its_share() -> None:
    assert [params["n"] for params in play(BackoffOptimizer(), {"n": 1_000}, [0.0, 0.0])] == [
        1_050,
        950,
    ]


def test_gamma_never_passes_one_and_moves_by_its_distance_to_one() -> None:
    trace = play(BackoffOptimizer(), {"gamma": 0.99}, list(map(float, range(400))))
    assert trace[0]["gamma"] == pytest.approx(0.99 + 0.05 * 0.01)
    assert 0.999 < trace[-1]["gamma"] < 1.0


def test_steps_shrink_on_improvement_and_grow_on_plateau_within_limits() -> None:
    optimizer = BackoffOptimizer()
    assert optimizer.relative_step == 0.05
    optimizer.on_improvement(EvalMetrics(1.0))
    assert optimizer.relative_step == 0.05 * 0.9
    optimizer.on_plateau([])
    assert optimizer.relative_step == 0.05 * 0.9 * 1.5
    for _ in range(30):
        optimizer.on_plateau([])
    assert optimizer.relative_step == 0.25
    for _ in range(60):
        optimizer.on_improvement(EvalMetrics(1.0))
    assert optimizer.relative_step == 0.01


def test_a_step_that_changes_between_probe_and_commit_does_not_change_the_reversal() -> None:
    optimizer = BackoffOptimizer()
    probed = optimizer.suggest(HyperparamSet({"x": 10.0}), [EvalMetrics(1.0)])
    optimizer.on_plateau([])
    assert optimizer.suggest(probed, [EvalMetrics(0.0)]).params == {"x": 9.5}


def test_the_gradient_uses_the_delta_that_clipping_left() -> None:
    trace = play(BackoffOptimizer({"x": (0.0, 10.1)}), {"x": 10.0}, [1.0, 0.0])
    assert trace[0]["x"] == 10.1
    assert trace[1]["x"] == pytest.approx(9.9)


def test_at_the_upper_bound_the_probe_goes_down() -> None:
    def tuner() -> BackoffOptimizer:
        return BackoffOptimizer({"x": (0.0, 10.0)})

    better = play(tuner(), {"x": 10.0}, [1.0, 2.0])
    assert [params["x"] for params in better] == [9.5, 9.5]
    for not_better in (1.0, 0.0):
        trace = play(tuner(), {"x": 10.0}, [1.0, not_better])
        assert [params["x"] for params in trace] == [9.5, 10.0]


def test_a_value_outside_its_bounds_is_brought_inside() -> None:
    trace = play(BackoffOptimizer({"x": (0.0, 1.0)}), {"x": 5.0}, [1.0, 0.0])
    assert [params["x"] for params in trace] == [1.0, 1.0]


def test_a_parameter_without_room_is_passed_over() -> None:
    tuner = BackoffOptimizer({"fixed": (3.0, 3.0)})
    trace = play(tuner, {"fixed": 3.0, "free": 4.0}, [1.0, 0.0, 1.0, 0.0])
    assert [params["fixed"] for params in trace] == [3.0] * 4
    assert trace[2]["free"] != trace[1]["free"]


@pytest.mark.parametrize("params", [{}, {"name": "x"}, {"fixed": 3.0}])
def test_nothing_to_tune_changes_nothing(params: Params) -> None:
    tuner = BackoffOptimizer({"fixed": (3.0, 3.0)})
    assert play(tuner, params, [1.0, 2.0, 0.0]) == [params] * 3
    assert tuner.probe is None


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_takes_the_probe_back(bad: float) -> None:
    trace = play(BackoffOptimizer(), {"x": 10.0, "n": 8}, [1.0, bad, bad, 1.0, bad])
    assert [(params["x"], params["n"]) for params in trace] == [
        (10.5, 8),
        (10.0, 8),
        (10.0, 8),  # no probe begins on such a score
        (10.0, 9),  # the next parameter's turn
        (10.0, 8),
    ]


def test_without_a_history_nothing_begins() -> None:
    assert BackoffOptimizer().suggest(HyperparamSet({"x": 1.0}), []).params == {"x": 1.0}


def test_the_agents_read_back_is_the_truth() -> None:
    optimizer = BackoffOptimizer()
    optimizer.suggest(HyperparamSet({"x": 10.0}), [EvalMetrics(1.0)])
    # The agent made 10.2 of the suggested 10.5, so δ = 0.2.
    kept = HyperparamSet({"x": 10.2})
    assert optimizer.suggest(kept, [EvalMetrics(0.0)]).params["x"] == pytest.approx(9.8)


def test_a_suggestion_that_the_agent_refused_is_not_committed() -> None:
    optimizer = BackoffOptimizer()
    same = HyperparamSet({"x": 10.0, "y": 2.0})
    assert optimizer.suggest(same, [EvalMetrics(1.0)]).params["x"] == 10.5
    # The score belongs to the unchanged values, so it serves the next probe.
    assert optimizer.suggest(same, [EvalMetrics(0.0)]).params == {"x": 10.0, "y": 2.1}
    assert optimizer.probe is not None
    assert optimizer.probe.score == 0.0


@pytest.mark.parametrize("replaced", ["fast", None, np.array([1.0]), math.nan])
def test_a_probe_of_what_is_no_number_any_more_is_dropped(replaced: Any) -> None:
    optimizer = BackoffOptimizer()
    optimizer.suggest(HyperparamSet({"x": 10.0}), [EvalMetrics(1.0)])
    after = optimizer.suggest(HyperparamSet({"x": replaced}), [EvalMetrics(0.0)])
    assert repr(after.params["x"]) == repr(replaced)
    assert optimizer.probe is None
    optimizer.suggest(HyperparamSet({"x": 10.0}), [EvalMetrics(1.0)])
    assert optimizer.suggest(HyperparamSet({}), [EvalMetrics(0.0)]).params == {}


def test_a_restart_drops_the_probe_and_keeps_the_turn() -> None:
    optimizer = BackoffOptimizer()
    start = HyperparamSet({"x": 10.0, "y": 2.0})
    optimizer.suggest(start, [EvalMetrics(1.0)])
    optimizer.on_restart()
    assert optimizer.probe is None
    assert optimizer.suggest(start, [EvalMetrics(0.0)]).params == {"x": 10.0, "y": 2.1}


def test_the_given_set_is_left_alone() -> None:
    given_set = HyperparamSet({"x": 1.0, "layers": [64]}, 7)
    suggested = BackoffOptimizer().suggest(given_set, [EvalMetrics(1.0)])
    suggested.params["layers"].append(1)
    assert given_set.params == {"x": 1.0, "layers": [64]}
    assert suggested.episode_id == 7


def test_declared_domains_hold() -> None:
    optimizer = BackoffOptimizer()
    optimizer.set_domains({"x": Domain(low=9.0, high=10.2)})
    trace = play(optimizer, {"x": 10.0, "y": 1.0}, [1.0, 2.0, 3.0, 2.0])
    assert [params["x"] for params in trace][:2] == [10.2, 10.2]
    assert {params["y"] for params in trace} == {1.0}


@given(any_scores, st.integers(0, 30))
def test_a_resumed_tuner_goes_on_as_if_nothing_had_happened(scores: list[float], cut: int) -> None:
    params: Params = {"a": 0.99, "n": 5, "k": np.float32(1.5), "c": 1.1}
    whole = play(BackoffOptimizer(), params, scores)
    cut = min(cut, len(scores))
    first = BackoffOptimizer()
    before = play(first, params, scores[:cut])
    second = BackoffOptimizer()
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert second.state_dict() == first.state_dict()
    after = play(second, before[-1] if before else params, scores[cut:])
    assert before + after == whole


@pytest.mark.parametrize(
    "damage",
    [{"relative_step": 7.0}, {"relative_step": None}, {"probe": 3}, {"inferred": {"a": "?"}}],
)
def test_a_damaged_state_is_refused_and_changes_nothing(damage: Params) -> None:
    optimizer = BackoffOptimizer()
    state = optimizer.state_dict()
    with pytest.raises(CheckpointCorruptError):
        optimizer.load_state_dict({**state, **damage})
    assert optimizer.state_dict() == state


@pytest.mark.parametrize("step", [0.0, 0.5, math.nan])
def test_a_step_out_of_its_limits_is_refused(step: float) -> None:
    with pytest.raises(ConfigurationError, match="relative_step"):
        BackoffOptimizer(relative_step=step)


def test_it_climbs_a_hill_without_noise() -> None:
    def hill(params: Params) -> float:
        return -((params["x"] - 3.0) ** 2) - (params["y"] + 1.0) ** 2

    final = play(BackoffOptimizer(), {"x": 1.0, "y": -3.0}, hill, 400)[-1]
    assert final["x"] == pytest.approx(3.0, abs=0.5)
    assert final["y"] == pytest.approx(-1.0, abs=0.3)
