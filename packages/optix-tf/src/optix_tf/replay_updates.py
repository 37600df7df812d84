"""Many gradient updates from replayed minibatches in one compiled call."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from optix_core.episode_data import FloatArray
from optix_tf._tensorflow import Tensor, tf
from optix_tf.compiled_function import CompiledFunction

UPDATES_PER_CALL = 64
"""Updates of one call; fewer are padded to it, so that there is one compilation."""


class ReplayUpdates(ABC):
    """Makes updates one after the other inside one function that XLA compiles once.

    What a tuner moves are arguments, not constants; what is random is drawn outside.
    """

    measures: ClassVar[tuple[str, ...]]
    """Names of what `update` measures; the last is `update_skipped`."""

    def __init__(self, *, jit_compile: bool) -> None:
        """Compile at the first call."""
        self._run = CompiledFunction(self._updates, jit_compile=jit_compile)

    @property
    def n_traces(self) -> int:
        """How often TensorFlow traced it."""
        return self._run.n_traces

    @abstractmethod
    def update(
        self, batch: Mapping[str, Tensor], step: Tensor, tunable: Tensor
    ) -> tuple[Sequence[Tensor], Tensor]:
        """Make one update, inside the compiled function.

        Args:
            batch: columns [B, ...].
            step: how many updates were made before, over all calls.
            tunable: the numbers that the call was given.

        Returns:
            The measures, and the errors [B] of the rows.
        """

    def __call__(
        self, columns: Mapping[str, NDArray[Any]], n_before: int, tunable: Sequence[float]
    ) -> tuple[dict[str, float], FloatArray]:
        """Make U updates, U ≤ `UPDATES_PER_CALL`.

        Args:
            columns: of the minibatches, each [U, B, ...].
            n_before: updates that were made before.
            tunable: numbers for `update`.

        Returns:
            Sums of the measures, and the errors [U, B] of the rows.
        """
        n_updates = len(next(iter(columns.values())))
        sums, errors = self._run(
            {name: tf.constant(_padded(column)) for name, column in columns.items()},
            tf.constant(n_updates, tf.int32),
            tf.constant(n_before % 2**31, tf.int32),
            tf.constant(list(tunable), tf.float32),
        )
        totals = dict(zip(self.measures, sums.numpy().tolist(), strict=True))
        return totals, errors.numpy()[:n_updates].astype(np.float64)

    def _updates(
        self, columns: Mapping[str, Tensor], n_updates: Tensor, n_before: Tensor, tunable: Tensor
    ) -> tuple[Tensor, Tensor]:
        def body(i: Tensor, sums: Tensor, errors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            batch = {name: column[i] for name, column in columns.items()}
            measures, row_errors = self.update(batch, n_before + i, tunable)
            errors = tf.tensor_scatter_nd_update(errors, [[i]], row_errors[tf.newaxis])
            return i + 1, sums + tf.stack(measures), errors

        def is_due(i: Tensor, sums: Tensor, errors: Tensor) -> Tensor:
            del sums, errors
            return i < n_updates

        start = (
            tf.constant(0),
            tf.zeros(len(self.measures)),
            tf.zeros_like(columns["reward"]),
        )
        _, sums, errors = tf.while_loop(is_due, body, start)
        return sums, errors


def _padded(column: NDArray[Any]) -> NDArray[Any]:
    missing = UPDATES_PER_CALL - len(column)
    if not missing:
        return column
    return np.concatenate((column, np.zeros((missing, *column.shape[1:]), column.dtype)))
