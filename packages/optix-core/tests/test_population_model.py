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
    """The model knows of each member only for how long it has trained, and who may be used."""

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
        self.age = 0
        self.is_void = False
        self.history: list[EvalMetrics] = []

    @rule(n_windows=st.integers(1, 12))
    def play(self, n_windows: int) -> None:
        """The learner plays on; an evaluation comes at the end alone."""
        for _ in range(n_windows):
            self.branches.next_window()

    @rule(score=st.sampled_from([0.0, 0.1, 5.0]))
    def evaluate(self, score: float) -> None:
        before, was = self.branches.branch_windows, len(self.branches.ages)
        began, learner = self.tuner.state_dict()["began"], self.branches.learner_windows
        self.history.append(evaluation(learner - 1, score))
        is_alone = not self.tuner.members or self.is_void
        self.tuner.step(self.branches, self.history)
        self.is_void = False
        if len(self.branches.ages) > was:
            trained = learner - began
            self.age = trained if is_alone else self.age + trained
            assert self.branches.branch_windows - before == trained * (N_MEMBERS - 1)

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
    def members_are_of_one_age(self) -> None:
        if self.tuner.members:
            assert {member.age for member in self.tuner.members} == {self.age}

    @invariant()
    def just_what_is_used_is_held(self) -> None:
        assert self.branches.held() == Counter(self.tuner.held())

    @invariant()
    def one_member_is_the_learner(self) -> None:
        members = self.tuner.members
        assert len(members) in (0, N_MEMBERS)
        if members:
            leading = [i for i, member in enumerate(members) if member.snapshot is None]
            assert leading == [self.tuner.leader]

    @invariant()
    def values_stay_what_they_are(self) -> None:
        every: list[dict[str, Any]] = [member.params for member in self.tuner.members]
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
