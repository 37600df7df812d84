"""The Keras model of the Quick Start, the same for both sides; needs TensorFlow."""

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def quick_start_model() -> Any:
    """A `keras.Model`: 4-64-64-2, relu."""
    keras: Any = importlib.import_module("keras")
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input(shape=(4,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(2),
        ]
    )


def some_observations(n: int = 256) -> NDArray[np.float32]:
    """Observations like CartPole's, always the same."""
    return np.random.default_rng(0).normal(scale=0.5, size=(n, 4)).astype(np.float32)
