"""Discounted sums against sums taken one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from optix_tf.returns import discounted_returns, generalised_advantages

from . import reference

_SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 3))


@given(_SHAPES, st.integers(0, 2**32), st.floats(0.0, 1.0), st.floats(-5.0, 5.0))
def test_returns_are_sums_within_an_episode_of_one_environment(
    shape: tuple[int, int], seed: int, gamma: float, unknown: float
) -> None:
    rng = np.random.default_rng(seed)
    rewards = rng.standard_normal(shape)
    terminated, truncated = rng.random(shape) < 0.2, rng.random(shape) < 0.2
    found = discounted_returns(rewards, terminated, truncated, gamma=gamma, unknown=unknown)
    for env in range(shape[1]):
        wanted = reference.return_to_go(
            rewards[:, env].tolist(),
            terminated[:, env].tolist(),
            truncated[:, env].tolist(),
            gamma=gamma,
            unknown=unknown,
        )
        assert_allclose(found[:, env], wanted, atol=1e-9)


@given(_SHAPES, st.integers(0, 2**32), st.floats(0.0, 1.0))
def test_advantages_are_sums_within_an_episode_of_one_environment(
    shape: tuple[int, int], seed: int, decay: float
) -> None:
    rng = np.random.default_rng(seed)
    deltas, ended = rng.standard_normal(shape), rng.random(shape) < 0.3
    found = generalised_advantages(deltas, ended, decay=decay)
    for env in range(shape[1]):
        wanted = reference.advantages(deltas[:, env].tolist(), ended[:, env].tolist(), decay)
        assert_allclose(found[:, env], wanted, atol=1e-9)


def test_a_row_that_is_no_step_counts_for_nothing() -> None:
    rewards = np.array([[1.0], [2.0], [99.0], [4.0]])
    terminated = np.array([[False], [True], [False], [False]])
    nothing = np.zeros((4, 1), np.bool_)
    valid = np.array([[True], [True], [False], [True]])
    found = discounted_returns(rewards, terminated, nothing, gamma=0.5, valid=valid)
    assert_allclose(found[valid], [2.0, 2.0, 4.0])
    deltas = generalised_advantages(rewards, terminated, decay=0.5, valid=valid)
    assert_allclose(deltas[valid], [2.0, 2.0, 4.0])


def test_a_return_worked_out_by_hand() -> None:
    # Ends: row 1 terminates, row 3 is cut off, row 4 is the window's last.
    found = discounted_returns(
        np.array([[1.0], [1.0], [1.0], [1.0], [1.0]]),
        np.array([[False], [True], [False], [False], [False]]),
        np.array([[False], [False], [False], [True], [False]]),
        gamma=0.5,
        unknown=8.0,
    )
    assert_allclose(found[:, 0], [1.5, 1.0, 3.5, 5.0, 5.0])
