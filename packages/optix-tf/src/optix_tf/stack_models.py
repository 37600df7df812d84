"""Keras models of one structure run as one compiled function, whatever their layers."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from optix_core.errors import ContractViolationError
from optix_tf._tensorflow import Model, Tensor, tf
from optix_tf.mirror_layers import Float32Array
from optix_tf.network import heads_of

logger = logging.getLogger(__name__)

PADDED_SIZES = (1, 8, 64, 256)
"""Batch sizes that XLA compiles for: each costs up to seconds, once."""

MOST_UNROLLED = 64
"""Members up to which their models are written one behind the other into one function."""

_TOLERANCE = 1e-4


class StackedModels(ABC):
    """The first outputs of several models for one batch, or for a batch each."""

    @abstractmethod
    def run(self, batch: NDArray[Any]) -> Float32Array:
        """Outputs [M, B, P] for inputs [B, ...], or for [M, B, ...] where each has its own."""

    @abstractmethod
    def refresh(self, index: int, model: Model) -> None:
        """Hear that a model's weights changed."""


@final
class VectorisedModels(StackedModels):
    """One model called with all members' weights at once, by `tf.vectorized_map`."""

    def __init__(self, models: Sequence[Model], *, has_own_inputs: bool, with_xla: bool) -> None:
        """Copy the weights of models, the first of which stands for all."""
        self._template = models[0]
        self._has_own_inputs = has_own_inputs
        self._with_xla = with_xla
        self._n_trainable = len(models[0].trainable_variables)
        columns = zip(*(_variables_of(model) for model in models), strict=True)
        self._stacked = [tf.Variable(tf.stack([v.value for v in column])) for column in columns]
        self._function = tf.function(self._forward, autograph=False, jit_compile=with_xla)
        self._compiled: dict[tuple[int, ...], Any] = {}

    def run(self, batch: NDArray[Any]) -> Float32Array:
        axis = 1 if self._has_own_inputs else 0
        if not self._with_xla:
            shape: list[int | None] = list(batch.shape)
            shape[axis] = None
            return self._call(batch, shape)
        n_rows, largest = batch.shape[axis], PADDED_SIZES[-1]
        parts = [
            self._run_padded(batch[:, low : low + largest] if axis else batch[low : low + largest])
            for low in range(0, n_rows, largest)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def refresh(self, index: int, model: Model) -> None:
        for stacked, own in zip(self._stacked, _variables_of(model), strict=True):
            stacked[index].assign(own.value)

    def _run_padded(self, batch: NDArray[Any]) -> Float32Array:
        axis = 1 if self._has_own_inputs else 0
        n_rows = batch.shape[axis]
        size = next(size for size in PADDED_SIZES if size >= n_rows)
        padding = [(0, 0)] * batch.ndim
        padding[axis] = (0, size - n_rows)
        padded = np.pad(batch, padding) if size > n_rows else batch
        return self._call(padded, list(padded.shape))[:, :n_rows]

    def _call(self, batch: NDArray[Any], shape: list[int | None]) -> Float32Array:
        """Run the function compiled for inputs of this shape, None where any size will do."""
        key = tuple(size or 0 for size in shape)
        if key not in self._compiled:
            spec = tf.TensorSpec(shape, batch.dtype)
            self._compiled[key] = self._function.get_concrete_function(spec)
        return np.asarray(self._compiled[key](tf.constant(batch)))

    def _forward(self, batch: Tensor) -> Tensor:
        def one(elements: Any) -> Tensor:
            variables, own = elements if self._has_own_inputs else (elements, batch)
            outputs, _ = self._template.stateless_call(
                variables[: self._n_trainable],
                variables[self._n_trainable :],
                own,
                training=False,
            )
            return heads_of(outputs)[0]

        values = [variable.value() for variable in self._stacked]
        elements = (values, batch) if self._has_own_inputs else values
        return tf.vectorized_map(one, elements, fallback_to_while_loop=False)


@final
class UnrolledModels(StackedModels):
    """All models one behind the other in one compiled function; it reads their own variables."""

    def __init__(self, models: Sequence[Model], *, has_own_inputs: bool) -> None:
        """Compile these models."""
        self._models = list(models)
        self._has_own_inputs = has_own_inputs
        self._call: Any = None

    def run(self, batch: NDArray[Any]) -> Float32Array:
        if self._call is None:
            shape = list(batch.shape)
            shape[1 if self._has_own_inputs else 0] = None
            function = tf.function(self._forward, autograph=False)
            self._call = function.get_concrete_function(tf.TensorSpec(shape, batch.dtype))
        return np.asarray(self._call(tf.constant(batch)))

    def refresh(self, index: int, model: Model) -> None:
        """Nothing to do, as long as the model is the same object.

        Raises:
            ContractViolationError: if it is another one.
        """
        if model is not self._models[index]:
            raise ContractViolationError(f"member {index} has another model than when stacked")

    def _forward(self, batch: Tensor) -> Tensor:
        own = tf.unstack(batch) if self._has_own_inputs else [batch] * len(self._models)
        pairs = zip(self._models, own, strict=True)
        return tf.stack([heads_of(model(x, training=False))[0] for model, x in pairs])


def best_of_rungs(models: Sequence[Model], probe: NDArray[Any], *, own: bool) -> StackedModels:
    """The first way of running models together that gives their own outputs.

    In this order: vectorised and compiled by XLA, vectorised, unrolled. A way that raises, as some
    layers make it, or that differs by more than 1e-4, is passed over.

    Args:
        models: of one structure.
        probe: inputs as for `StackedModels.run`.
        own: whether each model has its own inputs.

    Raises:
        ContractViolationError: if there is none, or if a call changes a model's own variables.
    """
    expected = np.stack([_own_output(m, probe[i] if own else probe) for i, m in enumerate(models)])
    rungs = ["vectorised with XLA", "vectorised", "unrolled"]
    # TensorFlow convolves with one kernel at a time, and says so at length.
    for rung in rungs[2:] if _convolves(models[0]) else rungs:
        made = _tried(rung, models, probe, own=own)
        if made is not None and _agrees(made[1], expected):
            return made[0]
    raise ContractViolationError(f"{len(models)} models {models[0].name} have no joint form")


def _tried(
    rung: str, models: Sequence[Model], probe: NDArray[Any], *, own: bool
) -> tuple[StackedModels, Float32Array] | None:
    try:
        if rung != "unrolled":
            has_xla = rung == "vectorised with XLA"
            made = VectorisedModels(models, has_own_inputs=own, with_xla=has_xla)
        elif len(models) <= MOST_UNROLLED:
            made = UnrolledModels(models, has_own_inputs=own)
        else:
            return None
        with _without_errors_of_tensorflow():
            return made, made.run(probe)
    except Exception as error:  # noqa: BLE001 - what a layer cannot do shows in many ways
        logger.debug("models cannot run %s: %r", rung, error)
        return None


def _convolves(model: Model) -> bool:
    layers: list[Any] = getattr(model, "layers", [])
    return any(_convolves(layer) or "Conv" in type(layer).__name__ for layer in layers)


@contextmanager
def _without_errors_of_tensorflow() -> Generator[None]:
    """Keep out of the log what is expected to fail, and is reported here if it does."""
    own = logging.getLogger("tensorflow")

    def is_kept(record: logging.LogRecord) -> bool:
        return record.levelno > logging.ERROR

    own.addFilter(is_kept)
    try:
        yield
    finally:
        own.removeFilter(is_kept)


def _agrees(given: Float32Array, expected: Float32Array) -> bool:
    return given.shape == expected.shape and bool(
        np.allclose(given, expected, rtol=_TOLERANCE, atol=_TOLERANCE)
    )


def _own_output(model: Model, batch: NDArray[Any]) -> Float32Array:
    before = [variable.numpy() for variable in model.non_trainable_variables]
    output = np.asarray(heads_of(model(tf.constant(batch), training=False))[0])
    after = [variable.numpy() for variable in model.non_trainable_variables]
    if any(not np.array_equal(b, a) for b, a in zip(before, after, strict=True)):
        raise ContractViolationError(f"a call of the model {model.name} changes its own variables")
    return output


def _variables_of(model: Model) -> list[Any]:
    return [*model.trainable_variables, *model.non_trainable_variables]
