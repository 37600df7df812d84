"""The population against a plain model: any course of windows, restarts and resumptions."""

import json
from collections import Counter
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from optix_core import EvalMetrics
from optix_core.optimizers.population_optimizer import PopulationOptimizer

from .model_branches import ModelBranches, evaluation, near

N_MEMBERS = 3
PARAMS = {"rate": 1e-4, "gamma": 0.9, "count": 4}


class PopulationModel(RuleBasedStateMachine):
    """The model knows for how long each policy has trained, and which snapshots may be used."""

    @initialize(
        seed=st.integers(0, 2**16),
        noise=st.sampled_from([1e-6, 0.1, 10.0]),
        has_held_out=st.booleans(),
        max_windows=st.none() | st.integers(5, 200),
    )
    def begin(
        self, seed: int, noise: float, max_windows: int | None, *, has_held_out: bool
    ) -> None:
        self.branches = ModelBranches(
            dict(PARAMS),
            near("rate", 1e-2),
            noise=noise,
            max_windows=max_windows,
            has_held_out=has_held_out,
        )
        self.tuner = PopulationOptimizer(n_members=N_MEMBERS)
        self.tuner.set_rng(np.random.default_rng(seed))
        self.is_void = False
        self.history: list[EvalMetrics] = []

    @rule(n_windows=st.integers(1, 12))
    def play(self, n_windows: int) -> None:
        """The learner plays on; an evaluation comes at the end alone."""
        for _ in range(n_windows):
            self.branches.next_window()

    @rule(score=st.sampled_from([0.0, 0.1, 5.0]))
    def evaluate(self, score: float) -> None:
        branches = self.branches
        n_units, n_adopted = len(branches.units), len(branches.adopted)
        challengers = self.tuner.challengers
        began, learner = self.tuner.state_dict()["began"], branches.learner_windows
        self.history.append(evaluation(learner - 1, score))
        self.tuner.step(branches, self.history)
        trained = [unit for unit in branches.units[n_units:] if unit.n_windows]
        if trained:
            assert not self.is_void
            assert [unit.n_windows for unit in trained] == [learner - began] * (N_MEMBERS - 1)
            going_on = [challenger.snapshot for challenger in challengers]
            assert [unit.parent for unit in trained[: len(going_on)]] == going_on
        elif not self.is_void:
            assert self.tuner.challengers in (challengers, ())
        assert len(branches.adopted) - n_adopted <= bool(trained)
        for snapshot, params in branches.adopted[n_adopted:]:
            assert branches.learner.age == branches.snapshots[snapshot].age
            assert branches.learner.params == params
        self.is_void = False

    @rule()
    def restart(self) -> None:
        self.tuner.on_restart()
        self.is_void = True
        self.branches.learner = self.branches.learner.__class__(0.0, 0, dict(PARAMS))

    @rule(seed=st.integers(0, 2**16))
    def resume(self, seed: int) -> None:
        """Another process goes on from what was stored."""
        state = json.loads(json.dumps(self.tuner.state_dict()))
        self.tuner = PopulationOptimizer(n_members=N_MEMBERS, seed=seed)
        self.tuner.load_state_dict(state)

    @invariant()
    def marks_tell_how_long_a_policy_has_trained(self) -> None:
        for challenger in self.tuner.challengers:
            ages = [mark.age for mark in challenger.marks]
            assert ages == sorted(set(ages))
            assert self.branches.snapshots[challenger.snapshot].age >= ages[-1]
            assert len(self.tuner.challengers) < N_MEMBERS

    @invariant()
    def just_what_is_used_is_held(self) -> None:
        assert self.branches.held() == Counter(self.tuner.held())

    @invariant()
    def values_stay_what_they_are(self) -> None:
        every: list[dict[str, Any]] = [each.params for each in self.tuner.challengers]
        for params in [*every, self.branches.learner.params]:
            assert params.keys() == PARAMS.keys()
            assert 0.0 < params["rate"] < 1.0
            assert 0.0 < params["gamma"] < 1.0
            assert type(params["count"]) is int
            assert params["count"] >= 1

    @invariant()
    def the_budget_is_kept(self) -> None:
        budget = self.branches.max_windows
        if budget is not None and self.branches.branch_windows:
            assert self.branches.branch_windows < budget


TestPopulationModel = PopulationModel.TestCase
TestPopulationModel.settings = settings(stateful_step_count=40)
