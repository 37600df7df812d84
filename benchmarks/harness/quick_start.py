"""The Keras model of the Quick Start, the same for both sides; needs TensorFlow."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


def quick_start_model() -> tf.keras.Model:
    """4-64-64-2, relu."""
    return tf.keras.Sequential(
        [
            tf.keras.layers.Input(shape=(4,)),
            tf.keras.layers.Dense(64, activation="relu"),
            tf.keras.layers.Dense(64, activation="relu"),
            tf.keras.layers.Dense(2),
        ]
    )


def some_observations(n: int = 256) -> NDArray[np.float32]:
    """Observations like CartPole's, always the same."""
    return np.random.default_rng(0).normal(scale=0.5, size=(n, 4)).astype(np.float32)
