"""The agent contract passes for agents that keep it and fails for those that do not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from optix_core import BaseAgent, Domain, EpisodeData, HyperparamSet
from optix_core.testing import AgentContract, FakeAgent, FakeGreedyAgent, FakeStatefulAgent

from .linear_policy import LinearPolicy


class _Observing(AgentContract):
    def make_observation(self, rng: np.random.Generator) -> Any:
        return rng.standard_normal(3)


class TestFakeAgent(_Observing):
    def make_agent(self, seed: int) -> BaseAgent:
        return FakeAgent(seed=seed)


class TestFakeGreedyAgent(_Observing):
    def make_agent(self, seed: int) -> BaseAgent:
        return FakeGreedyAgent(seed=seed)


class TestLinearPolicy(_Observing):
    def make_agent(self, seed: int) -> BaseAgent:
        return LinearPolicy(seed)


class _Gaussian(LinearPolicy):
    """Says mean and standard deviation."""

    spread = 1.0

    def action_distribution(self, observations: NDArray[Any]) -> Any:
        mean: NDArray[Any] = observations @ self.weights["kernel"]
        return mean, np.full_like(mean, self.spread)

    def act_batch(self, observations: NDArray[Any]) -> NDArray[Any]:
        mean: NDArray[Any] = self.action_distribution(observations)[0]
        return mean + self.spread * self.rng.standard_normal(mean.shape)

    def act_greedy_batch(self, observations: NDArray[Any]) -> NDArray[Any]:
        return self.action_distribution(observations)[0]

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        self.weights["kernel"] += 0.01 * episode_data.observations.T @ episode_data.actions
        return {}


class TestGaussian(_Observing):
    def make_agent(self, seed: int) -> BaseAgent:
        return _Gaussian(seed)


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


def _contract_of(agent_class: type[FakeAgent | LinearPolicy]) -> AgentContract:
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


def test_an_agent_without_a_slot_in_its_weights_fails(tmp_path: Path) -> None:
    class Slotless(LinearPolicy):
        def load_weights(self, path: str) -> None:
            momentum = self.weights["momentum"]
            super().load_weights(path)
            self.weights["momentum"] = momentum

    with pytest.raises(AssertionError):
        _contract_of(Slotless).test_state_and_weights_continue_learning_alike(tmp_path)


def test_an_agent_that_saving_changes_fails(tmp_path: Path) -> None:
    class Rounding(LinearPolicy):
        def save_weights(self, path: str) -> None:
            super().save_weights(path)
            self.weights["kernel"] = self.weights["kernel"].round(1)

    with pytest.raises(AssertionError):
        _contract_of(Rounding).test_saving_makes_a_file_or_a_folder_and_changes_nothing(tmp_path)


def test_an_agent_whose_batch_acts_otherwise_fails() -> None:
    class Shifted(LinearPolicy):
        def act(self, observation: Any) -> Any:
            return 0

        def act_batch(self, observations: NDArray[Any]) -> NDArray[Any]:
            return np.ones(len(observations), int)

        def act_greedy_batch(self, observations: NDArray[Any]) -> NDArray[Any]:
            return np.arange(len(observations)) % 4

        def act_greedy(self, observation: Any) -> Any:
            return 0

    contract = _contract_of(Shifted)
    with pytest.raises(AssertionError):
        contract.test_a_batch_is_acted_on_as_one_by_one()
    with pytest.raises(AssertionError):
        contract.test_greedy_actions_repeat_themselves_and_agree()


@pytest.mark.parametrize(
    "domain",
    [Domain(low=0.5, high=1.0), Domain(low=0.0, high=0.01), Domain(choices=(1.0, 2.0))],
)
def test_an_agent_outside_its_own_domain_fails(domain: Domain) -> None:
    class Outside(LinearPolicy):
        def hyperparam_space(self) -> Mapping[str, Domain]:
            return {"learning_rate": domain}

    with pytest.raises(AssertionError):
        _contract_of(Outside).test_declared_domains_hold_the_values()


def test_an_agent_with_a_domain_for_nothing_fails() -> None:
    class Misspelt(LinearPolicy):
        def hyperparam_space(self) -> Mapping[str, Domain]:
            return {"learning_rat": Domain(low=0.0)}

    with pytest.raises(AssertionError, match="learning_rat has a domain"):
        _contract_of(Misspelt).test_declared_domains_hold_the_values()


@pytest.mark.parametrize("share", [-1.0, np.nan])
def test_a_distribution_that_is_none_fails(share: float) -> None:
    class Improbable(LinearPolicy):
        def action_distribution(self, observations: NDArray[Any]) -> NDArray[Any]:
            return np.full((len(observations), 4), share)

    with pytest.raises(AssertionError):
        _contract_of(Improbable).test_distributions_are_distributions()


def test_a_negative_spread_fails() -> None:
    class Inverted(_Gaussian):
        spread = -1.0

    with pytest.raises(AssertionError):
        _contract_of(Inverted).test_distributions_are_distributions()


@pytest.mark.parametrize("item", [{3: 1}, (1, 2), [object()]])
def test_a_state_that_cannot_be_stored_fails(item: Any) -> None:
    class Unstorable(FakeStatefulAgent):
        def state_dict(self) -> dict[str, Any]:
            return super().state_dict() | {"item": item}

    with pytest.raises(AssertionError, match="a state"):
        _contract_of(Unstorable).test_state_is_made_of_arrays_and_scalars()
