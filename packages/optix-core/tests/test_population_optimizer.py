"""The population: equal age, weights and hyperparameters together, pins, budget, resumption."""

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


def population_of(branches: ModelBranches, seed: int = 0, **settings: Any) -> PopulationOptimizer:
    """A tuner whose first population has just been compared."""
    tuner = population(seed, **settings)
    while not branches.ages:
        run(tuner, branches, 1)
    return tuner


def expected_holds(tuner: PopulationOptimizer) -> Counter[str]:
    return Counter(tuner.held())


def test_a_learner_that_rises_trains_alone() -> None:
    tuner, branches = population(), ModelBranches(PARAMS, near("rate", 1e-2))
    run(tuner, branches, 100, slope=1.0)
    assert branches.units == []
    assert tuner.members == ()
    assert branches.learner.age == 100


def test_a_learner_that_does_not_rise_leads_a_population_of_draws() -> None:
    branches = ModelBranches(PARAMS, flat)
    tuner = population_of(branches)
    leader, *others = tuner.members
    assert len(others) == 2
    assert leader.params == PARAMS
    assert branches.hyperparams == PARAMS
    trained = [unit.hyperparams for unit in branches.units if unit.n_windows]
    assert len({params["rate"] for params in [PARAMS, *trained]}) == 3
    for params in trained:
        assert params["name"] == "kept"
        assert 1e-6 <= params["rate"] <= 1.0
        assert 0.5 <= params["gamma"] <= 0.999
        assert type(params["count"]) is int
        assert 1 <= params["count"] <= 32
    assert branches.held() == expected_holds(tuner)


def test_others_begin_with_the_weights_of_the_learner() -> None:
    branches = ModelBranches(PARAMS, near("rate", 1e-2), max_windows=400)
    tuner = population()
    run(tuner, branches, 40, slope=1.0)
    run(tuner, branches, 1)
    trained = [unit for unit in branches.units if unit.n_windows]
    assert {branches.snapshots[unit.parent].age for unit in trained} == {40}
    assert [unit.n_windows for unit in trained] == [20, 20]
    assert {member.age for member in tuner.members} == {20}


def test_members_wait_a_generation_for_a_learner_that_rises_and_then_are_dropped() -> None:
    branches = ModelBranches(PARAMS, flat, max_windows=400)
    tuner = population_of(branches)
    before = tuner.members
    run(tuner, branches, 39, slope=1.0)
    assert tuner.members == before
    run(tuner, branches, 1, slope=1.0)
    assert tuner.members == ()
    assert len(branches.ages) == 1
    assert branches.held() == {}


def test_members_that_waited_catch_up_with_all_that_the_learner_has_trained() -> None:
    branches = ModelBranches(PARAMS, flat, max_windows=400)
    tuner = population_of(branches)
    run(tuner, branches, 20, slope=1.0)
    n_units = len(branches.units)
    run(tuner, branches, 20)
    assert [unit.n_windows for unit in branches.units[n_units:]] == [0, 40, 40]
    assert {member.age for member in tuner.members} == {60}


def test_without_waiting_every_generation_is_compared() -> None:
    tuner, branches = population(waits=False), ModelBranches(PARAMS, flat)
    run(tuner, branches, 16, slope=1.0)
    assert [unit.n_windows for unit in branches.units] == 5 * [0, 3, 3]


def test_a_step_size_that_is_steered_stays_as_it_is() -> None:
    steered = frozenset({"rate"})
    branches = ModelBranches(PARAMS, near("gamma", 0.6), noise=1e-3, steered=steered)
    tuner = population_of(branches)
    run(tuner, branches, 60)
    assert {unit.hyperparams["rate"] for unit in branches.units} == {PARAMS["rate"]}
    assert len({unit.hyperparams["gamma"] for unit in branches.units}) > 4


def test_a_generation_is_three_windows_and_five_percent_of_a_long_run() -> None:
    for max_windows, generation in ((None, 3), (60, 3), (400, 20)):
        branches = ModelBranches(PARAMS, flat, max_windows=max_windows)
        population_of(branches)
        assert [unit.n_windows for unit in branches.units] == [0, *[generation] * 2]


def test_a_generation_grows_with_a_run_without_a_budget() -> None:
    tuner, branches = population(), ModelBranches(PARAMS, flat)
    run(tuner, branches, 150)
    lengths = [unit.n_windows for unit in branches.units if unit.n_windows]
    assert lengths[0] == 3
    assert lengths[-1] >= 10


def test_all_are_examined_on_the_same_episodes_at_the_same_age() -> None:
    tuner, branches = population(), ModelBranches(PARAMS, near("rate", 1e-2))
    run(tuner, branches, 120)
    assert len(branches.ages) > 8
    for start, ages in enumerate(branches.ages):
        units = branches.units[3 * start : 3 * start + 3]
        assert len({unit.exam_seed for unit in units}) == 1
        trained = [age for unit, age in zip(units, ages, strict=True) if unit.n_windows]
        assert len(set(trained)) == 1
        assert len({unit.seed for unit in units}) == 3
    assert branches.ages[-1] > branches.ages[0]


def test_without_validation_nothing_is_played_for_scores() -> None:
    branches = ModelBranches(PARAMS, near("rate", 1e-2), noise=1e-3, has_held_out=False)
    tuner = population_of(branches)
    assert [(unit.n_windows, unit.n_episodes) for unit in branches.units] == [(3, 0)] * 2
    # The learner's own evaluations, 0 on average, are what it is held to: any other is better.
    assert branches.adopted
    assert branches.held() == expected_holds(tuner)


def test_the_best_becomes_the_learner_with_weights_and_hyperparameters() -> None:
    branches = ModelBranches(PARAMS, near("rate", 1e-2), noise=1e-3)
    tuner = population_of(branches)
    best = max(tuner.members, key=lambda member: near("rate", 1e-2)(member.params))
    (ages,) = branches.ages
    assert tuner.members[tuner.leader].params == best.params
    assert branches.learner.age == max(ages)
    assert branches.learner.params == best.params
    assert tuner.members[tuner.leader].snapshot is None


def test_who_copies_trains_on_with_the_donors_weights_and_hyperparameters_of_its_own() -> None:
    branches = ModelBranches(PARAMS, near("rate", 1e-2), noise=1e-3, max_windows=400)
    tuner = population_of(branches)
    leader = branches.learner
    copies = [m for m in tuner.members if m.snapshot and branches.snapshots[m.snapshot] == leader]
    assert len(copies) == 2
    n_units = len(branches.units)
    run(tuner, branches, 21)
    trained = {(unit.parent, unit.hyperparams["rate"]) for unit in branches.units[n_units:]}
    for member in copies:
        assert member.params["rate"] != leader.params["rate"]
        assert (member.snapshot, member.params["rate"]) in trained


def test_every_window_is_counted_and_the_budget_is_kept() -> None:
    tuner, branches = population(), ModelBranches(PARAMS, near("rate", 1e-2), max_windows=60)
    while branches.windows < 60:
        run(tuner, branches, 1)
    assert branches.windows == 60
    assert branches.branch_windows == sum(unit.n_windows for unit in branches.units) > 0
    assert tuner.members == ()
    assert branches.held() == {}


def test_a_population_ends_with_its_best_member_learning() -> None:
    found: list[float] = []
    for seed in range(5):
        tuner = population(seed)
        branches = ModelBranches(PARAMS, near("rate", 1e-2), max_windows=400)
        while branches.windows < 400:
            run(tuner, branches, 1)
        found.append(branches.learner.params["rate"])
    assert np.median(np.abs(np.log10(found) + 2.0)) < 0.5


@given(st.integers(0, 10**6), st.floats(0.0, 5.0))
def test_equal_members_never_hand_over(seed: int, noise: float) -> None:
    tuner, branches = population(seed), ModelBranches(PARAMS, flat, noise=noise)
    run(tuner, branches, 30)
    assert branches.adopted == []
    assert branches.learner.params == PARAMS
    assert branches.learner.age == 30


def test_a_restart_begins_a_new_population_with_the_learner_as_it_is() -> None:
    branches = ModelBranches(PARAMS, near("rate", 1e-2))
    tuner = population_of(branches)
    tuner.on_restart()
    began, n_units = branches.learner_windows, len(branches.units)
    run(tuner, branches, 1)
    assert tuner.members == ()
    assert branches.held() == expected_holds(tuner)
    while len(branches.units) == n_units:
        run(tuner, branches, 1)
    assert branches.learner_windows > began + 6


def test_without_anything_to_tune_there_is_no_population(caplog: pytest.LogCaptureFixture) -> None:
    tuner = PopulationOptimizer()
    branches = ModelBranches({"name": "adam"}, flat)
    run(tuner, branches, 5)
    assert branches.units == []
    assert tuner.members == ()
    assert "no hyperparameter" in caplog.text


def test_suggest_changes_nothing() -> None:
    current = HyperparamSet(dict(PARAMS))
    assert population().suggest(current, [EvalMetrics(1.0)]).params == PARAMS


def test_without_declarations_values_say_what_may_be_tuned() -> None:
    tuner = PopulationOptimizer({"gamma": (0.8, 0.99)}, seed=0)
    branches = ModelBranches(dict(PARAMS), near("rate", 1e-2))
    run(tuner, branches, 60)
    for member in tuner.members:
        assert 0.0 < member.params["rate"] < 1.0
        assert 0.8 <= member.params["gamma"] <= 0.99
        assert member.params["count"] >= 1


@given(st.integers(0, 40), st.integers(0, 10**6))
def test_a_population_restored_in_the_middle_of_a_generation_goes_on_alike(
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
    assert first.members == second.members
    assert first.state_dict() == second.state_dict()


DAMAGES: list[dict[str, Any]] = [
    {"members": 3},
    {"members": [{}]},
    {"rng": {}},
    {"inferred": {"a": "?"}},
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_state_is_refused(damage: dict[str, Any]) -> None:
    tuner = population_of(ModelBranches(PARAMS, flat), n_members=4)
    state = tuner.state_dict()
    with pytest.raises(CheckpointCorruptError):
        tuner.load_state_dict({**state, **damage})
    assert tuner.state_dict() == state


def test_a_state_of_another_size_is_refused() -> None:
    tuner = population_of(ModelBranches(PARAMS, flat))
    with pytest.raises(CheckpointCorruptError, match="has 3 members, the optimizer 4"):
        population(n_members=4).load_state_dict(tuner.state_dict())


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
