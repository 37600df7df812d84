"""Real actions: scaled to the space, likely as they are played."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from optix_core.errors import ConfigurationError
from optix_tf._tensorflow import tf
from optix_tf.gaussian_head import GaussianHead

from . import reference


def make_head(low: float = -1.0, high: float = 1.0, log_std: float = -0.5) -> GaussianHead:
    return GaussianHead(np.array([low]), np.array([high]), np.float32, log_std)


def test_likelihood_is_density_inside_and_probability_at_a_bound() -> None:
    rng = np.random.default_rng(0)
    for log_std in (-2.0, -0.5, 0.0, 1.0):
        head = make_head(log_std=log_std)
        actions = np.clip(rng.uniform(-2.0, 2.0, (500, 1)), -1.0, 1.0).astype(np.float32)
        outputs = rng.uniform(-3.0, 3.0, (500, 1)).astype(np.float32)
        encoded = head.encode(actions)
        found = head.log_probability(tf.constant(outputs), tf.constant(encoded)).numpy()
        wanted = [
            reference.clipped_normal_log_probability(
                action, mean, float(np.exp(np.float32(log_std))), (-1.0, 1.0)
            )
            for action, mean in zip(
                encoded[:, 0].astype(float), outputs[:, 0].astype(float), strict=True
            )
        ]
        assert_allclose(found, wanted, rtol=2e-3, atol=2e-4)


def test_likelihood_has_a_finite_gradient_far_from_the_bounds() -> None:
    head = make_head()
    outputs = tf.constant([[-60.0], [-5.0], [0.0], [5.0], [60.0]])
    encoded = tf.constant([[1.0], [1.0], [0.2], [-1.0], [-1.0]])
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        likelihood = head.log_probability(outputs, encoded)
    gradient = tape.gradient(likelihood, outputs).numpy()
    assert np.isfinite(likelihood.numpy()).all()
    assert np.isfinite(gradient).all()
    assert gradient[0, 0] > gradient[1, 0] > 0 > gradient[3, 0] > gradient[4, 0]


def test_probabilities_sum_to_one() -> None:
    head = make_head()
    inside = np.linspace(-0.99999, 0.99999, 20_001, dtype=np.float32)[:, None]
    outputs = np.full_like(inside, 0.4)
    density = np.exp(head.log_probability(tf.constant(outputs), tf.constant(head.encode(inside))))
    ends = head.encode(np.array([[-1.0], [1.0]], np.float32))
    at_ends = np.exp(head.log_probability(tf.constant(outputs[:2]), tf.constant(ends)))
    assert density.mean() * 2.0 + at_ends.sum() == pytest.approx(1.0, abs=1e-3)


def test_actions_are_scaled_to_the_space_and_come_back() -> None:
    head = make_head(10.0, 30.0, log_std=-5.0)
    outputs = np.array([[-2.0], [0.0], [0.5], [2.0]], np.float32)
    actions = head.greedy(outputs)
    assert_allclose(actions[:, 0], [10.0, 20.0, 25.0, 30.0])
    assert actions.dtype == np.float32
    assert_allclose(head.encode(actions)[:, 0], [-1.0, 0.0, 0.5, 1.0], atol=1e-6)
    mean, std = head.distribution(outputs)
    assert_allclose(mean[:, 0], [0.0, 20.0, 25.0, 40.0], rtol=1e-6)
    assert_allclose(std, 10.0 * np.exp(-5.0), rtol=1e-5)


def test_bounds_that_are_infinite_leave_the_units() -> None:
    head = GaussianHead(np.array([-np.inf, 0.0]), np.array([np.inf, np.inf]), np.float64, 0.0)
    outputs = np.array([[1e3, -1e3]], np.float32)
    assert_allclose(head.greedy(outputs), [[1e3, 0.0]])
    encoded = head.encode(head.greedy(outputs))
    assert_allclose(encoded, [[1e3, 0.0]])
    assert np.isfinite(head.log_probability(tf.constant(outputs), tf.constant(encoded))).all()


def test_divergence_is_that_of_two_gaussians() -> None:
    head = make_head(log_std=0.0)
    head.remember()
    head.variables["log_std"].assign([np.log(2.0)])
    found = head.divergence(tf.constant([[0.0]]), tf.constant([[1.0]])).numpy()
    assert_allclose(found, np.log(2.0) + (1.0 + 1.0) / 8.0 - 0.5, rtol=1e-5)


def test_bounds_that_hold_nothing_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="low must lie below high"):
        make_head(1.0, 1.0)
