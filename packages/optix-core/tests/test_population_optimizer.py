"""Challengers: equal age, weights and hyperparameters together, pins, budget, resumption."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core import Domain, EvalMetrics, HyperparamSet
from optix_core.branching import BranchingTuner
from optix_core.errors import CheckpointCorruptError, ConfigurationError
from optix_core.optimizers.population_optimizer import PopulationOptimizer
from optix_core.work_unit import WorkUnit

from .model_branches import ModelBranches, evaluation, near

SPACE = {
    "rate": Domain(low=1e-6, high=1.0, log=True),
    "gamma": Domain(low=0.5, high=0.999),
    "count": Domain(low=1, high=32, integer=True),
}
PARAMS = {"rate": 1e-5, "gamma": 0.9, "count": 4, "name": "kept"}


def flat(params: Mapping[str, Any]) -> float:
    return 0.0


def population(seed: int = 0, **settings: Any) -> PopulationOptimizer:
    tuner = PopulationOptimizer(**settings)
    tuner.set_domains(SPACE)
    tuner.set_rng(np.random.default_rng(seed))
    return tuner


def run(
    tuner: PopulationOptimizer, branches: ModelBranches, n_windows: int, slope: float = 0.0
) -> None:
    """Play windows; the learner's scores show no more than this slope."""
    for _ in range(n_windows):
        played = range(branches.learner_windows)
        tuner.step(branches, [evaluation(window_id, slope * window_id) for window_id in played])
        branches.next_window()


def challenged(branches: ModelBranches, seed: int = 0, **settings: Any) -> PopulationOptimizer:
    """A tuner whose learner has just been challenged for the first time."""
    tuner = population(seed, **settings)
    while not branches.units:
        run(tuner, branches, 1)
    return tuner


def training(branches: ModelBranches) -> list[WorkUnit]:
    return [unit for unit in branches.units if unit.n_windows]


def expected_holds(tuner: PopulationOptimizer) -> Counter[str]:
    return Counter(tuner.held())


def test_a_learner_that_rises_trains_alone() -> None:
    tuner, branches = population(), ModelBranches(PARAMS, near("rate", 1e-2))
    run(tuner, branches, 100, slope=1.0)
    assert branches.units == []
    assert tuner.challengers == ()
    assert branches.learner.age == 100


def test_a_learner_that_does_not_rise_is_challenged_by_a_draw() -> None:
    branches = ModelBranches(PARAMS, flat)
    tuner = challenged(branches, n_members=3)
    one, other = (unit.hyperparams for unit in training(branches))
    assert len({params["rate"] for params in (PARAMS, one, other)}) == 3
    for params in (one, other):
        assert params["name"] == "kept"
        assert 1e-6 <= params["rate"] <= 1.0
        assert 0.5 <= params["gamma"] <= 0.999
        assert type(params["count"]) is int
        assert 1 <= params["count"] <= 32
    assert branches.hyperparams == PARAMS
    assert branches.held() == expected_holds(tuner)


@pytest.mark.parametrize(("highest", "began"), [(20, 40), (0, 0)])
def test_challengers_begin_with_the_weights_of_a_learner_that_has_risen_or_with_its_first(
    highest: int, began: int
) -> None:
    branches, tuner = ModelBranches(PARAMS, flat, max_windows=400), population()
    while not branches.units:
        played = range(branches.learner_windows)
        tuner.step(branches, [evaluation(each, min(each, highest)) for each in played])
        branches.next_window()
    (unit,) = training(branches)
    assert unit.n_windows == 20
    assert branches.snapshots[unit.parent].age == began


def test_challengers_wait_for_a_learner_that_rises() -> None:
    branches = ModelBranches(PARAMS, flat, noise=0.0)
    tuner = challenged(branches)
    before, n_units = tuner.challengers, len(branches.units)
    assert len(before) == 1
    run(tuner, branches, 100, slope=1.0)
    assert tuner.challengers == before
    assert len(branches.units) == n_units
    while len(branches.units) == n_units:
        run(tuner, branches, 1)
    unit = training(branches)[-1]
    assert unit.parent == before[0].snapshot
    assert unit.hyperparams == before[0].params


def test_one_that_is_given_up_makes_room_for_another_draw() -> None:
    branches = ModelBranches(PARAMS, flat, noise=0.0)
    tuner = challenged(branches)
    while len(training(branches)) < 4:
        run(tuner, branches, 1)
    first, second, third, fourth = (unit.hyperparams for unit in training(branches))
    assert first == second == third  # in its third generation it has to be ahead
    assert fourth != third
    assert branches.held() == expected_holds(tuner)


def test_without_waiting_every_generation_is_compared() -> None:
    tuner, branches = population(waits=False), ModelBranches(PARAMS, flat)
    run(tuner, branches, 16, slope=1.0)
    assert [unit.n_windows for unit in branches.units] == 5 * [3, 0]


def test_a_step_size_that_is_steered_stays_as_it_is() -> None:
    steered = frozenset({"rate"})
    branches = ModelBranches(PARAMS, near("gamma", 0.6), noise=1e-3, steered=steered)
    tuner = challenged(branches)
    run(tuner, branches, 60)
    assert {unit.hyperparams["rate"] for unit in branches.units} == {PARAMS["rate"]}
    assert len({unit.hyperparams["gamma"] for unit in branches.units}) > 4


def test_a_generation_is_three_windows_and_five_percent_of_a_long_run() -> None:
    for max_windows, generation in ((None, 3), (60, 3), (400, 20)):
        branches = ModelBranches(PARAMS, flat, max_windows=max_windows)
        challenged(branches)
        assert [unit.n_windows for unit in branches.units] == [generation, 0]


def test_a_generation_grows_with_a_run_without_a_budget() -> None:
    tuner, branches = population(), ModelBranches(PARAMS, flat)
    run(tuner, branches, 200)
    lengths = [unit.n_windows for unit in training(branches)]
    assert lengths[0] == 3
    assert lengths[-1] >= 10


def test_all_are_examined_on_the_same_episodes() -> None:
    tuner, branches = population(n_members=3), ModelBranches(PARAMS, near("rate", 1e-2))
    run(tuner, branches, 120)
    assert len(branches.ages) > 8
    for start in range(0, len(branches.units), 3):
        units = branches.units[start : start + 3]
        assert len({unit.exam_seed for unit in units}) == 1
        assert len({unit.seed for unit in units}) == 3
        assert [bool(unit.n_windows) for unit in units] == [True, True, False]


def test_without_validation_nothing_is_played_for_scores() -> None:
    # The learner's own evaluations, 0 with an error of 1, are what a challenger is held to.
    branches = ModelBranches(PARAMS, lambda _: 1.0, noise=1e-3, has_held_out=False)
    tuner = challenged(branches)
    assert [(unit.n_windows, unit.n_episodes) for unit in branches.units] == [(3, 0)]
    assert branches.adopted
    assert branches.held() == expected_holds(tuner)


def test_a_proven_challenger_becomes_the_learner_with_weights_and_hyperparameters() -> None:
    branches = ModelBranches(PARAMS, near("rate", 1e-2), noise=1e-3)
    tuner = population()
    while not branches.adopted:
        run(tuner, branches, 1)
    unit = training(branches)[-1]
    ((snapshot, params),) = branches.adopted
    assert params == unit.hyperparams
    assert params != PARAMS
    grown = branches.snapshots[snapshot]
    assert grown.age == branches.snapshots[unit.parent].age + unit.n_windows
    assert (branches.learner.age, branches.learner.skill) == (grown.age, grown.skill)
    assert branches.learner.params == params
    assert branches.held() == expected_holds(tuner)


def test_the_best_of_several_proven_ones_becomes_the_learner() -> None:
    skill = near("rate", 1e-2)
    branches = ModelBranches(PARAMS, skill, noise=1e-3)
    tuner = population(n_members=5)
    while not branches.adopted:
        run(tuner, branches, 1)
    ends = [branches.trained(branches.snapshots[u.parent], 0) for u in training(branches)[-4:]]
    found = [
        end.skill + unit.n_windows * skill(unit.hyperparams)
        for end, unit in zip(ends, training(branches)[-4:], strict=True)
    ]
    assert branches.learner.skill == pytest.approx(max(found))


def test_every_window_is_counted_and_the_budget_is_kept() -> None:
    tuner, branches = population(), ModelBranches(PARAMS, near("rate", 1e-2), max_windows=60)
    while branches.windows < 60:
        run(tuner, branches, 1)
    assert branches.windows == 60
    assert branches.branch_windows == sum(unit.n_windows for unit in branches.units) > 0
    assert tuner.challengers == ()
    assert branches.held() == {}


def test_a_search_ends_with_hyperparameters_that_learn() -> None:
    found: list[float] = []
    for seed in range(5):
        tuner = population(seed)
        branches = ModelBranches(PARAMS, near("rate", 1e-2), max_windows=400)
        while branches.windows < 400:
            run(tuner, branches, 1)
        found.append(branches.learner.params["rate"])
    assert np.median(np.abs(np.log10(found) + 2.0)) < 0.5


@given(st.integers(0, 10**6), st.floats(0.0, 5.0))
def test_equals_never_replace_the_learner(seed: int, noise: float) -> None:
    tuner, branches = population(seed), ModelBranches(PARAMS, flat, noise=noise)
    run(tuner, branches, 30)
    assert branches.adopted == []
    assert branches.learner.params == PARAMS
    assert branches.learner.age == 30


def test_a_restart_begins_anew_with_the_learner_as_it_is() -> None:
    branches = ModelBranches(PARAMS, flat, noise=0.0)
    tuner = challenged(branches)
    tuner.on_restart()
    began, n_units = branches.learner.age, len(branches.units)
    run(tuner, branches, 1)
    assert tuner.challengers == ()
    (origin,) = tuner.held()
    assert branches.snapshots[origin].age == began
    assert branches.held() == expected_holds(tuner)
    while len(branches.units) == n_units:
        run(tuner, branches, 1)
    assert branches.learner.age >= began + 4


def test_without_anything_to_tune_there_is_no_population(caplog: pytest.LogCaptureFixture) -> None:
    tuner = PopulationOptimizer()
    branches = ModelBranches({"name": "adam"}, flat)
    run(tuner, branches, 5)
    assert branches.units == []
    assert tuner.held() == []
    assert "no hyperparameter" in caplog.text


def test_suggest_changes_nothing() -> None:
    current = HyperparamSet(dict(PARAMS))
    assert population().suggest(current, [EvalMetrics(1.0)]).params == PARAMS


def test_without_declarations_values_say_what_may_be_tuned() -> None:
    tuner = PopulationOptimizer({"gamma": (0.8, 0.99)}, seed=0)
    branches = ModelBranches(dict(PARAMS), near("rate", 1e-2))
    run(tuner, branches, 60)
    assert training(branches)
    for unit in training(branches):
        assert 0.0 < unit.hyperparams["rate"] < 1.0
        assert 0.8 <= unit.hyperparams["gamma"] <= 0.99
        assert unit.hyperparams["count"] >= 1


@given(st.integers(0, 40), st.integers(0, 10**6))
def test_a_search_restored_in_the_middle_of_a_generation_goes_on_alike(
    n_windows: int, seed: int
) -> None:
    one, other = (ModelBranches(PARAMS, near("rate", 1e-2), max_windows=150) for _ in range(2))
    first, twin, second = population(seed), population(seed), population(seed + 1)
    run(first, one, n_windows)
    run(twin, other, n_windows)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert second.held() == first.held()
    run(first, one, 15)
    run(second, other, 15)
    assert one.units == other.units
    assert one.learner == other.learner
    assert first.challengers == second.challengers
    assert first.state_dict() == second.state_dict()


DAMAGES: list[dict[str, Any]] = [
    {"challengers": 3},
    {"challengers": [{}]},
    {"record": [{"age": 3}]},
    {"rng": {}},
    {"inferred": {"a": "?"}},
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_state_is_refused(damage: dict[str, Any]) -> None:
    tuner = challenged(ModelBranches(PARAMS, flat), n_members=4)
    state = tuner.state_dict()
    with pytest.raises(CheckpointCorruptError):
        tuner.load_state_dict({**state, **damage})
    assert tuner.state_dict() == state


def test_a_state_with_too_many_challengers_is_refused() -> None:
    tuner = challenged(ModelBranches(PARAMS, flat), seed=1, n_members=9)
    assert len(tuner.challengers) > 1
    with pytest.raises(CheckpointCorruptError, match="challengers, the optimizer at most 1"):
        population().load_state_dict(tuner.state_dict())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_members": 1}, "n_members must be at least 2, got 1"),
        ({"n_episodes": 1}, "n_episodes must be at least 2, got 1"),
        ({"seed": -1}, "seed cannot be negative, got -1"),
        ({"param_bounds": {"rate": (1.0, 0.0)}}, "param_bounds"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        PopulationOptimizer(**settings)


def test_it_is_a_branching_tuner() -> None:
    tuner: object = population()
    assert isinstance(tuner, BranchingTuner)
    assert tuner.is_branching
