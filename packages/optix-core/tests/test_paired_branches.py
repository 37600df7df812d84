"""`BackoffOptimizer(mode="evidence")`: two branches from one snapshot decide."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core import BackoffOptimizer, Domain, EvalMetrics, HyperparamSet
from optix_core.branching import BranchingTuner
from optix_core.errors import CheckpointCorruptError, ConfigurationError
from optix_core.optimizers.paired_branches import BRANCH_WINDOWS, N_EPISODES

from .model_branches import EVIDENCE, ModelBranches, near

RATES = {
    "rate": Domain(low=1e-6, high=1.0, log=True),
    "other": Domain(low=1e-6, high=1.0, log=True),
}


def flat(params: Mapping[str, Any]) -> float:
    return 1.0


def evidence_tuner(seed: int = 0, domains: Mapping[str, Domain] = RATES) -> BackoffOptimizer:
    tuner = BackoffOptimizer(mode="evidence")
    tuner.set_domains(domains)
    tuner.set_rng(np.random.default_rng(seed))
    return tuner


def run(tuner: BackoffOptimizer, branches: ModelBranches, n_windows: int) -> None:
    for _ in range(n_windows):
        tuner.step(branches, EVIDENCE)
        branches.next_window()


def test_a_probe_plays_two_arms_from_one_snapshot_on_one_seed() -> None:
    branches = ModelBranches({"rate": 1e-3}, near("rate", 1e-1))
    evidence_tuner().step(branches, EVIDENCE)
    still, up, down = branches.units
    assert still.n_windows == 0
    assert still.hyperparams == {"rate": 1e-3}
    assert up.hyperparams["rate"] == pytest.approx(3e-3)
    assert down.hyperparams["rate"] == pytest.approx(1e-3 / 3)
    for arm in (up, down):
        assert (arm.parent, arm.seed) == (still.parent, up.seed)
        assert (arm.exam_seed, arm.n_windows) == (still.exam_seed, BRANCH_WINDOWS)
        assert arm.n_episodes >= N_EPISODES == 8


def test_the_better_arm_wins_with_its_weights() -> None:
    branches = ModelBranches({"rate": 1e-3}, near("rate", 1e-1), noise=1e-6)
    evidence_tuner().step(branches, EVIDENCE)
    assert branches.learner.params["rate"] == pytest.approx(3e-3)
    assert branches.learner.age == BRANCH_WINDOWS
    assert branches.held() == {}


def test_a_tie_keeps_the_value_and_goes_on_with_the_weights() -> None:
    branches = ModelBranches({"rate": 1e-3}, flat)
    evidence_tuner().step(branches, EVIDENCE)
    assert branches.learner.params == {"rate": 1e-3}
    assert branches.learner.age == BRANCH_WINDOWS
    assert branches.held() == {}


@given(st.integers(0, 1000), st.floats(1e-5, 0.5), st.floats(0.0, 10.0))
def test_equal_arms_never_move_a_value(seed: int, rate: float, noise: float) -> None:
    branches = ModelBranches({"rate": rate, "other": 0.1}, flat, noise=noise)
    run(evidence_tuner(seed), branches, 70)
    assert branches.learner.params == {"rate": rate, "other": 0.1}


def test_arms_that_are_worse_than_staying_are_not_gone_on_with() -> None:
    branches = ModelBranches({"rate": 1e-3}, lambda params: -1.0 if params["rate"] < 0.01 else -2.0)
    tuner = evidence_tuner()
    tuner.step(branches, EVIDENCE)
    assert branches.learner.age == 0
    assert branches.adopted == []  # a tie: both arms lose one a window
    branches = ModelBranches({"rate": 4e-3}, branches.gain, noise=1e-6)
    evidence_tuner().step(branches, EVIDENCE)
    assert branches.learner.params["rate"] == pytest.approx(4e-3 / 3)
    assert branches.learner.age == 0


def test_without_any_score_nothing_is_adopted() -> None:
    branches = ModelBranches({"rate": 1e-3}, lambda params: math.nan)
    evidence_tuner().step(branches, EVIDENCE)
    assert branches.adopted == []
    assert branches.held() == {}


def probe_windows(tuner: BackoffOptimizer, branches: ModelBranches, n_windows: int) -> list[int]:
    probed: list[int] = []
    for _ in range(n_windows):
        before, window = len(branches.units), branches.learner_windows
        run(tuner, branches, 1)
        probed += [window] * (len(branches.units) > before)
    return probed


def test_ties_double_the_wait_up_to_32_and_a_move_halves_it() -> None:
    branches = ModelBranches({"rate": 1e-3}, flat)
    tuner = evidence_tuner()
    assert np.diff(probe_windows(tuner, branches, 130)).tolist() == [4, 8, 16, 32, 32, 32]
    branches.gain, branches.noise = near("rate", 1.0), 1e-6
    assert np.diff(probe_windows(tuner, branches, 60)).tolist()[:4] == [16, 8, 4, 2]


def test_a_value_climbs_to_its_optimum() -> None:
    branches = ModelBranches({"rate": 1e-4, "other": 0.1}, near("rate", 1e-2))
    run(evidence_tuner(), branches, 200)
    assert 2e-3 < branches.learner.params["rate"] < 5e-2
    assert branches.learner.params["other"] == 0.1


def test_the_largest_effect_goes_first_and_what_is_new_before_it() -> None:
    names = ("a", "b", "c")
    domains = {name: Domain(low=1e-6, high=1.0, log=True) for name in names}
    branches = ModelBranches(dict.fromkeys(names, 1e-3), near("c", 0.5), noise=1e-6)
    run(evidence_tuner(0, domains), branches, 120)
    changed = [
        next(name for name in names if up.hyperparams[name] != down.hyperparams[name])
        for up, down in zip(branches.units[1::3], branches.units[2::3], strict=True)
    ]
    assert changed[:6] == ["a", "b", "c", "c", "a", "b"]


def test_what_the_loop_steers_is_left_to_it() -> None:
    branches = ModelBranches({"rate": 1e-3}, flat, steered=frozenset({"rate"}))
    run(evidence_tuner(), branches, 5)
    assert branches.units == []


def test_a_value_at_its_bound_is_tried_against_the_one_below() -> None:
    branches = ModelBranches({"rate": 1.0}, near("rate", 1e-3), noise=1e-6)
    evidence_tuner().step(branches, EVIDENCE)
    _, up, down = branches.units
    assert (up.hyperparams["rate"], down.hyperparams["rate"]) == (1.0, pytest.approx(1.0 / 3))
    assert branches.learner.params["rate"] == pytest.approx(1.0 / 3)


def test_a_parameter_without_room_is_passed_over() -> None:
    domains = {"fixed": Domain(low=2.0, high=2.0), **RATES}
    branches = ModelBranches({"fixed": 2.0, "rate": 1e-3}, flat)
    evidence_tuner(0, domains).step(branches, EVIDENCE)
    assert branches.units[1].hyperparams["rate"] != 1e-3


def test_a_budget_without_room_ends_the_probes() -> None:
    branches = ModelBranches({"rate": 1e-3}, flat, max_windows=2 * BRANCH_WINDOWS + 1)
    evidence_tuner().step(branches, EVIDENCE)
    assert branches.units == []
    branches = ModelBranches({"rate": 1e-3}, flat, max_windows=2 * BRANCH_WINDOWS + 2)
    evidence_tuner().step(branches, EVIDENCE)
    assert len(branches.units) == 3


def test_scores_without_evidence_get_the_documented_arithmetic() -> None:
    history = [EvalMetrics(1.0)]
    literal, gated = BackoffOptimizer(), BackoffOptimizer(mode="evidence")
    branches = ModelBranches({"rate": 1e-3}, flat)
    gated.step(branches, history)
    assert branches.units == []
    current = HyperparamSet({"rate": 1e-3})
    assert gated.suggest(current, history).params == literal.suggest(current, history).params
    assert gated.suggest(current, EVIDENCE).params == current.params


def test_the_documented_mode_never_branches() -> None:
    tuner = BackoffOptimizer()
    branches = ModelBranches({"rate": 1e-3}, flat)
    tuner.step(branches, EVIDENCE)
    assert branches.units == []
    assert not tuner.is_branching
    assert evidence_tuner().is_branching


def test_what_is_declared_for_branches_is_tried_there_and_never_moved_without_evidence() -> None:
    domains = {"rate": Domain(low=1e-6, high=1.0, log=True, role="branches")}
    tuner, branches = evidence_tuner(0, domains), ModelBranches({"rate": 1e-3}, flat)
    current = HyperparamSet({"rate": 1e-3})
    assert tuner.suggest(current, [EvalMetrics(1.0)]).params == current.params
    tuner.step(branches, EVIDENCE)
    assert len(branches.units) == 3


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'documented' or 'evidence', got 'magic'"):
        BackoffOptimizer(mode="magic")  # pyright: ignore[reportArgumentType]


@given(st.integers(0, 30), st.integers(0, 1000))
def test_a_restored_tuner_goes_on_alike(n_windows: int, seed: int) -> None:
    one = ModelBranches({"rate": 1e-4, "other": 0.1}, near("rate", 1e-2))
    other = ModelBranches({"rate": 1e-4, "other": 0.1}, near("rate", 1e-2))
    first, second = evidence_tuner(seed), evidence_tuner(seed + 1)
    twin = evidence_tuner(seed)
    run(first, one, n_windows)
    run(twin, other, n_windows)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    run(first, one, 20)
    run(second, other, 20)
    assert one.units == other.units
    assert one.learner == other.learner
    assert first.state_dict() == second.state_dict()


@pytest.mark.parametrize("damage", [{"branches": {"interval": "x"}}, {"branches": None}])
def test_a_damaged_state_is_refused(damage: dict[str, Any]) -> None:
    tuner = evidence_tuner()
    with pytest.raises(CheckpointCorruptError):
        tuner.load_state_dict({**tuner.state_dict(), **damage})


def test_it_is_a_branching_tuner() -> None:
    tuner: object = evidence_tuner()
    assert isinstance(tuner, BranchingTuner)
    assert tuner.held() == []
