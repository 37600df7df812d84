"""The one door to TensorFlow and Keras, which come without types: everything beyond it is `Any`."""

import importlib
import os
from typing import Any

from optix_core.errors import ConfigurationError

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def _import_quietly(name: str) -> Any:
    """Import TensorFlow without its start-up notices; a level that the user set is respected."""
    if _LOG_LEVEL in os.environ:
        return importlib.import_module(name)
    # The runtime reads the variable once, while it is loaded, so that it need not stay set.
    os.environ[_LOG_LEVEL] = "3"
    try:
        return importlib.import_module(name)
    finally:
        os.environ.pop(_LOG_LEVEL, None)


def _import_keras() -> Any:
    module: Any = importlib.import_module("keras")
    if module.backend.backend() != "tensorflow":
        raise ConfigurationError(
            f"optix_tf needs Keras on TensorFlow, got the backend {module.backend.backend()!r}; "
            "set KERAS_BACKEND=tensorflow before Keras is imported"
        )
    return module


tf: Any = _import_quietly("tensorflow")
keras: Any = _import_keras()

Model = Any
"""A `keras.Model`."""
Optimizer = Any
"""A `keras.optimizers.Optimizer`."""
Tensor = Any
"""A `tf.Tensor`."""
