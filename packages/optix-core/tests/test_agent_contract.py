"""The agent contract passes for agents that keep it and fails for those that do not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optix_core import BaseAgent, EpisodeData, HyperparamSet
from optix_core.testing import AgentContract, FakeAgent, FakeGreedyAgent, FakeStatefulAgent


class _Observing(AgentContract):
    def make_observation(self, rng: np.random.Generator) -> Any:
        return rng.standard_normal(3)


class TestFakeAgent(_Observing):
    def make_agent(self, seed: int) -> BaseAgent:
        return FakeAgent(seed=seed)


class TestFakeGreedyAgent(_Observing):
    def make_agent(self, seed: int) -> BaseAgent:
        return FakeGreedyAgent(seed=seed)


class _Aliasing(FakeAgent):
    """Gives out its own hyperparameters, not a copy."""

    def get_hyperparams(self) -> HyperparamSet:
        return self._hyperparams


class _Meddling(FakeAgent):
    """Changes the window it learns from."""

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        episode_data.rewards[:] = 0.0
        return {}


class _Forgetful(FakeStatefulAgent):
    """Does not put its generator back."""

    def load_state_dict(self, state: object) -> None:
        pass


class _Curious(FakeGreedyAgent, FakeStatefulAgent):
    """Draws a random number for its greedy action."""

    def act_greedy(self, observation: Any) -> Any:
        return int(self.rng.integers(2))


def _contract_of(agent_class: type[FakeAgent]) -> AgentContract:
    class Contract(_Observing):
        def make_agent(self, seed: int) -> BaseAgent:
            return agent_class(seed=seed)

    return Contract()


def test_an_agent_that_gives_out_its_own_dict_fails() -> None:
    with pytest.raises(AssertionError):
        _contract_of(_Aliasing).test_hyperparameters_are_copies_both_ways()


def test_an_agent_that_changes_the_window_fails() -> None:
    with pytest.raises(AssertionError):
        _contract_of(_Meddling).test_learning_returns_diagnostics_and_leaves_the_window_alone()


def test_an_agent_that_forgets_its_generator_fails() -> None:
    with pytest.raises(AssertionError):
        _contract_of(_Forgetful).test_state_brings_back_the_same_draws()


def test_an_agent_whose_greedy_action_draws_fails() -> None:
    with pytest.raises(AssertionError):
        _contract_of(_Curious).test_greedy_actions_leave_no_trace()


def test_an_agent_that_loads_nothing_fails(tmp_path: Path) -> None:
    class Deaf(FakeStatefulAgent):
        def act(self, observation: Any) -> Any:
            return self.skill

        def load_weights(self, path: str) -> None:
            pass

    with pytest.raises(AssertionError):
        _contract_of(Deaf).test_weights_of_another_agent_make_it_act_the_same(tmp_path)
