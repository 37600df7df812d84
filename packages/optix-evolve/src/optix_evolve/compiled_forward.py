"""The one door to the forward kernel: few observations through a stack of plain networks."""

from collections.abc import Callable
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from optix_core.errors import ConfigurationError
from optix_core.network_steps import Activate, Activation, Affine, Dense, LayerNorm, Step
from optix_core.stacked_network import StackedNetwork

COMPILED_UP_TO = 2
"""Observations up to which the kernel is used: beyond, products of matrices keep BLAS ahead."""


@final
class CompiledForward:
    """A network's forward pass by the kernel; the weights are the network's own, not copied.

    Loads numba, which takes more than a second. Agrees with `StackedNetwork.forward` to rounding.
    """

    def __init__(
        self, network: StackedNetwork, inputs_of: Callable[[NDArray[Any]], NDArray[Any]]
    ) -> None:
        """Run this network on the inputs made of observations."""
        from optix_evolve._kernels import forward as kernels  # noqa: PLC0415  loads numba

        self._run = kernels.forward
        self._network = network
        self._inputs_of = inputs_of
        dtype = network.weights.dtype
        operations: dict[type[Step], int] = {
            Dense: kernels.DENSE,
            Affine: kernels.AFFINE,
            LayerNorm: kernels.LAYER_NORM,
            Activate: kernels.ACTIVATE,
        }
        program = [
            (
                operations[type(step)],
                step.n_inputs,
                step.n_outputs,
                getattr(kernels, _activation_of(step).name),
            )
            for step in network.structure
        ]
        numbers = [_number(step) for step in network.structure]
        width = max(network.n_inputs, *(step.n_outputs for step in network.structure))
        scratch = np.empty((2, width), dtype), np.empty((2, width))
        self._plan = np.array(program, np.int64), np.array(numbers, dtype), *scratch
        self._out = np.empty((len(network), 0, network.n_outputs), dtype)

    def pays(self, n_rows: int) -> bool:
        """Whether the kernel is quicker than BLAS for so many observations."""
        return n_rows <= COMPILED_UP_TO

    def __call__(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Outputs [M, B, n_outputs] for observations [B, ...]; the next call may overwrite them.

        Raises:
            ConfigurationError: if the observations have another shape.
        """
        network = self._network
        inputs = np.ascontiguousarray(self._inputs_of(observations), network.weights.dtype)
        if inputs.shape != (len(observations), network.n_inputs):
            raise ConfigurationError(
                f"inputs must have shape [B, {network.n_inputs}], got {inputs.shape}"
            )
        if self._out.shape[1] != len(inputs):
            self._out = np.empty((len(network), len(inputs), network.n_outputs), inputs.dtype)
        self._run(inputs, network.weights, self._plan, self._out)
        return self._out


def _activation_of(step: Step) -> Activation:
    return step.activation if isinstance(step, Dense | Activate) else Activation.LINEAR


def _number(step: Step) -> float:
    match step:
        case Dense() | Activate():
            return step.slope
        case Affine():
            return step.limit
        case LayerNorm():
            return step.epsilon
