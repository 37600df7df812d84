"""A TensorFlow function compiled by XLA, or without it where XLA cannot."""

import logging
from collections.abc import Callable
from typing import Any

from optix_tf._tensorflow import tf

logger = logging.getLogger(__name__)


class CompiledFunction:
    """Compiles a function at its first call."""

    def __init__(self, function: Callable[..., Any], *, jit_compile: bool) -> None:
        """Compile this function, by XLA if wanted."""
        self._function = function
        self._is_jit = jit_compile
        self._compiled: Any = None

    @property
    def n_traces(self) -> int:
        """How often TensorFlow traced it."""
        return 0 if self._compiled is None else int(self._compiled.experimental_get_tracing_count())

    def __call__(self, *arguments: Any) -> Any:
        """Run it; arguments are tensors or nested structures of them."""
        if self._compiled is not None:
            return self._compiled(*arguments)
        if self._is_jit:
            self._compiled = tf.function(self._function, autograph=False, jit_compile=True)
            try:
                return self._compiled(*arguments)
            except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
                # A model may hold an operation that XLA lacks; it then fails before anything ran.
                logger.warning("XLA cannot compile the model, it trains without: %s", error)
        self._compiled = tf.function(self._function, autograph=False)
        return self._compiled(*arguments)
