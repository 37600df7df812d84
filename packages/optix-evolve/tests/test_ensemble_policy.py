"""How an ensemble acts: votes, means and mixtures of its members, by their weights."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from optix_core.errors import ConfigurationError, ContractViolationError
from optix_core.testing import FakeAgent, FakeGreedyAgent
from optix_evolve import Ensemble, EnsemblePolicy

from .numpy_policies import Chooser, GaussianWalker, Member, Walker

OBSERVATIONS = np.random.default_rng(3).normal(size=(6, 3)).astype(np.float32)


class Says(Member):
    """Acts as told, whatever it sees; offers probabilities only in a subclass."""

    def __init__(self, action: Any) -> None:
        self.action = action

    def act(self, observation: Any) -> Any:
        return self.action


class Offers(Says):
    """Offers the same probabilities for every observation."""

    def act(self, observation: Any) -> Any:
        return int(np.argmax(self.action))

    def action_distribution(self, observations: NDArray[Any]) -> Any:
        return np.tile(np.array(self.action), (len(observations), 1))


def policy_of(
    agents: Sequence[Any], weights: Sequence[float] | None = None, space: object | None = None
) -> EnsemblePolicy:
    ensemble = Ensemble()
    for agent, weight in zip(agents, weights or [1.0] * len(agents), strict=True):
        ensemble.add_agent(agent, weight)
    return EnsemblePolicy(ensemble, space)


def test_discrete_actions_without_distributions_are_voted_on() -> None:
    policy = policy_of([Says(2), Says(0), Says(2)], [1.0, 1.5, 1.0])
    assert policy.greedy(OBSERVATIONS[0]) == 2
    assert type(policy.greedy(OBSERVATIONS[0])) is int
    assert_array_equal(policy.greedy_batch(OBSERVATIONS), [2] * 6)
    assert policy.probabilities(OBSERVATIONS) is None


def test_where_all_members_offer_probabilities_each_votes_for_its_most_probable_action() -> None:
    # Two of three would choose 0; the mean prefers 1, of which one is sure.
    policy = policy_of([Offers([0.6, 0.4]), Offers([0.6, 0.4]), Offers([0.0, 1.0])])
    mean = policy.probabilities(OBSERVATIONS)
    assert mean is not None
    assert_allclose(mean, np.tile([0.4, 0.6], (6, 1)))
    assert policy.greedy(OBSERVATIONS[0]) == 0
    assert_array_equal(policy.greedy_batch(OBSERVATIONS), [0] * 6)
    even = policy_of([Offers([0.6, 0.4]), Offers([0.0, 1.0])])
    assert even.greedy(OBSERVATIONS[0]) == 1, "the mean decides between votes of equal weight"


def test_one_member_without_a_distribution_makes_it_a_vote() -> None:
    policy = policy_of([Offers([0.6, 0.4]), Offers([0.6, 0.4]), Says(1)])
    assert policy.greedy(OBSERVATIONS[0]) == 0


def test_exploring_draws_from_the_mixture_counted_from_the_space_s_start() -> None:
    space = SimpleNamespace(n=3, start=5, shape=())
    policy = policy_of([Offers([1.0, 0.0, 0.0]), Offers([0.0, 0.0, 1.0])], [1.0, 3.0], space)
    drawn = policy.explore_batch(np.zeros((4000, 3)), np.random.default_rng(0))
    assert set(drawn.tolist()) == {5, 7}
    assert abs((drawn == 7).mean() - 0.75) < 0.03
    assert policy.greedy(OBSERVATIONS[0]) == 7
    assert policy.explore(OBSERVATIONS[0], np.random.default_rng(0)) in {5, 7}


def test_different_numbers_of_actions_are_refused() -> None:
    policy = policy_of([Offers([1.0, 0.0, 0.0]), Offers([0.0, 1.0])])
    with pytest.raises(ContractViolationError, match="same actions"):
        policy.greedy(OBSERVATIONS[0])


def test_real_actions_average_one_by_one_as_in_batches() -> None:
    members = [Walker(seed=seed) for seed in range(4)]
    weights = [1.0, 0.5, 2.0, 0.0]
    policy = policy_of(members, weights)
    rows = np.stack([member.outputs(OBSERVATIONS) for member in members])
    expected = np.tensordot(np.array(weights) / sum(weights), rows, axes=1)
    assert_allclose(policy.greedy_batch(OBSERVATIONS), expected, rtol=1e-4, atol=1e-5)
    one_by_one = [policy.greedy(observation) for observation in OBSERVATIONS]
    assert_allclose(one_by_one, expected, rtol=1e-4, atol=1e-5)
    assert one_by_one[0].shape == (2,)


def test_a_space_clips_the_mean() -> None:
    bound = np.full(2, 0.1, np.float32)
    space = SimpleNamespace(low=-bound, high=bound, shape=(2,), dtype=np.dtype(np.float32))
    action = policy_of([Walker(seed=0), Walker(seed=1)], space=space).greedy(OBSERVATIONS[0])
    assert action.dtype == np.float32
    assert (np.abs(action) <= bound).all()


def test_means_and_deviations_are_no_probabilities() -> None:
    members = [GaussianWalker(seed=0), GaussianWalker(seed=1)]
    policy = policy_of(members)
    assert policy.probabilities(OBSERVATIONS) is None
    expected = (members[0].outputs(OBSERVATIONS) + members[1].outputs(OBSERVATIONS)) / 2
    assert_allclose(policy.greedy_batch(OBSERVATIONS), expected, rtol=1e-4, atol=1e-5)


def test_stacked_members_are_not_called_and_newcomers_and_learners_are_heard() -> None:
    members = [Walker(seed=seed) for seed in range(3)]
    ensemble = Ensemble()
    for member in members[:2]:
        ensemble.add_agent(member, 1.0)
    policy = EnsemblePolicy(ensemble)
    policy.greedy(OBSERVATIONS[0])
    calls = [member.calls for member in members]
    policy.greedy(OBSERVATIONS[0])
    assert [member.calls for member in members] == calls
    ensemble.add_agent(members[2], 1.0)
    members[0].change()
    expected = np.mean([member.outputs(OBSERVATIONS) for member in members], axis=0)
    assert_allclose(policy.greedy_batch(OBSERVATIONS), expected, rtol=1e-4, atol=1e-5)
    ensemble.prune(1)
    expected = np.mean([member.outputs(OBSERVATIONS) for member in members[:2]], axis=0)
    assert_allclose(policy.greedy_batch(OBSERVATIONS), expected, rtol=1e-4, atol=1e-5)


def test_members_of_weight_zero_are_not_asked() -> None:
    silent = FakeGreedyAgent()
    policy = policy_of([Says(1), silent], [1.0, 0.0])
    policy.greedy(OBSERVATIONS[0])
    policy.explore(OBSERVATIONS[0], np.random.default_rng(0))
    assert not silent.calls


def test_greedy_asks_for_greedy_actions_and_exploring_for_others() -> None:
    agent = FakeGreedyAgent(n_actions=4)
    policy = policy_of([agent])
    assert policy.greedy(OBSERVATIONS[0]) == 3
    assert agent.calls["act"] + agent.calls["act_batch"] == 0
    policy.explore(OBSERVATIONS[0], np.random.default_rng(0))
    assert agent.calls["act"] + agent.calls["act_batch"] == 1


@pytest.mark.parametrize(
    "observation", [{"x": np.zeros(2)}, (np.zeros(2), 1)], ids=["dict", "tuple"]
)
def test_observations_with_parts_reach_members_whole(observation: Any) -> None:
    seen: list[Any] = []

    class Notes(Says):
        def act(self, observation: Any) -> Any:
            seen.append(observation)
            return self.action

    policy = policy_of([Notes(1), Notes(1)])
    assert policy.greedy(observation) == 1
    assert policy.explore(observation, np.random.default_rng(0)) == 1
    assert all(each is observation for each in seen)


def test_actions_with_parts_are_combined_part_by_part() -> None:
    one = {"move": np.array([1.0, 0.0]), "fire": 1}
    other = {"move": np.array([0.0, 1.0]), "fire": 0}
    combined = policy_of([Says(one), Says(other)], [3.0, 1.0]).greedy(OBSERVATIONS[0])
    assert_allclose(combined["move"], [0.75, 0.25])
    assert combined["fire"] == 1
    assert policy_of([Says((1, 0.5))]).greedy(OBSERVATIONS[0]) == (1, 0.5)


def test_an_ensemble_without_voters_cannot_act() -> None:
    for policy in (policy_of([]), policy_of([Says(0)], [0.0])):
        with pytest.raises(ConfigurationError, match="cannot act"):
            policy.greedy(OBSERVATIONS[0])


def test_disagreement_of_votes_is_the_share_that_was_outvoted() -> None:
    policy = policy_of([Says(1), Says(1), Says(0)], [1.0, 1.0, 2.0 / 3.0])
    assert policy.disagreement(OBSERVATIONS) == pytest.approx(0.25)
    assert policy_of([Says(1), Says(1)]).disagreement(OBSERVATIONS) == 0.0


def test_disagreement_of_real_actions_is_their_deviation() -> None:
    policy = policy_of([Says(np.array([1.0, 4.0])), Says(np.array([3.0, 4.0]))])
    assert policy.disagreement(OBSERVATIONS) == pytest.approx(0.5)


def test_disagreement_with_a_mixture_is_measured_against_its_choice() -> None:
    members = [Chooser(seed=seed) for seed in range(5)]
    policy = policy_of(members)
    chosen = policy.greedy_batch(OBSERVATIONS)
    apart = [member.act_greedy_batch(OBSERVATIONS) != chosen for member in members]
    assert policy.disagreement(OBSERVATIONS) == pytest.approx(float(np.mean(apart)))
    assert 0.0 < policy.disagreement(OBSERVATIONS) < 1.0


def test_disagreement_of_one_of_nothing_and_of_containers_is_zero() -> None:
    assert policy_of([FakeAgent()]).disagreement(OBSERVATIONS) == 0.0
    two = [Says({"a": 1}), Says({"a": 0})]
    assert policy_of(two).disagreement(OBSERVATIONS) == 0.0
    assert policy_of([Says(0), Says(1)]).disagreement(OBSERVATIONS[:0]) == 0.0
