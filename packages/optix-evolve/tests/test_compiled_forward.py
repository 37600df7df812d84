"""The forward kernel against the network in NumPy, for every step and activation."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from optix_core.errors import ConfigurationError
from optix_core.network_steps import Activate, Activation, Affine, Dense, LayerNorm, Step
from optix_core.stacked_network import StackedNetwork
from optix_evolve.compiled_forward import CompiledForward


def network(steps: list[Step], dtype: Any, members: int = 3) -> StackedNetwork:
    n = sum(step.n_weights for step in steps)
    weights = np.random.default_rng(2).normal(size=(members, n))
    return StackedNetwork(steps, weights.astype(dtype))


def both(stacked: StackedNetwork, inputs: Any) -> tuple[Any, Any]:
    return CompiledForward(stacked, np.asarray)(inputs), stacked.forward(inputs)


@pytest.mark.parametrize("activation", list(Activation))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_rows", [1, 3])
def test_every_step_and_activation(activation: Activation, dtype: Any, n_rows: int) -> None:
    steps: list[Step] = [
        Affine(width=5, limit=1.5),
        Dense(n_inputs=5, n_outputs=19, activation=activation, slope=0.2),
        LayerNorm(width=19, epsilon=1e-3),
        Activate(width=19, activation=activation, slope=0.1),
        Affine(width=19, limit=math.inf),
        Dense(n_inputs=19, n_outputs=2),
    ]
    inputs = np.random.default_rng(1).normal(size=(n_rows, 5)).astype(dtype)
    compiled, expected = both(network(steps, dtype), inputs)
    assert compiled.dtype == dtype
    tolerance = 1e-4 if dtype == np.float32 else 1e-10
    assert_allclose(compiled, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("activation", list(Activation))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_large_small_and_missing_numbers(activation: Activation) -> None:
    steps: list[Step] = [Activate(width=1, activation=activation, slope=0.2)]
    stacked = StackedNetwork(steps, np.zeros((1, 0)))
    numbers = [0.0, 1e-300, -1e-300, 1e-9, -1e-9, 30.0, -30.0, 1e3, -1e3, math.inf, math.nan]
    for number in numbers:
        compiled, expected = both(stacked, np.array([[number]]))
        assert_allclose(compiled, expected, rtol=1e-12, atol=1e-12)


def test_it_reads_the_networks_own_weights() -> None:
    stacked = network([Dense(n_inputs=3, n_outputs=2)], np.float32)
    run = CompiledForward(stacked, np.asarray)
    inputs = np.ones((1, 3), np.float32)
    before = run(inputs).copy()
    stacked.weights[1] += 1.0
    after = run(inputs)
    assert_allclose(after[1], before[1] + 4.0, rtol=1e-6)
    assert_allclose(after[0], before[0])


def test_inputs_of_another_width_are_refused() -> None:
    stacked = network([Dense(n_inputs=3, n_outputs=2)], np.float32)
    with pytest.raises(ConfigurationError, match=r"\[B, 3\], got \(1, 4\)"):
        CompiledForward(stacked, np.asarray)(np.ones((1, 4), np.float32))
