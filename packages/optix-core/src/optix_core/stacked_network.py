"""Plain networks of one structure as one array of weights, and their joint forward pass."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Protocol, Self, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from optix_core.errors import ConfigurationError, ContractViolationError
from optix_core.network_steps import AnyFloats, Applied, Step

BLOCK_BYTES = 1 << 20
"""Hidden values held at once: so few that they stay in the second cache between two steps, which
at 256 × 256 gives 0.7 of the matrix-product peak where all members at once give 0.6."""

_MIN_ROWS = 64
"""Observations of a block at least; fewer would waste the matrix product."""


@runtime_checkable
class RunsAsNetwork(Protocol):
    """A stack whose forward pass is a `StackedNetwork`, which others may then run in their way."""

    @property
    def network(self) -> "StackedNetwork | None":
        """The network; None if this stack has none."""
        ...

    def network_inputs(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Inputs [B, n_inputs] of the network for observations [B, ...]."""
        ...


@final
class StackedNetwork:
    """M networks that differ in weights alone, run as one.

    The weights lie in one array [M, n_weights]: those of each step one behind the other, each
    array in C order. A member is a row; copying it is all it takes to renew it.
    """

    def __init__(self, structure: Sequence[Step], weights: NDArray[Any]) -> None:
        """Stack networks of this structure.

        Args:
            structure: the steps, first to last.
            weights: one member a row, float32 or float64; not copied.

        Raises:
            ConfigurationError: if widths of steps do not follow on each other, or if the weights
                are not one row of the right length a member.
        """
        self.structure = tuple(structure)
        self._offsets = _offsets_of(self.structure)
        if weights.dtype.name not in {"float32", "float64"}:
            raise ConfigurationError(f"weights must be float32 or float64, got {weights.dtype}")
        if weights.shape != (len(weights), self._offsets[-1]):
            raise ConfigurationError(
                f"this structure needs {self._offsets[-1]} weights a member, "
                f"got an array of shape {weights.shape}"
            )
        self.weights: AnyFloats = np.ascontiguousarray(weights)
        self._few: dict[int, _Block] = {}
        self._storage = np.empty(0, self.weights.dtype)

    @classmethod
    def of_one(cls, structure: Sequence[Step], arrays: Sequence[AnyFloats]) -> Self:
        """Make a network of one member from the arrays of its steps, first to last."""
        return cls(structure, np.concatenate([array.ravel() for array in arrays])[np.newaxis])

    @classmethod
    def of(cls, networks: Sequence["StackedNetwork"]) -> Self:
        """Stack networks, their members one behind the other.

        Raises:
            ContractViolationError: if they are not of one structure and precision.
        """
        first = networks[0]
        for index, network in enumerate(networks):
            _check_equal(first, network, index)
        return cls(first.structure, np.concatenate([network.weights for network in networks]))

    def __len__(self) -> int:
        """Number of members."""
        return len(self.weights)

    @property
    def n_inputs(self) -> int:
        """Width of one observation."""
        return self.structure[0].n_inputs

    @property
    def n_outputs(self) -> int:
        """Width of one output."""
        return self.structure[-1].n_outputs

    def put(self, index: int, network: "StackedNetwork") -> None:
        """Replace the weights of one member by those of a network of one.

        Raises:
            ContractViolationError: if it is of another structure; then nothing was changed.
        """
        _check_equal(self, network, index)
        self.weights[index] = network.weights[0]

    def forward(self, inputs: NDArray[Any]) -> AnyFloats:
        """Outputs [M, B, n_outputs] for inputs [B, n_inputs]; the next call may overwrite them.

        Beside the result this holds about `BLOCK_BYTES`, whatever M and B.

        Raises:
            ContractViolationError: if the inputs have another shape.
        """
        if inputs.ndim != 2 or inputs.shape[1] != self.n_inputs:  # noqa: PLR2004 - rows, columns
            raise ContractViolationError(
                f"inputs must have shape [B, {self.n_inputs}], got {inputs.shape}"
            )
        n_rows = len(inputs)
        out = self._result(n_rows)
        few = self._few.get(n_rows)
        if few is not None:
            few.run(inputs)
            return out
        members, rows = self._block_shape(n_rows)
        for block in self._blocks(out, members, rows):
            block.run(inputs)
            if members == len(self) and rows == n_rows:
                # The only one: binding it costs as much as running it does.
                self._few[n_rows] = block
        return out

    def _result(self, n_rows: int) -> AnyFloats:
        size = len(self) * n_rows * self.n_outputs
        if size > self._storage.size:
            self._few.clear()  # they write into the old storage
            self._storage = np.empty(0, self.weights.dtype)  # let it go before there is another
            self._storage = np.empty(size, self.weights.dtype)
        return self._storage[:size].reshape(len(self), n_rows, self.n_outputs)

    def _block_shape(self, n_rows: int) -> tuple[int, int]:
        """Members and rows of one block."""
        width = sum(step.n_outputs + 1 for step in self.structure)
        cells = max(1, BLOCK_BYTES // (width * self.weights.itemsize))
        rows = max(1, min(n_rows, max(_MIN_ROWS, cells)))
        return max(1, min(len(self), cells // rows)), rows

    def _blocks(self, out: AnyFloats, members: int, rows: int) -> Iterator["_Block"]:
        dtype = self.weights.dtype
        # The observations are the same for every member: one entry, written once a block of rows.
        entry = np.ones((1, rows, self.n_inputs + 1), dtype)
        hidden = [np.ones((members, rows, s.n_outputs + 1), dtype) for s in self.structure[:-1]]
        for top in range(0, out.shape[1], rows):
            seen = slice(top, min(top + rows, out.shape[1]))
            for low in range(0, len(self), members):
                asked = slice(low, min(low + members, len(self)))
                buffers = [entry[:, : seen.stop - top]]
                buffers += [h[: asked.stop - low, : seen.stop - top] for h in hidden]
                targets = [*(h[..., :-1] for h in buffers[1:]), out[asked, seen]]
                yield _Block(seen, buffers[0][0, :, :-1], self._bound(asked, buffers, targets))

    def _bound(
        self, members: slice, sources: list[AnyFloats], targets: list[AnyFloats]
    ) -> list[Applied]:
        return [
            step.bind(source, self.weights[members, low:high], target)
            for step, (low, high), source, target in zip(
                self.structure, pairwise(self._offsets), sources, targets, strict=True
            )
        ]


class _Block:
    """The steps of some members for some rows, bound to their arrays."""

    __slots__ = ("_entry", "_rows", "_steps")

    def __init__(self, rows: slice, entry: AnyFloats, steps: list[Applied]) -> None:
        self._rows = rows
        self._entry = entry
        self._steps = steps

    def run(self, inputs: NDArray[Any]) -> None:
        self._entry[...] = inputs[self._rows]
        for apply in self._steps:
            apply()


def _offsets_of(structure: tuple[Step, ...]) -> list[int]:
    if not structure:
        raise ConfigurationError("a network needs at least one step, got none")
    for before, after in pairwise(structure):
        if before.n_outputs != after.n_inputs:
            raise ConfigurationError(
                f"{after} takes {after.n_inputs} numbers but {before} gives {before.n_outputs}"
            )
    offsets = [0]
    for step in structure:
        offsets.append(offsets[-1] + step.n_weights)
    return offsets


def _check_equal(first: StackedNetwork, other: StackedNetwork, index: int) -> None:
    if other.structure != first.structure or other.weights.dtype != first.weights.dtype:
        raise ContractViolationError(
            f"member {index} cannot be stacked: it is {other.structure} in {other.weights.dtype}, "
            f"the others are {first.structure} in {first.weights.dtype}"
        )
