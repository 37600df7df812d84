"""Members of the user's sizes for `optix bench ensemble`: networks of NumPy with random weights."""

from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from optix_core.network_steps import Activation
from optix_evolve import DenseLayer, StackedMLP


@final
class RandomNetwork:
    """A policy whose action is the output of a float32 network, relu between its layers."""

    weights_version = 0

    def __init__(self, sizes: Sequence[int], rng: np.random.Generator) -> None:
        """Draw the weights.

        Args:
            sizes: width of the observation, of each hidden layer, and of the action.
            rng: where weights are drawn from.
        """
        self._sizes = tuple(sizes)
        last = len(sizes) - 2
        self.layers = [
            DenseLayer(
                kernel=(rng.normal(size=(n, m)) / np.sqrt(n)).astype(np.float32),
                bias=np.zeros(m, np.float32),
                activation=Activation.LINEAR if index == last else Activation.RELU,
            )
            for index, (n, m) in enumerate(pairwise(sizes))
        ]

    def act(self, observation: Any) -> NDArray[Any]:
        """Return the action for one observation."""
        return self.act_batch(np.asarray(observation)[np.newaxis])[0]

    def act_batch(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Return the actions for observations [B, inputs], as a plain loop over members asks."""
        x: NDArray[Any] = observations
        for layer in self.layers[:-1]:
            x = np.maximum(x @ layer.kernel + layer.bias, 0)
        return x @ self.layers[-1].kernel + self.layers[-1].bias

    def stack_key(self) -> Hashable:
        """Return what members that run as one have in common."""
        return self._sizes

    def stack(self, members: Sequence[Any]) -> StackedMLP:
        """Return these members as one."""
        return StackedMLP(members, lambda member: member.layers)
