"""Many NumPy policies that are plain networks, run as one: for the `stack` of an agent of yours."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from optix_core.errors import ContractViolationError
from optix_core.network_steps import Activation, Dense
from optix_core.stacked_network import StackedNetwork


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DenseLayer:
    """One layer of one policy: x ↦ activation(x · kernel + bias)."""

    kernel: NDArray[np.floating[Any]]
    """[inputs, outputs]."""
    bias: NDArray[np.floating[Any]]
    """[outputs]."""
    activation: Activation = Activation.LINEAR
    """Also by name: "relu", "tanh", ..."""


@final
class StackedMLP:
    """Policies whose actions are the outputs of plain networks, one forward pass for all.

    Beside the outputs of the last call it holds about a megabyte, however many members there are:
    members and observations are taken in blocks that stay in the cache.

    A policy whose actions are made of the outputs (the largest of them, say) wraps this and has
    `InterpretsOutputs` itself.

        class Walker(BaseAgent):
            ...
            def stack_key(self):
                return tuple(layer.kernel.shape for layer in self.layers)

            def stack(self, members):
                return StackedMLP(members, lambda walker: walker.layers)
    """

    def __init__(
        self, members: Sequence[Any], layers_of: Callable[[Any], Sequence[DenseLayer]]
    ) -> None:
        """Copy the weights of members.

        Args:
            members: at least one.
            layers_of: the layers of a member, first to last; asked again when it learned.

        Raises:
            ContractViolationError: if members differ in structure or precision.
        """
        self._layers_of = layers_of
        self._network = StackedNetwork.of([_network_of(layers_of(m)) for m in members])

    @property
    def network(self) -> StackedNetwork:
        """The members' networks as one."""
        return self._network

    def network_inputs(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Observations as the network takes them: flat."""
        return observations.reshape(len(observations), -1)

    def forward(self, observations: NDArray[Any]) -> NDArray[np.floating[Any]]:
        """Outputs [M, B, A] for observations [B, ...]; the next call may overwrite them."""
        return self._network.forward(self.network_inputs(observations))

    def refresh(self, index: int, member: Any) -> None:
        """Copy the weights of one member again.

        Raises:
            ContractViolationError: if its structure changed.
        """
        self._network.put(index, _network_of(self._layers_of(member)))


def _network_of(layers: Sequence[DenseLayer]) -> StackedNetwork:
    for layer in layers:
        if layer.kernel.ndim != 2 or layer.bias.shape != layer.kernel.shape[1:]:  # noqa: PLR2004
            raise ContractViolationError(
                "a layer needs a kernel [inputs, outputs] and a bias [outputs], got "
                f"{layer.kernel.shape} and {layer.bias.shape}"
            )
    steps = [
        Dense(
            n_inputs=layer.kernel.shape[0],
            n_outputs=layer.kernel.shape[1],
            activation=Activation(layer.activation),
        )
        for layer in layers
    ]
    arrays = [array for layer in layers for array in (layer.kernel, layer.bias)]
    return StackedNetwork.of_one(steps, arrays)
