"""Asking members at once: the same answers as one by one, whoever they are."""

import tracemalloc
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from optix_core.errors import ConfigurationError, ContractViolationError
from optix_core.testing import FakeAgent
from optix_evolve import DenseLayer, MemberInference, Question, StackedMLP
from optix_evolve.stack_check import TOLERANCE

from .numpy_policies import (
    Chooser,
    Forgetful,
    GaussianWalker,
    Liar,
    Member,
    Overrider,
    Refuser,
    Walker,
)

OBSERVATIONS = np.random.default_rng(9).normal(size=(5, 3)).astype(np.float32)


def greedy(members: Sequence[Any], observations: NDArray[Any] = OBSERVATIONS) -> Any:
    return MemberInference(members).ask(Question.GREEDY, observations)


def one_by_one(members: Sequence[Walker], observations: NDArray[Any] = OBSERVATIONS) -> Any:
    return np.stack([member.outputs(observations) for member in members])


@given(
    st.lists(st.integers(1, 7), min_size=2, max_size=4),
    st.integers(1, 6),
    st.integers(1, 9),
    st.sampled_from([np.float32, np.float64]),
)
def test_a_stack_is_its_members_one_by_one(
    sizes: list[int], n_members: int, n_rows: int, dtype: Any
) -> None:
    members = [Walker(sizes, seed, dtype) for seed in range(n_members)]
    observations = np.random.default_rng(0).normal(size=(n_rows, sizes[0])).astype(dtype)
    inference = MemberInference(members)
    actions = inference.ask(Question.GREEDY, observations)
    assert actions.shape == (n_members, n_rows, sizes[-1])
    assert actions.dtype == dtype
    assert_allclose(actions, one_by_one(members, observations), rtol=1e-4, atol=1e-5)
    assert inference.stacked == ((tuple(range(n_members)),) if n_members > 1 else ())


def test_stacked_members_are_not_called_again() -> None:
    members = [Walker(seed=seed) for seed in range(4)]
    inference = MemberInference(members)
    inference.ask(Question.GREEDY, OBSERVATIONS)
    asked = [member.calls for member in members]
    for question in (Question.GREEDY, Question.EXPLORING):
        answer = inference.ask(question, OBSERVATIONS)
        assert_allclose(answer, one_by_one(members), rtol=1e-4, atol=1e-5)
    assert [member.calls for member in members] == asked


def test_only_members_that_learned_are_copied_again() -> None:
    copied = list[Walker]()

    class Noted(Walker):
        def stack(self, members: Sequence[Any]) -> Any:
            return StackedMLP(members, self.note)

        def note(self, walker: Walker) -> Sequence[DenseLayer]:
            copied.append(walker)
            return walker.layers

    members = [Noted(seed=seed) for seed in range(4)]
    inference = MemberInference(members)
    inference.ask(Question.GREEDY, OBSERVATIONS)
    assert copied == members
    copied.clear()
    members[2].change()
    for _ in range(2):
        answer = inference.ask(Question.GREEDY, OBSERVATIONS)
        assert_allclose(answer, one_by_one(members), rtol=1e-4, atol=1e-5)
    assert copied == [members[2]]


def test_mixed_lists_are_grouped_by_structure() -> None:
    kinds = [(3, 8, 2), (3, 4, 2), (3, 8, 2), (3, 5, 2), (3, 4, 2), (3, 8, 2)]
    members = [Walker(sizes, seed) for seed, sizes in enumerate(kinds)]
    members.insert(1, Overrider(seed=30))
    inference = MemberInference(members)
    answer = inference.ask(Question.GREEDY, OBSERVATIONS)
    assert sorted(inference.stacked) == [(0, 3, 6), (2, 5)]
    expected = one_by_one(members)
    expected[1] = 2.0 * OBSERVATIONS[:, :2]
    assert_allclose(answer, expected, rtol=1e-4, atol=1e-5)
    # Asked again, the rows are written in place.
    assert inference.ask(Question.GREEDY, OBSERVATIONS) is answer


def test_empty_and_single_lists() -> None:
    nobody = MemberInference([])
    assert nobody.ask(Question.GREEDY, OBSERVATIONS) == []
    assert (len(nobody), nobody.stacked) == (0, ())
    only = Walker()
    assert_allclose(greedy([only]), one_by_one([only]))


def test_no_observations_are_nothing_to_check_a_stack_on() -> None:
    inference = MemberInference([Walker(seed=seed) for seed in range(2)])
    assert inference.ask(Question.GREEDY, OBSERVATIONS[:0]).shape == (2, 0, 2)


def test_a_stack_that_lies_is_not_trusted(caplog: pytest.LogCaptureFixture) -> None:
    members = [Liar(seed) for seed in range(3)]
    inference = MemberInference(members)
    assert_array_equal(inference.ask(Question.GREEDY, OBSERVATIONS), one_by_one(members))
    assert inference.stacked == ()
    assert "gives other answers" in caplog.text


@pytest.mark.parametrize(("error", "n_stacks"), [(0.4 * TOLERANCE, 1), (500 * TOLERANCE, 0)])
def test_rounding_is_no_lie(error: float, n_stacks: int) -> None:
    inference = MemberInference([Liar(seed, error) for seed in range(3)])
    inference.ask(Question.GREEDY, OBSERVATIONS)
    assert len(inference.stacked) == n_stacks


@pytest.mark.parametrize("refusal", [ContractViolationError("not today"), ZeroDivisionError()])
def test_members_that_do_not_stack_are_asked_one_by_one(refusal: Exception) -> None:
    members = [Refuser(seed=seed) for seed in range(3)]
    for member in members:
        member.refusal = refusal
    assert_array_equal(greedy(members), one_by_one(members))


def test_a_subclass_that_acts_otherwise_is_not_stacked_by_what_it_inherits() -> None:
    inference = MemberInference([Overrider(seed=seed) for seed in range(3)])
    actions = inference.ask(Question.GREEDY, OBSERVATIONS)
    assert_array_equal(actions, np.stack([2.0 * OBSERVATIONS[:, :2]] * 3))
    assert inference.stacked == ()


def test_a_stack_is_checked_on_every_question() -> None:
    members = [Forgetful(seed=seed) for seed in range(3)]
    expected = np.stack([m.act_greedy_batch(OBSERVATIONS) for m in members])
    inference = MemberInference(members)
    assert_array_equal(inference.ask(Question.GREEDY, OBSERVATIONS), expected)
    assert inference.stacked == ()


def test_draws_are_those_of_the_members() -> None:
    members, twins = ([Chooser(seed=seed) for seed in range(4)] for _ in range(2))
    inference = MemberInference(members)
    for _ in range(3):
        drawn = inference.ask(Question.EXPLORING, OBSERVATIONS)
        expected = np.stack([twin.act_batch(OBSERVATIONS) for twin in twins])
        assert_array_equal(drawn, expected)
    assert inference.stacked == ((0, 1, 2, 3),)


def test_discrete_members_are_asked_for_distributions_and_actions() -> None:
    members = [Chooser(seed=seed) for seed in range(4)]
    inference = MemberInference(members)
    probabilities = inference.ask(Question.DISTRIBUTION, OBSERVATIONS).copy()
    expected = np.stack([m.action_distribution(OBSERVATIONS) for m in members])
    assert_allclose(probabilities, expected, rtol=1e-4, atol=1e-5)
    best = inference.ask(Question.GREEDY, OBSERVATIONS)
    assert_array_equal(best, expected.argmax(axis=-1))


def test_means_and_deviations_come_as_a_pair() -> None:
    members = [GaussianWalker(seed=seed) for seed in range(3)]
    mean, deviation = MemberInference(members).ask(Question.DISTRIBUTION, OBSERVATIONS)
    assert_allclose(mean, one_by_one(members))
    assert deviation.shape == (3, 5, 2)
    assert (deviation == 0.5).all()


def test_who_can_answer_what() -> None:
    choosers, both = [Chooser(seed=1)], [Chooser(seed=1), Walker()]
    assert MemberInference(choosers).can_answer(Question.DISTRIBUTION)
    assert not MemberInference(both).can_answer(Question.DISTRIBUTION)
    with pytest.raises(ContractViolationError, match="Walker has no action_distribution"):
        MemberInference(both).ask(Question.DISTRIBUTION, OBSERVATIONS)


def test_agents_with_six_methods_are_asked_row_by_row() -> None:
    members, twins = ([FakeAgent(seed=seed) for seed in range(3)] for _ in range(2))
    actions = MemberInference(members).ask(Question.EXPLORING, OBSERVATIONS)
    assert_array_equal(actions, [[twin.act(row) for row in OBSERVATIONS] for twin in twins])


def test_actions_in_parts_come_as_they_are() -> None:
    class Driver(Member):
        def act(self, observation: Any) -> Any:
            return {"gear": 1, "wheel": (observation[:1], observation[1:])}

    first, second = MemberInference([Driver(), Driver()]).ask(Question.GREEDY, OBSERVATIONS)
    assert_array_equal(first["gear"], [1] * 5)
    assert_array_equal(second["wheel"][1], OBSERVATIONS[:, 1:])


def test_answers_of_several_shapes_are_a_list() -> None:
    answers = greedy([Walker((3, 2)), Walker((3, 4))])
    assert [answer.shape for answer in answers] == [(5, 2), (5, 4)]


def test_a_stack_that_fails_later_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    members = [Walker(seed=seed) for seed in range(3)]
    inference = MemberInference(members)
    inference.ask(Question.GREEDY, OBSERVATIONS)
    members[1].sizes = (3, 9, 2)
    members[1].change()
    answer = inference.ask(Question.GREEDY, OBSERVATIONS)
    assert_array_equal(answer, one_by_one(members))
    assert inference.stacked == ()
    assert "run one by one" in caplog.text


def test_an_observation_that_no_member_takes_is_the_members_error() -> None:
    members = [Walker(seed=seed) for seed in range(3)]
    inference = MemberInference(members)
    inference.ask(Question.GREEDY, OBSERVATIONS)
    with pytest.raises(ValueError, match="matmul"):
        inference.ask(Question.GREEDY, np.zeros((2, 7), np.float32))
    assert inference.stacked == ((0, 1, 2),)


def test_members_may_refuse_observations_that_were_made_up() -> None:
    class Careful(Walker):
        def act_batch(self, observations: NDArray[Any]) -> Any:
            if (observations < 0).any():
                raise ValueError("negative")
            return super().act_batch(observations)

        def act(self, observation: Any) -> Any:
            return self.act_batch(observation[np.newaxis])[0]

        def stack(self, members: Sequence[Any]) -> Any:
            return super().stack(members)

    members = [Careful(seed=seed) for seed in range(3)]
    inference = MemberInference(members)
    answer = inference.ask(Question.GREEDY, abs(OBSERVATIONS))
    assert_allclose(answer, one_by_one(members, abs(OBSERVATIONS)), rtol=1e-4, atol=1e-5)
    assert len(inference.stacked) == 1


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("n_rows", [1, 2, 5])
def test_compiled_or_not_answers_agree(compiled: bool, n_rows: int) -> None:  # noqa: FBT001
    members = [Walker(seed=seed) for seed in range(4)]
    inference = MemberInference(members, compiled=compiled)
    for _ in range(2):
        answer = inference.ask(Question.GREEDY, OBSERVATIONS[:n_rows])
        assert_allclose(answer, one_by_one(members)[:, :n_rows], rtol=1e-4, atol=1e-5)
        members[3].change()


@pytest.mark.parametrize("chunk_bytes", [1, 100, 1 << 20])
def test_the_mean_does_not_depend_on_chunks(chunk_bytes: int) -> None:
    members = [Walker(seed=seed) for seed in range(4)]
    weights = [1.0, 0.0, 2.0, 5.0]
    observations = np.random.default_rng(1).normal(size=(37, 3)).astype(np.float32)
    inference = MemberInference(members, compiled=False)
    mean = inference.mean(Question.GREEDY, observations, weights, chunk_bytes=chunk_bytes)
    expected = np.average(one_by_one(members, observations), axis=0, weights=weights)
    assert mean.dtype == np.float32
    assert_allclose(mean, expected, rtol=1e-4, atol=1e-5)


def test_the_mean_of_distributions_is_that_of_probabilities_or_means() -> None:
    choosers = [Chooser(seed=seed) for seed in range(3)]
    mean = MemberInference(choosers).mean(Question.DISTRIBUTION, OBSERVATIONS, [1, 1, 2])
    assert_allclose(mean.sum(axis=-1), 1.0, rtol=1e-5)
    walkers = [GaussianWalker(seed=seed) for seed in range(3)]
    mean = MemberInference(walkers).mean(Question.DISTRIBUTION, OBSERVATIONS, [1, 1, 1])
    assert_allclose(mean, one_by_one(walkers).mean(axis=0), rtol=1e-4, atol=1e-5)


def test_what_has_no_mean() -> None:
    inference = MemberInference([Chooser(seed=seed) for seed in range(3)])
    with pytest.raises(ContractViolationError, match="only real numbers"):
        inference.mean(Question.GREEDY, OBSERVATIONS, [1, 1, 1])
    with pytest.raises(ConfigurationError, match="no mean of no observations"):
        inference.mean(Question.GREEDY, OBSERVATIONS[:0], [1, 1, 1])


def test_the_mean_never_holds_all_answers() -> None:
    members = [Walker((17, 16, 17), seed) for seed in range(64)]
    observations = np.random.default_rng(0).normal(size=(2048, 17)).astype(np.float32)
    inference = MemberInference(members, compiled=False)
    everything = 64 * 2048 * 17 * 4
    weights = np.ones(64)
    inference.mean(Question.GREEDY, observations[:8], weights)
    tracemalloc.start()
    try:
        inference.mean(Question.GREEDY, observations, weights, chunk_bytes=1 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.6 * everything
