"""Forward passes of a Keras model, by the quickest way that gives the model's own answer."""

import logging
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from optix_core.errors import ContractViolationError
from optix_tf._tensorflow import Model, Tensor, tf
from optix_tf.mirror_layers import Float32Array
from optix_tf.policy_mirror import NetworkMirror, chains_of

logger = logging.getLogger(__name__)

_TOLERANCE = 1e-4
"""Largest difference, relative to the output's size, at which a mirror is believed."""


def heads_of(outputs: Any) -> list[Tensor]:
    """List a model's outputs: a tensor alone, or those of a list, tuple or dict in its order."""
    if isinstance(outputs, Mapping):
        return list(cast("Mapping[str, Tensor]", outputs).values())
    if isinstance(outputs, list | tuple):
        return list(cast("list[Tensor]", outputs))
    return [outputs]


class Network:
    """The forward pass of a model at inference, for NumPy callers.

    A plain stack (Sequential, or functional with heads of one chain each; dense, normalising,
    activating and inference-neutral layers) runs as a copy of its weights in NumPy; the copy is
    checked against the model once, and renewed after `mark_stale`. Anything else runs as one
    compiled function of the model.
    """

    def __init__(self, model: Model) -> None:
        """Run this model; one without weights yet gets them at the first observation."""
        self.model = model
        self._mirror: NetworkMirror | None = None
        self._chains: list[list[Any]] | None = None
        self._compiled: Any = None
        self._input_shape: tuple[int, ...] | None = None
        self._input_dtype: np.dtype[Any] = np.dtype(np.float32)

    @property
    def is_ready(self) -> bool:
        """Whether the model has its weights and a way to run."""
        return self._input_shape is not None

    @property
    def is_mirrored(self) -> bool:
        """Whether it runs in NumPy."""
        return self._chains is not None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one observation; () before the first was seen."""
        return self._input_shape or ()

    def build(self, observation_shape: tuple[int, ...]) -> None:
        """Give the model its weights, if it has none, and choose the way it runs."""
        if self._input_shape is not None:
            return
        inputs: list[Any] = getattr(self.model, "inputs", None) or []
        if inputs and inputs[0].dtype is not None:
            self._input_dtype = np.dtype(tf.as_dtype(inputs[0].dtype).as_numpy_dtype)
        probe = np.sin(np.arange(3 * int(np.prod(observation_shape)), dtype=np.float32))
        batch = probe.reshape(3, *observation_shape).astype(self._input_dtype)
        outputs = [np.asarray(head) for head in heads_of(self.model(batch, training=False))]
        self._input_shape = observation_shape
        self._chains = chains_of(self.model) if self._input_dtype == np.float32 else None
        if self._chains is not None and not self._agrees(batch, outputs):
            self._chains = None
        way = "in NumPy" if self._chains is not None else "compiled"
        logger.debug("model %s runs %s", self.model.name, way)

    def mark_stale(self) -> None:
        """Hear that the weights may have changed."""
        self._mirror = None

    def one(self, observation: Any) -> Float32Array:
        """First head's output for one observation; may be overwritten by the next call."""
        mirror = self._mirror
        if (
            mirror is not None
            and type(observation) is np.ndarray
            and observation.shape == self._input_shape
        ):
            return mirror.first_head_of_one(observation)
        batch = self.as_batch(np.asarray(observation)[np.newaxis])
        if self._chains is None:
            return self._run_compiled(batch)[0][0]
        return self._renewed_mirror(self._chains).first_head_of_one(batch[0])

    def head(self, index: int, observations: Any) -> Float32Array:
        """One head's output [B, ...] for observations [B, ...]."""
        batch = self.as_batch(observations)
        if self._chains is None:
            return self._run_compiled(batch)[index]
        return self._renewed_mirror(self._chains).head(index, batch)

    def as_batch(self, observations: Any) -> NDArray[Any]:
        """Observations [B, ...] as the model takes them.

        Raises:
            ContractViolationError: if their shape is not that of the model's input.
        """
        batch = np.asarray(observations, dtype=self._input_dtype)
        self.build(batch.shape[1:])
        if batch.shape[1:] != self._input_shape:
            raise ContractViolationError(
                f"observations must have shape {self._input_shape} each, got {batch.shape[1:]}; "
                "check that environment and model belong together"
            )
        return batch

    def _agrees(self, batch: NDArray[Any], outputs: list[NDArray[Any]]) -> bool:
        try:
            mirror = self._renewed_mirror(self._chains or [])
            return len(outputs) == len(self._chains or []) and all(
                bool(np.allclose(mirror.head(i, batch), output, rtol=_TOLERANCE, atol=_TOLERANCE))
                for i, output in enumerate(outputs)
            )
        except (KeyError, ValueError):
            return False

    def _renewed_mirror(self, chains: list[list[Any]]) -> NetworkMirror:
        if self._mirror is None:
            self._mirror = NetworkMirror(chains)
        return self._mirror

    def _run_compiled(self, batch: NDArray[Any]) -> list[Float32Array]:
        if self._compiled is None:
            self._compiled = _compile(self.model, batch)
        return [np.asarray(head) for head in self._compiled(tf.constant(batch))]


def _compile(model: Model, batch: NDArray[Any]) -> Any:
    """Trace the model once for any batch size; a concrete function skips the dispatch."""

    def forward(observations: Tensor) -> list[Tensor]:
        return heads_of(model(observations, training=False))

    spec = tf.TensorSpec([None, *batch.shape[1:]], batch.dtype)
    return tf.function(forward, autograph=False).get_concrete_function(spec)
