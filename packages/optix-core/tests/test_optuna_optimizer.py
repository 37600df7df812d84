"""The bridge to Optuna: trials branch from one snapshot, and go on after a restart."""

import json
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from optix_core import Domain, HyperparamSet
from optix_core.branching import BranchingTuner
from optix_core.errors import CheckpointCorruptError, ConfigurationError
from optix_core.optimizers.optuna_optimizer import OptunaOptimizer

from .model_branches import EVIDENCE, ModelBranches, near

SPACE = {
    "rate": Domain(low=1e-6, high=1.0, log=True),
    "count": Domain(low=1, high=32, integer=True),
}
PARAMS = {"rate": 1e-5, "count": 4, "name": "kept"}


def bridge(seed: int = 0, **settings: Any) -> OptunaOptimizer:
    tuner = OptunaOptimizer(**settings)
    tuner.set_domains(SPACE)
    tuner.set_rng(np.random.default_rng(seed))
    return tuner


def run(tuner: OptunaOptimizer, branches: ModelBranches, n_windows: int) -> None:
    for _ in range(n_windows):
        tuner.step(branches, EVIDENCE)
        branches.next_window()


def test_every_trial_begins_where_the_run_stood_and_stays_in_its_domains() -> None:
    tuner, branches = bridge(rungs=1, n_trials=5), ModelBranches(PARAMS, near("rate", 1e-2))
    run(tuner, branches, 5)
    assert len(tuner.trials) == len(branches.units) == 5
    assert {unit.parent for unit in branches.units} == {"snapshot-1"}
    assert len({unit.exam_seed for unit in branches.units}) == 1
    for unit in branches.units:
        assert 1e-6 <= unit.hyperparams["rate"] <= 1.0
        assert type(unit.hyperparams["count"]) is int
        assert 1 <= unit.hyperparams["count"] <= 32
        assert unit.hyperparams["name"] == "kept"
    assert branches.held() == Counter(tuner.held())


def test_rungs_go_on_from_one_another_and_the_median_pruner_ends_what_lags() -> None:
    tuner, branches = bridge(), ModelBranches(PARAMS, near("rate", 1e-2), noise=1e-3)
    run(tuner, branches, 8)
    lengths = [len(trial.scores) for trial in tuner.trials]
    assert lengths[:2] == [3, 3]
    assert any(trial.is_pruned for trial in tuner.trials)
    assert sum(lengths) == len(branches.units)
    first, second, third = branches.units[:3]
    assert first.hyperparams == second.hyperparams == third.hyperparams
    assert len({first.parent, second.parent, third.parent}) == 3


def test_the_best_trial_becomes_the_learner_where_it_is_proven_better() -> None:
    tuner, branches = bridge(n_trials=6), ModelBranches(PARAMS, near("rate", 1e-2), noise=1e-3)
    run(tuner, branches, 7)
    ((_, params),) = branches.adopted
    done = [trial for trial in tuner.trials if not trial.is_pruned]
    assert branches.trained(branches.learner, 0).params == params
    assert max(trial.scores[-1] for trial in done) == pytest.approx(
        9.0 * near("rate", 1e-2)(params), abs=0.01
    )
    assert tuner.held() == []
    assert branches.held() == {}
    run(tuner, branches, 5)
    assert len(tuner.trials) == 6


def test_a_learner_that_is_as_good_stays() -> None:
    tuner, branches = bridge(n_trials=2), ModelBranches(PARAMS, lambda params: 0.0)
    run(tuner, branches, 4)
    assert branches.adopted == []
    assert branches.held() == {}


def test_a_budget_without_room_for_a_trial_ends_the_study() -> None:
    tuner, branches = bridge(), ModelBranches(PARAMS, near("rate", 1e-2), max_windows=30)
    while branches.windows < 30:
        run(tuner, branches, 1)
    assert branches.windows == 30
    assert len(tuner.trials) >= 2
    assert branches.held() == {}


def test_scores_that_are_no_numbers_are_pruned() -> None:
    def breaks(params: Mapping[str, Any]) -> float:
        return float("nan")

    tuner, branches = bridge(n_trials=3), ModelBranches(PARAMS, breaks)
    run(tuner, branches, 4)
    assert [trial.is_pruned for trial in tuner.trials] == [True] * 3
    assert branches.adopted == []


def test_without_bounds_the_prior_says_where_to_look() -> None:
    tuner = OptunaOptimizer(seed=0, rungs=1, n_trials=20)
    branches = ModelBranches({"rate": 1e-3}, near("rate", 1e-2))
    run(tuner, branches, 20)
    rates = np.log10([unit.hyperparams["rate"] for unit in branches.units])
    assert rates.min() > -3.0 - 2.0
    assert rates.max() < -3.0 + 2.0
    assert rates.std() > 0.4


@pytest.mark.parametrize("n_windows", [0, 1, 4, 9])
def test_a_restored_study_goes_on_alike(n_windows: int) -> None:
    one, other = (ModelBranches(PARAMS, near("rate", 1e-2)) for _ in range(2))
    first, twin, second = bridge(1), bridge(1), bridge(2)
    run(first, one, n_windows)
    run(twin, other, n_windows)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert second.held() == first.held()
    run(first, one, 6)
    run(second, other, 6)
    assert one.units == other.units
    assert one.learner == other.learner
    assert first.trials == second.trials


def test_a_restart_begins_a_new_study() -> None:
    tuner, branches = bridge(), ModelBranches(PARAMS, near("rate", 1e-2))
    run(tuner, branches, 3)
    tuner.on_restart()
    run(tuner, branches, 1)
    assert len(tuner.trials) == 1
    assert branches.held() == Counter(tuner.held())


def test_optunas_verbosity_stays_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    import optuna

    before = optuna.logging.get_verbosity()
    run(bridge(), ModelBranches(PARAMS, near("rate", 1e-2)), 2)
    assert optuna.logging.get_verbosity() == before
    assert "study" not in caplog.text


def test_without_optuna_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigurationError, match=r"pip install optix-core\[optuna\]"):
        OptunaOptimizer()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_trials": 0}, "n_trials must be at least 1, got 0"),
        ({"rungs": 0}, "rungs must be at least 1, got 0"),
        ({"n_episodes": 1}, "n_episodes must be at least 2, got 1"),
        ({"seed": -1}, "seed cannot be negative, got -1"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        OptunaOptimizer(**settings)


def test_a_damaged_state_is_refused() -> None:
    tuner = bridge()
    with pytest.raises(CheckpointCorruptError, match="not a state of OptunaOptimizer"):
        tuner.load_state_dict({**tuner.state_dict(), "trials": 3})


def test_it_is_a_branching_tuner_and_suggests_nothing() -> None:
    tuner: object = bridge()
    assert isinstance(tuner, BranchingTuner)
    assert tuner.is_branching
    assert isinstance(tuner, OptunaOptimizer)
    assert tuner.suggest(HyperparamSet(dict(PARAMS)), EVIDENCE).params == PARAMS
