"""Actions drawn from logits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from optix_core.errors import ContractViolationError
from optix_tf.sampling import log_softmax, sample_index, sample_indices


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32))
def test_a_batch_draws_what_single_calls_draw(batch: int, actions: int, seed: int) -> None:
    logits = np.random.default_rng(seed).standard_normal((batch, actions)).astype(np.float32) * 5
    one, many = np.random.default_rng(seed), np.random.default_rng(seed)
    singly = [sample_index(row, one) for row in logits]
    assert_array_equal(sample_indices(logits, many), singly)
    assert one.bit_generator.state == many.bit_generator.state


@pytest.mark.parametrize("actions", [3, 50])
def test_draws_follow_the_softmax(actions: int) -> None:
    logits = np.linspace(-1.0, 2.0, actions)
    draws = sample_indices(np.tile(logits, (40_000, 1)), np.random.default_rng(3))
    share = np.bincount(draws, minlength=actions) / len(draws)
    assert_allclose(share, np.exp(log_softmax(logits)), atol=0.01)


def test_huge_logits_are_no_overflow() -> None:
    rng = np.random.default_rng(0)
    assert sample_index(np.array([1e38, 0.0, -1e38], np.float32), rng) == 0
    assert sample_indices(np.tile([0.0, 3e38], (20, 1)), rng).tolist() == [1] * 20


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_that_are_not_finite_are_refused(bad: float) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ContractViolationError, match="not finite"):
        sample_index(np.array([0.0, bad]), rng)
    with np.errstate(invalid="ignore"), pytest.raises(ContractViolationError, match="not finite"):
        sample_indices(np.full((20, 3), bad), rng)
