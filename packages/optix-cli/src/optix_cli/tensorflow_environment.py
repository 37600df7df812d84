"""Keeps TensorFlow's C++ log off the terminal. Imports nothing: it must come before TensorFlow."""

import os
from collections.abc import MutableMapping

_DEFAULTS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # Announces itself on stderr, and makes sums depend on the number of threads.
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "KERAS_BACKEND": "tensorflow",
}


def quiet_tensorflow(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set what TensorFlow reads when it is imported, save what the user has set."""
    for name, value in _DEFAULTS.items():
        environment.setdefault(name, value)
