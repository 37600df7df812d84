"""Stacked networks against one network at a time, written as one reads the formulas."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from optix_core import stacked_network
from optix_core.errors import ConfigurationError, ContractViolationError
from optix_core.network_steps import Activate, Activation, Affine, Dense, LayerNorm, Step
from optix_core.stacked_network import StackedNetwork

SCALARS: dict[Activation, Callable[[float, float], float]] = {
    Activation.LINEAR: lambda x, slope: x,
    Activation.RELU: lambda x, slope: max(x, 0.0),
    Activation.LEAKY_RELU: lambda x, slope: x if x > 0 else slope * x,
    Activation.TANH: lambda x, slope: math.tanh(x),
    Activation.SIGMOID: lambda x, slope: 1.0 / (1.0 + math.exp(-x)),
    Activation.SILU: lambda x, slope: x / (1.0 + math.exp(-x)),
    Activation.SOFTPLUS: lambda x, slope: math.log1p(math.exp(x)),
    Activation.ELU: lambda x, slope: x if x > 0 else math.expm1(x),
}


def activated(step: Dense | Activate, values: NDArray[np.float64]) -> NDArray[np.float64]:
    scalar = SCALARS[step.activation]
    return np.array([scalar(float(x), step.slope) for x in values])


def one_output(steps: Sequence[Step], weights: NDArray[Any], x: NDArray[Any]) -> NDArray[Any]:
    """The network of one member for one observation, in float64."""
    values = x.astype(np.float64)
    rest = weights.astype(np.float64)
    for step in steps:
        own, rest = rest[: step.n_weights], rest[step.n_weights :]
        n = step.n_outputs
        match step:
            case Dense():
                kernel, bias = own[:-n].reshape(step.n_inputs, n), own[-n:]
                values = activated(step, values @ kernel + bias)
            case Affine():
                shift, scale, offset = own.reshape(3, n)
                values = (values - shift) * scale + offset
                values = np.clip(values, -step.limit, step.limit)
            case LayerNorm():
                scale, offset = own.reshape(2, n)
                deviation = np.sqrt(values.var() + step.epsilon)
                values = (values - values.mean()) / deviation * scale + offset
            case Activate():
                values = activated(step, values)
    assert rest.size == 0
    return values


widths = st.integers(1, 6)
activations = st.sampled_from(list(Activation))


@st.composite
def structures(draw: st.DrawFn) -> list[Step]:
    steps = list[Step]()
    width = draw(widths)
    for _ in range(draw(st.integers(1, 4))):
        match draw(st.sampled_from(["dense", "affine", "norm", "activate"])):
            case "dense":
                n = draw(widths)
                activation = draw(activations)
                steps.append(Dense(n_inputs=width, n_outputs=n, activation=activation, slope=0.2))
                width = n
            case "affine":
                limit = draw(st.sampled_from([math.inf, 1.5]))
                steps.append(Affine(width=width, limit=limit))
            case "norm":
                steps.append(LayerNorm(width=width, epsilon=1e-3))
            case _:
                steps.append(Activate(width=width, activation=draw(activations), slope=0.3))
    return steps


def network(
    steps: Sequence[Step], members: int, seed: int = 0, dtype: Any = np.float64
) -> StackedNetwork:
    rng = np.random.default_rng(seed)
    n = sum(step.n_weights for step in steps)
    return StackedNetwork(steps, rng.normal(size=(members, n)).astype(dtype))


@given(structures(), st.integers(1, 4), st.integers(0, 4), st.integers(0, 1000))
def test_it_is_the_members_one_by_one(
    steps: list[Step], members: int, n_rows: int, seed: int
) -> None:
    stacked = network(steps, members, seed)
    inputs = np.random.default_rng(seed + 1).normal(size=(n_rows, stacked.n_inputs))
    outputs = stacked.forward(inputs)
    assert outputs.shape == (members, n_rows, stacked.n_outputs)
    for member in range(members):
        for row in range(n_rows):
            expected = one_output(steps, stacked.weights[member], inputs[row])
            assert_allclose(outputs[member, row], expected, rtol=1e-9, atol=1e-9)


@given(st.integers(1, 9), st.integers(1, 200), st.sampled_from([1, 3000, 20_000]))
def test_blocks_do_not_show(members: int, n_rows: int, block_bytes: int) -> None:
    steps = [
        Affine(width=3, limit=2.0),
        Dense(n_inputs=3, n_outputs=5, activation=Activation.TANH),
        LayerNorm(width=5, epsilon=1e-3),
        Dense(n_inputs=5, n_outputs=2),
    ]
    inputs = np.random.default_rng(0).normal(size=(n_rows, 3))
    whole = network(steps, members).forward(inputs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stacked_network, "BLOCK_BYTES", block_bytes)
        assert_allclose(network(steps, members).forward(inputs), whole, rtol=1e-12, atol=1e-12)


LAYERS = [
    Dense(n_inputs=4, n_outputs=8, activation=Activation.RELU),
    Dense(n_inputs=8, n_outputs=2),
]


@pytest.mark.parametrize("n_rows", [1, 3])
def test_a_member_that_is_put_is_seen_by_the_next_call(n_rows: int) -> None:
    stacked, other = network(LAYERS, 3), network(LAYERS, 1, seed=5)
    inputs = np.ones((n_rows, 4))
    before = stacked.forward(inputs).copy()
    stacked.put(1, other)
    after = stacked.forward(inputs)
    assert_allclose(after[1], other.forward(inputs)[0])
    assert_array_equal(after[[0, 2]], before[[0, 2]])


def test_sizes_of_batches_may_alternate() -> None:
    stacked = network(LAYERS, 3)
    rows = np.random.default_rng(1).normal(size=(9, 4))
    whole = stacked.forward(rows).copy()
    for n_rows in (1, 9, 1, 4, 0, 9):
        assert_allclose(stacked.forward(rows[:n_rows]), whole[:, :n_rows], rtol=1e-12)


def test_networks_of_one_are_stacked_in_their_order() -> None:
    ones = [network(LAYERS, 1, seed) for seed in range(3)]
    inputs = np.ones((2, 4))
    stacked = StackedNetwork.of(ones)
    assert len(stacked) == 3
    assert_allclose(stacked.forward(inputs), [one.forward(inputs)[0] for one in ones])


def test_arrays_of_the_steps_make_a_network_of_one() -> None:
    kernel, bias = np.arange(8.0).reshape(4, 2), np.array([0.5, -0.5])
    one = StackedNetwork.of_one([Dense(n_inputs=4, n_outputs=2)], [kernel, bias])
    assert_allclose(one.forward(np.ones((1, 4)))[0, 0], kernel.sum(axis=0) + bias)


def test_a_large_mean_costs_no_digits() -> None:
    steps = [Affine(width=1, limit=10.0)]
    one = StackedNetwork.of_one(steps, [np.array([[1e4], [1e3], [0.0]], np.float32)])
    inputs = np.array([[1e4 + 0.0009765625]], np.float32)
    assert one.forward(inputs)[0, 0, 0] == np.float32(0.9765625)


def test_nan_stays_nan() -> None:
    steps = [Affine(width=1, limit=10.0), Activate(width=1, activation=Activation.RELU)]
    one = StackedNetwork.of_one(steps, [np.array([[0.0], [1.0], [0.0]])])
    assert np.isnan(one.forward(np.array([[np.nan]])))[0, 0, 0]


def test_what_differs_is_refused() -> None:
    other = network([LAYERS[0], Dense(n_inputs=8, n_outputs=3)], 1)
    with pytest.raises(ContractViolationError, match="member 1 cannot be stacked"):
        StackedNetwork.of([network(LAYERS, 1), other])
    single = network(LAYERS, 1, dtype=np.float32)
    with pytest.raises(ContractViolationError, match="float32"):
        network(LAYERS, 3).put(2, single)


@pytest.mark.parametrize(
    ("steps", "shape", "message"),
    [
        ([], (1, 0), "at least one step"),
        ([LAYERS[1], LAYERS[0]], (1, 58), "takes 4 numbers"),
        (LAYERS, (1, 57), "needs 58 weights"),
        (LAYERS, (58,), "needs 58 weights"),
    ],
)
def test_structures_that_cannot_be_are_refused(
    steps: list[Step], shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        StackedNetwork(steps, np.zeros(shape))


def test_integer_weights_and_empty_layers_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="float32 or float64"):
        StackedNetwork(LAYERS, np.zeros((1, 58), np.int64))
    with pytest.raises(ConfigurationError, match="needs inputs and outputs"):
        Dense(n_inputs=0, n_outputs=2)


def test_inputs_of_another_width_are_refused() -> None:
    with pytest.raises(ContractViolationError, match=r"\[B, 4\], got \(2, 5\)"):
        network(LAYERS, 2).forward(np.zeros((2, 5)))
