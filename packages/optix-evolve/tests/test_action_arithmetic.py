"""Weighted mean, vote and mean of softmaxes against their slow twins, compiled and not."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from optix_core.errors import ConfigurationError, ContractViolationError
from optix_evolve.action_arithmetic import (
    ActionBuffer,
    MemberWeights,
    mean_softmax,
    weighted_mean,
    weighted_vote,
)

from . import reference

COMPILED = pytest.mark.parametrize("compiled", [False, True])
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
TOLERANCE: dict[type, float] = {np.float32: 1e-5, np.float64: 1e-12}

member_weights = st.lists(st.floats(0, 100), min_size=1, max_size=20).filter(any)
seeds = st.integers(0, 2**32 - 1)


def normal(
    seed: int, *shape: int, dtype: type[np.floating[Any]] = np.float64
) -> NDArray[np.floating[Any]]:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


@COMPILED
@DTYPES
@given(weights=member_weights, seed=seeds, columns=st.integers(0, 9))
def test_a_mean_is_that_of_its_twin(
    *, compiled: bool, dtype: type[np.floating[Any]], weights: list[float], seed: int, columns: int
) -> None:
    outputs = normal(seed, len(weights), columns, dtype=dtype)
    mean = weighted_mean(outputs, weights, compiled=compiled)
    assert mean.dtype == dtype
    np.testing.assert_allclose(
        mean, reference.weighted_mean(outputs, weights), atol=TOLERANCE[dtype]
    )


@COMPILED
@DTYPES
@given(weights=member_weights, seed=seeds, scale=st.integers(-900, 900))
def test_a_mean_is_linear_bounded_and_blind_to_the_scale_of_weights(
    *, compiled: bool, dtype: type[np.floating[Any]], weights: list[float], seed: int, scale: float
) -> None:
    outputs = normal(seed, len(weights), 5, dtype=dtype)
    tolerance = TOLERANCE[dtype]
    mean = weighted_mean(outputs, weights, compiled=compiled)
    assert (mean >= outputs.min(axis=0) - tolerance).all()
    assert (mean <= outputs.max(axis=0) + tolerance).all()
    scaled = [weight * 2.0**scale for weight in weights]
    if all(
        weight == 0 or 1e-290 < new < 1e290 for weight, new in zip(weights, scaled, strict=True)
    ):
        np.testing.assert_allclose(
            weighted_mean(outputs, scaled, compiled=compiled), mean, atol=tolerance
        )
    np.testing.assert_allclose(
        weighted_mean(outputs[::-1], weights[::-1], compiled=compiled), mean, atol=tolerance
    )
    np.testing.assert_allclose(
        weighted_mean(2 * outputs + 1, weights, compiled=compiled), 2 * mean + 1, atol=4 * tolerance
    )


@DTYPES
def test_a_mean_over_many_columns_and_members_is_the_same_on_every_path(
    dtype: type[np.floating[Any]],
) -> None:
    outputs = normal(1, 37, 5000, 2, dtype=dtype)
    weights = np.linspace(0, 1, 37).tolist()
    expected = reference.weighted_mean(outputs, weights)
    for compiled, parallel in ((False, False), (True, False), (None, False), (None, True)):
        mean = weighted_mean(outputs, weights, compiled=compiled, parallel=parallel)
        np.testing.assert_allclose(mean, expected, atol=TOLERANCE[dtype])


@COMPILED
def test_a_member_of_weight_zero_is_not_read(*, compiled: bool) -> None:
    outputs = np.full((3, 4), np.nan)
    outputs[1] = 5.0
    assert weighted_mean(outputs, [0, 2, 0], compiled=compiled).tolist() == [5.0] * 4
    logits = np.full((2, 1, 2), np.nan)
    logits[0] = 0.0
    assert mean_softmax(logits, [1, 0], compiled=compiled).tolist() == [[0.5, 0.5]]


@COMPILED
def test_a_mean_is_written_where_asked(*, compiled: bool) -> None:
    outputs, out = np.arange(12.0).reshape(2, 3, 2), np.empty((3, 2))
    assert weighted_mean(outputs, [1, 1], out=out, compiled=compiled) is out
    np.testing.assert_array_equal(out, outputs.mean(axis=0))
    for wrong in (np.empty((2, 3)), np.empty((3, 2), np.float32), np.empty((2, 3)).T):
        with pytest.raises(ConfigurationError, match="out must be a contiguous float64"):
            weighted_mean(outputs, [1, 1], out=wrong, compiled=compiled)


@COMPILED
def test_a_mean_of_integers_or_of_a_strided_array_is_a_mean(*, compiled: bool) -> None:
    integers = np.array([[1, 2], [4, 3]])
    assert weighted_mean(integers, [1, 1], compiled=compiled).tolist() == [2.5, 2.5]
    strided = normal(2, 6, 4)[::2, ::2]
    expected = reference.weighted_mean(strided, [1, 2, 3])
    np.testing.assert_allclose(weighted_mean(strided, [1, 2, 3], compiled=compiled), expected)


@COMPILED
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.int16, np.uint8])
@given(
    weights=st.lists(st.integers(0, 3), min_size=1, max_size=12).filter(any),
    seed=seeds,
    n_actions=st.integers(1, 6),
)
def test_a_vote_is_that_of_its_twin_ties_included(
    *,
    compiled: bool,
    dtype: type[np.integer[Any]],
    weights: list[float],
    seed: int,
    n_actions: int,
) -> None:
    rng = np.random.default_rng(seed)
    actions = rng.integers(n_actions, size=(len(weights), 7)).astype(dtype)
    weights = [weight / 10 for weight in weights]  # so that ties meet rounding
    chosen = weighted_vote(actions, weights, n_actions, compiled=compiled)
    np.testing.assert_array_equal(chosen, reference.vote(actions, weights))


@COMPILED
@given(weights=member_weights, seed=seeds)
def test_a_vote_falls_on_a_choice_of_some_member_and_is_monotone(
    *, compiled: bool, weights: list[float], seed: int
) -> None:
    actions = np.random.default_rng(seed).integers(5, size=(len(weights), 4))
    chosen = weighted_vote(actions, weights, 5, compiled=compiled)
    heard = actions[np.array(weights) > 0]
    assert ((heard == chosen).any(axis=0)).all()
    joined = np.concatenate([actions, chosen[None]])
    again = weighted_vote(joined, [*weights, max(weights)], 5, compiled=compiled)
    np.testing.assert_array_equal(again, chosen)


@COMPILED
def test_a_vote_over_many_places_is_the_same_on_every_path(*, compiled: bool) -> None:
    actions = np.random.default_rng(3).integers(17, size=(9, 2000)).astype(np.uint8)
    weights = [float(weight) for weight in range(1, 10)]
    chosen = weighted_vote(actions.reshape(9, 100, 20), weights, 17, compiled=compiled)
    np.testing.assert_array_equal(chosen, reference.vote(actions, weights).reshape(100, 20))


@COMPILED
@pytest.mark.parametrize("action", [-1, 3])
def test_a_vote_for_an_action_that_is_not_there_is_refused(*, compiled: bool, action: int) -> None:
    with pytest.raises(ContractViolationError, match=rf"within \[0, 3\).*{action}"):
        weighted_vote(np.array([[0], [action]]), [1, 1], 3, compiled=compiled)
    with pytest.raises(ContractViolationError, match="integers, got float64"):
        weighted_vote(np.ones((2, 1)), [1, 1], 3, compiled=compiled)


@COMPILED
@DTYPES
@given(weights=member_weights, seed=seeds, n_actions=st.integers(1, 6), scale=st.floats(0, 300))
def test_a_mean_of_softmaxes_is_that_of_its_twin(
    *,
    compiled: bool,
    dtype: type[np.floating[Any]],
    weights: list[float],
    seed: int,
    n_actions: int,
    scale: float,
) -> None:
    logits = normal(seed, len(weights), 3, n_actions, dtype=dtype) * dtype(scale)
    mean = mean_softmax(logits, weights, compiled=compiled)
    np.testing.assert_allclose(mean, reference.mean_softmax(logits, weights), atol=1e-13)
    np.testing.assert_allclose(mean.sum(axis=-1), 1.0, atol=1e-12)
    assert (mean >= 0).all()


@COMPILED
def test_softmaxes_over_many_rows_and_many_actions(*, compiled: bool) -> None:
    for rows, n_actions in [(900, 5), (3, 3000)]:
        logits = normal(4, 3, rows, n_actions)
        expected = reference.mean_softmax(logits, [1, 2, 3])
        np.testing.assert_allclose(
            mean_softmax(logits, [1, 2, 3], compiled=compiled), expected, atol=1e-13
        )


@COMPILED
@given(seed=seeds, shift=st.floats(-1e3, 1e3))
def test_softmaxes_do_not_change_when_logits_shift(
    *, compiled: bool, seed: int, shift: float
) -> None:
    logits = normal(seed, 2, 3, 4)
    np.testing.assert_allclose(
        mean_softmax(logits + shift, [1, 3], compiled=compiled),
        mean_softmax(logits, [1, 3], compiled=compiled),
        atol=1e-11,
    )


@COMPILED
def test_a_ruled_out_action_has_no_probability(*, compiled: bool) -> None:
    logits = np.array([[[0.0, -np.inf]], [[-np.inf, 5.0]]])
    probabilities = mean_softmax(logits, [1, 3], compiled=compiled)
    np.testing.assert_allclose(probabilities, [[0.25, 0.75]], atol=1e-300)


@COMPILED
@pytest.mark.parametrize("bad", [[np.nan, 0.0], [np.inf, 0.0], [-np.inf, -np.inf], [0.0, np.nan]])
def test_logits_without_a_softmax_are_refused(*, compiled: bool, bad: Any) -> None:
    logits = np.array([[[1.0, 2.0]], [bad]])
    with pytest.raises(ContractViolationError, match="logits are NaN, infinite"):
        mean_softmax(logits, [1, 1], compiled=compiled)


def test_weights_are_shares_and_all_zeros_count_as_equal() -> None:
    assert MemberWeights([1, 3]).shares.tolist() == [0.25, 0.75]
    assert MemberWeights([0, 0]).shares.tolist() == [0.5, 0.5]
    assert MemberWeights([1.7e308, 1.7e308]).shares.tolist() == [0.5, 0.5]
    assert MemberWeights([0, 2, 0, 1]).voters.tolist() == [1, 3]
    assert MemberWeights([1, 3]).shares_as(np.float32).dtype == np.float32


@pytest.mark.parametrize("bad", [[], [[1.0]], [1.0, -1.0], [math.nan], [math.inf, 1.0]])
def test_weights_that_are_none_are_refused(bad: Any) -> None:
    with pytest.raises(ConfigurationError, match="weights must be"):
        MemberWeights(bad)


def test_outputs_need_one_row_a_member() -> None:
    for call in (weighted_mean, mean_softmax):
        with pytest.raises(ConfigurationError, match="one row a member"):
            call(np.ones((3, 2)), [1, 1])
    with pytest.raises(ConfigurationError, match="logits must be"):
        mean_softmax(np.ones(2), [1, 1])


@COMPILED
@DTYPES
def test_a_buffer_takes_outputs_and_weights_again_and_again(
    *, compiled: bool, dtype: type[np.floating[Any]]
) -> None:
    buffer = ActionBuffer(MemberWeights([1, 3]), (4, 2), dtype, compiled=compiled)
    assert buffer.outputs.shape == (2, 4, 2)
    buffer.outputs[0], buffer.outputs[1] = 0.0, 1.0
    first = buffer.mean()
    assert first.dtype == dtype
    np.testing.assert_array_equal(first, np.full((4, 2), 0.75))
    buffer.outputs[1] = np.nan
    buffer.set_weights(MemberWeights([1, 0]))
    assert buffer.mean() is first
    np.testing.assert_array_equal(first, np.zeros((4, 2)))


def test_a_buffer_is_for_floats_and_for_its_members() -> None:
    with pytest.raises(ConfigurationError, match="float32 or float64, got int64"):
        ActionBuffer(MemberWeights([1]), (2,), np.int64)
    buffer = ActionBuffer(MemberWeights([1, 1]), (2,))
    with pytest.raises(ConfigurationError, match="3 weights for 2 members"):
        buffer.set_weights(MemberWeights([1, 1, 1]))
