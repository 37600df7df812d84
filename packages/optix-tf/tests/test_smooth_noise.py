"""Noise that is a function of the observation: its distribution, its smoothness, its state."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from optix_tf.smooth_noise import SmoothNoise


def functions(observations: np.ndarray, n_draws: int = 4000) -> np.ndarray:
    rng = np.random.default_rng(0)
    noise = SmoothNoise(3, 1, rng)
    drawn = list[np.ndarray]()
    for _ in range(n_draws):
        noise.renew(rng)
        drawn.append(noise(observations)[:, 0])
    return np.array(drawn)


def test_it_is_standard_normal_at_every_observation() -> None:
    drawn = functions(np.array([[0.0, 0.0, 0.0], [1.0, -2.0, 9.0]]))
    assert_allclose(drawn.mean(axis=0), 0.0, atol=0.06)
    assert_allclose(drawn.var(axis=0), 1.0, atol=0.08)
    # Kurtosis 3 tells a normal distribution from a mixture of such.
    assert_allclose((drawn**4).mean(axis=0), 3.0, atol=0.45)


def test_like_observations_get_like_noise() -> None:
    at = np.zeros((4, 3))
    at[:, 0] = [0.0, 0.1, 1.0, 6.0]
    correlation = np.corrcoef(functions(at).T)[0]
    assert_allclose(correlation, np.exp(-np.square(at[:, 0]) / 6.0), atol=0.08)


def test_observations_are_measured_in_their_standard_deviations() -> None:
    one, other = (SmoothNoise(2, 3, np.random.default_rng(1)) for _ in range(2))
    seen = np.random.default_rng(2).standard_normal((50, 2))
    factor, shift = np.array([0.01, 500.0]), np.array([3.0, -7.0])
    one.observe(seen)
    other.observe(seen * factor + shift)
    assert_allclose(other(seen * factor + shift), one(seen), atol=1e-3)


def test_its_state_brings_the_function_back() -> None:
    noise, other = (SmoothNoise(2, 3, np.random.default_rng(seed)) for seed in (1, 2))
    seen = np.random.default_rng(2).standard_normal((5, 2))
    noise.observe(seen)
    state = noise.state_dict()
    wanted = noise(seen)
    noise.renew(np.random.default_rng(3))
    assert not np.allclose(noise(seen), wanted)
    other.load_state_dict(state)
    assert_array_equal(other(seen), wanted)
