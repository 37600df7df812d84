"""A stack of NumPy policies for agents of one's own."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from optix_core.errors import ContractViolationError
from optix_evolve import DenseLayer, StackedMLP

from .numpy_policies import Walker


def test_it_is_the_policies_one_by_one_and_follows_them() -> None:
    members = [Walker((4, 6, 3), seed) for seed in range(3)]
    stack = StackedMLP(members, lambda walker: walker.layers)
    observations = np.random.default_rng(0).normal(size=(5, 2, 2)).astype(np.float32)
    flat = observations.reshape(5, 4)
    expected = [member.outputs(flat) for member in members]
    assert_allclose(stack.forward(observations), expected, rtol=1e-4, atol=1e-5)
    members[1].change()
    assert_allclose(stack.forward(observations), expected, rtol=1e-4, atol=1e-5)
    stack.refresh(1, members[1])
    expected[1] = members[1].outputs(flat)
    assert_allclose(stack.forward(observations), expected, rtol=1e-4, atol=1e-5)


def test_activations_may_be_given_by_name() -> None:
    layer = DenseLayer(kernel=np.eye(2), bias=np.zeros(2), activation="relu")  # pyright: ignore[reportArgumentType]
    stack = StackedMLP([None], lambda _: [layer])
    assert_allclose(stack.forward(np.array([[-1.0, 2.0]])), [[[0.0, 2.0]]])


def test_layers_that_do_not_fit_are_refused() -> None:
    layer = DenseLayer(kernel=np.zeros((2, 3)), bias=np.zeros(2))
    with pytest.raises(ContractViolationError, match=r"got \(2, 3\) and \(2,\)"):
        StackedMLP([None], lambda _: [layer])


def test_policies_of_several_structures_are_refused() -> None:
    with pytest.raises(ContractViolationError, match="member 1 cannot be stacked"):
        StackedMLP([Walker((3, 2)), Walker((3, 4, 2))], lambda walker: walker.layers)
