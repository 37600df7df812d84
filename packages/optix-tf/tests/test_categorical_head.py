"""Actions of several parts: drawn, likely and described part by part."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from optix_core.errors import ConfigurationError, ContractViolationError
from optix_tf._tensorflow import tf
from optix_tf.categorical_head import BernoulliHead, CategoricalHead, MultiCategoricalHead
from optix_tf.policy_head import PolicyHead

_HEADS: list[tuple[PolicyHead, int]] = [
    (CategoricalHead(4, start=2), 4),
    (MultiCategoricalHead(np.array([[2, 3]])), 5),
    (BernoulliHead((2,)), 2),
]


@pytest.mark.parametrize(("head", "width"), _HEADS)
def test_draws_are_as_frequent_as_they_are_likely(head: PolicyHead, width: int) -> None:
    assert head.n_outputs == width
    outputs = np.linspace(-1.0, 1.0, width, dtype=np.float32)
    many = np.tile(outputs, (20_000, 1))
    actions = head.sample(many, np.random.default_rng(0))
    encoded = head.encode(actions).reshape(len(actions), -1)
    kinds, counts = np.unique(encoded, axis=0, return_counts=True)
    likely = head.log_probability(tf.constant(many[: len(kinds)]), tf.constant(kinds)).numpy()
    assert np.exp(likely).sum() == pytest.approx(1.0, abs=1e-5)
    assert_allclose(counts / len(actions), np.exp(likely), atol=0.015)
    entropy = head.entropy(tf.constant(many[:1])).numpy()[0]
    assert entropy == pytest.approx(-(np.exp(likely) * likely).sum(), rel=1e-4)


@pytest.mark.parametrize(("head", "width"), _HEADS)
def test_divergence_is_the_mean_difference_of_log_likelihoods(head: PolicyHead, width: int) -> None:
    rng = np.random.default_rng(1)
    old, new = rng.standard_normal((2, 1, width)).astype(np.float32)
    draws = head.sample(np.tile(old, (20_000, 1)), rng)
    kinds, counts = np.unique(
        head.encode(draws).reshape(len(draws), -1), axis=0, return_counts=True
    )
    under = [
        head.log_probability(tf.constant(np.tile(x, (len(kinds), 1))), tf.constant(kinds)).numpy()
        for x in (old, new)
    ]
    wanted = (counts / counts.sum() * (under[0] - under[1])).sum()
    found = head.divergence(tf.constant(old), tf.constant(new)).numpy()[0]
    assert found == pytest.approx(wanted, abs=0.05)
    assert head.divergence(tf.constant(old), tf.constant(old)).numpy()[0] == pytest.approx(0.0)


@pytest.mark.parametrize(("head", "width"), _HEADS[1:])
def test_actions_of_several_parts_are_described_by_their_moments(
    head: PolicyHead, width: int
) -> None:
    outputs = np.tile(np.linspace(-1.0, 1.0, width, dtype=np.float32), (20_000, 1))
    mean, deviation = head.distribution(outputs)
    draws = head.sample(outputs, np.random.default_rng(0)).reshape(len(outputs), -1)
    assert_allclose(mean[0], draws.mean(axis=0), atol=0.03)
    assert_allclose(deviation[0], draws.std(axis=0), atol=0.03)


@pytest.mark.parametrize("actions", [np.array([1]), np.array([6])])
def test_actions_outside_the_space_are_refused(actions: np.ndarray) -> None:
    with pytest.raises(ContractViolationError, match="check the action space"):
        CategoricalHead(4, start=2).encode(actions)


def test_spaces_without_a_choice_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least one action, got 0"):
        CategoricalHead(0)
    with pytest.raises(ConfigurationError, match="needs a value"):
        MultiCategoricalHead(np.array([2, 0]))
