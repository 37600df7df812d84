"""How actions of every kind become one, for single observations and batches."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from optix_core.errors import ConfigurationError, ContractViolationError
from optix_evolve.action_combination import ActionCombiner


def box(
    low: float = -1.0,
    high: float = 1.0,
    shape: tuple[int, ...] = (2,),
    dtype: type[Any] = np.float32,
) -> SimpleNamespace:
    bounds = np.full(shape, low, dtype), np.full(shape, high, dtype)
    return SimpleNamespace(low=bounds[0], high=bounds[1], shape=shape, dtype=np.dtype(dtype))


def discrete(n: int, start: int = 0) -> SimpleNamespace:
    return SimpleNamespace(n=np.int64(n), start=np.int64(start), shape=())


def multi_discrete(*nvec: int) -> SimpleNamespace:
    return SimpleNamespace(nvec=np.array(nvec), shape=(len(nvec),), start=np.zeros(len(nvec), int))


def multi_binary(n: int) -> SimpleNamespace:
    return SimpleNamespace(n=n, shape=(n,))


def nested(spaces: Any) -> SimpleNamespace:
    return SimpleNamespace(spaces=spaces)


def test_python_integers_vote_and_stay_integers() -> None:
    chosen = ActionCombiner().combine([2, 0, 2], [1.0, 1.5, 1.0])
    assert chosen == 2
    assert type(chosen) is int


def test_equal_votes_go_to_the_lowest_action_whoever_casts_them() -> None:
    for space in (None, discrete(3)):
        combiner = ActionCombiner(space)
        assert combiner.combine([2, 1], [1, 1]) == 1
        assert combiner.combine([1, 2], [1, 1]) == 1
        batch = [np.array([2, 0]), np.array([1, 1])]
        assert combiner.combine(batch, [1, 1]).tolist() == [1, 0]


@given(
    actions=st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=9), seed=st.integers(0, 9)
)
def test_votes_over_any_integers_agree_for_all_types(actions: list[int], seed: int) -> None:
    weights = np.random.default_rng(seed).integers(1, 4, size=len(actions)) / 64
    combiner = ActionCombiner()
    alone = combiner.combine(actions, weights)
    numpy_alone = combiner.combine([np.int64(action) for action in actions], weights)
    batch = combiner.combine([np.array([action, 7]) for action in actions], weights)
    assert alone == numpy_alone == batch[0]
    assert batch[1] == 7
    assert type(numpy_alone) is np.int64


def test_booleans_vote_and_stay_booleans() -> None:
    assert ActionCombiner().combine([True, False, True], [1, 1, 1]) is True
    batch = [np.array([True, False]), np.array([False, False]), np.array([True, True])]
    chosen = ActionCombiner().combine(batch, [1, 1, 1])
    assert chosen.dtype == np.bool_
    assert chosen.tolist() == [True, False]


def test_floats_average_and_keep_their_type() -> None:
    combiner = ActionCombiner()
    assert combiner.combine([1.0, 4.0], [2, 1]) == 2.0
    assert type(combiner.combine([1.0, 4.0], [2, 1])) is float
    actions = [np.array([0.0, 1.0], np.float32), np.array([1.0, 3.0], np.float32)]
    mean = combiner.combine(actions, [1, 3])
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean, [0.75, 2.5])
    assert type(combiner.combine([np.float32(1), np.float32(2)], [1, 1])) is np.float32
    assert combiner.combine([1, 2.0], [1, 1]) == 1.5


def test_a_discrete_index_is_never_averaged() -> None:
    assert ActionCombiner().combine([0, 0, 0, 2, 2], [1, 1, 1, 1, 1]) == 0
    assert ActionCombiner(discrete(3)).combine([np.int64(0), np.int64(2)], [1, 2]) == 2


def test_a_discrete_space_may_start_anywhere() -> None:
    combiner = ActionCombiner(discrete(3, start=-1))
    assert combiner.combine([-1, 1, 1], [1, 1, 1]) == 1
    probabilities = np.array([[0.6, 0.4, 0.0], [0.0, 0.5, 0.5]])
    assert combiner.combine_probabilities(probabilities, [1, 1]) == 0
    with pytest.raises(ContractViolationError, match="within"):
        combiner.combine([2, 2], [1, 1])


def test_members_vote_for_what_they_hold_most_probable() -> None:
    combiner = ActionCombiner(discrete(3))
    unsure, sure = [0.1, 0.5, 0.4], [1.0, 0.0, 0.0]
    assert combiner.combine_probabilities(np.array([unsure, unsure, sure]), [1, 1, 1]) == 1
    assert combiner.combine_probabilities(np.array([unsure, unsure, sure]), [1, 1, 3]) == 0


def test_the_mean_probability_decides_between_votes_of_equal_weight() -> None:
    combiner = ActionCombiner(discrete(3))
    one = np.array([[0.6, 0.4, 0.0], [0.2, 0.4, 0.4]])
    two = np.array([[0.0, 0.5, 0.5], [0.0, 0.0, 1.0]])
    assert combiner.combine_probabilities(np.stack([one, two]), [1, 1]).tolist() == [1, 2]
    even = np.array([[0.0, 0.5, 0.5], [0.5, 0.5, 0.0]])
    assert combiner.combine_probabilities(even, [1, 1]) == 1


@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4)),
        elements=st.floats(0.0, 1.0),
    ),
    st.data(),
)
def test_choices_by_probability_are_those_of_a_plain_count(
    probabilities: np.ndarray[Any, Any], data: st.DataObject
) -> None:
    n_members, n_places, n_actions = probabilities.shape
    weights = data.draw(
        st.lists(st.integers(1, 3), min_size=n_members, max_size=n_members), label="weights"
    )
    chosen = ActionCombiner().combine_probabilities(probabilities, weights)
    for place in range(n_places):
        votes = [0] * n_actions
        for member, weight in enumerate(weights):
            row = probabilities[member, place].tolist()
            votes[row.index(max(row))] += weight
        mean = np.average(probabilities[:, place], axis=0, weights=weights)
        assert votes[chosen[place]] == max(votes)
        rivals = [mean[k] for k in range(n_actions) if votes[k] == max(votes)]
        assert mean[chosen[place]] == pytest.approx(max(rivals))


def test_probabilities_that_do_not_fit_are_refused() -> None:
    combiner = ActionCombiner(discrete(3))
    with pytest.raises(ContractViolationError, match="2 probabilities for 3 actions"):
        combiner.combine_probabilities(np.ones((2, 2)), [1, 1])
    with pytest.raises(ContractViolationError, match="NaN"):
        combiner.combine_probabilities(np.full((2, 3), np.nan), [1, 1])


def test_a_box_averages_clips_and_has_its_dtype() -> None:
    combiner = ActionCombiner(box())
    mean = combiner.combine([np.array([3.0, 0.2]), np.array([1.0, 0.4])], [1, 1])
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean, [1.0, 0.3], rtol=1e-6)
    batch = [np.zeros((5, 2)), np.full((5, 2), 0.5)]
    np.testing.assert_allclose(combiner.combine(batch, [1, 3]), np.full((5, 2), 0.375))
    with pytest.raises(ContractViolationError, match=r"shape \(3,\), the space has \(2,\)"):
        combiner.combine([np.zeros(3), np.zeros(3)], [1, 1])


def test_an_integer_box_averages_and_rounds() -> None:
    combiner = ActionCombiner(box(0, 255, (2,), np.uint8))
    members = [np.array([10, 250], np.uint8), np.array([13, 255], np.uint8)]
    chosen = combiner.combine(members, [2, 1])
    assert chosen.dtype == np.uint8
    assert chosen.tolist() == [11, 252]


def test_components_vote_one_by_one() -> None:
    combiner = ActionCombiner(multi_discrete(3, 5))
    members = [np.array([0, 4]), np.array([2, 4]), np.array([2, 1])]
    assert combiner.combine(members, [1, 1, 1]).tolist() == [2, 4]
    batch = [np.stack([member, member]) for member in members]
    assert combiner.combine(batch, [1, 1, 1]).tolist() == [[2, 4], [2, 4]]
    binary = [np.array([0, 1], np.int8), np.array([1, 1], np.int8), np.array([1, 0], np.int8)]
    chosen = ActionCombiner(multi_binary(2)).combine(binary, [1, 1, 1])
    assert chosen.tolist() == [1, 1]
    assert chosen.dtype == np.int8


def test_containers_are_combined_part_by_part() -> None:
    space = nested({"steer": box(shape=(1,)), "gear": discrete(4), "pair": nested((discrete(2),))})
    members = [
        {"steer": np.array([0.5]), "gear": 1, "pair": (0,)},
        {"steer": np.array([5.0]), "gear": 3, "pair": (1,)},
        {"steer": np.array([0.5]), "gear": 3, "pair": (1,)},
    ]
    for combiner in (ActionCombiner(space), ActionCombiner()):
        chosen = combiner.combine(members, [1, 1, 1])
        assert chosen["gear"] == 3
        assert chosen["pair"] == (1,)
    np.testing.assert_allclose(ActionCombiner(space).combine(members, [1, 1, 1])["steer"], [1.0])
    np.testing.assert_allclose(ActionCombiner().combine(members, [1, 1, 1])["steer"], [2.0])


def test_containers_of_batches_are_combined_part_by_part() -> None:
    members = [
        {"x": np.zeros((4, 2)), "k": np.array([0, 1, 1, 0])},
        {"x": np.ones((4, 2)), "k": np.array([0, 1, 0, 1])},
    ]
    chosen = ActionCombiner(nested({"x": box(), "k": discrete(2)})).combine(members, [1, 3])
    np.testing.assert_allclose(chosen["x"], np.full((4, 2), 0.75))
    assert chosen["k"].tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    "members",
    [
        [{"a": 1}, {"b": 1}],
        [{"a": 1}, 1],
        [(1, 2), (1,)],
        [(1,), 1],
        [np.zeros(2), np.zeros(3)],
        ["left", "left"],
        [None, None],
    ],
)
def test_members_that_differ_or_give_no_numbers_are_refused(members: list[Any]) -> None:
    with pytest.raises(ContractViolationError):
        ActionCombiner().combine(members, [1, 1])


def test_actions_that_do_not_fit_the_space_are_refused() -> None:
    for space, action in [
        (nested({"a": discrete(2)}), 1),
        (nested({"a": discrete(2)}), {"b": 1}),
        (discrete(2), {"a": 1}),
        (discrete(2), 0.5),
    ]:
        with pytest.raises(ContractViolationError):
            ActionCombiner(space).combine([action, action], [1, 1])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_float_that_is_not_finite_is_refused_and_counted(bad: Any) -> None:
    members = [np.array([0.0, bad]), np.zeros(2)]
    with pytest.raises(ContractViolationError, match="1 of 2 members"):
        ActionCombiner().combine(members, [1, 1])
    assert ActionCombiner().combine(members, [0, 1]).tolist() == [0.0, 0.0]
    assert ActionCombiner().combine([None, 3], [0, 1]) == 3


def test_an_unknown_space_or_a_missing_weight_is_refused() -> None:
    for space in (object(), nested({"a": object()})):
        with pytest.raises(ConfigurationError, match="no rule for combining"):
            ActionCombiner(space)
    with pytest.raises(ConfigurationError, match="2 actions for 1 weights"):
        ActionCombiner().combine([1, 2], [1])


def test_an_empty_batch_stays_empty() -> None:
    for dtype in (np.int64, np.float32):
        empty = [np.zeros((0,), dtype), np.zeros((0,), dtype)]
        assert ActionCombiner().combine(empty, [1, 1]).shape == (0,)
