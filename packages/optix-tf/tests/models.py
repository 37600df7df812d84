"""Keras models of every kind that an agent may be given; four numbers in, three logits out."""

from collections.abc import Callable
from typing import Any

from optix_tf._tensorflow import keras

layers = keras.layers


def sequential(seed: int) -> Any:
    return keras.Sequential(
        [keras.Input((4,)), _dense(16, seed, "relu"), _dense(16, seed + 1, "tanh"), _dense(3, seed)]
    )


def unbuilt(seed: int) -> Any:
    return keras.Sequential([_dense(16, seed, "relu"), _dense(3, seed)])


def functional(seed: int) -> Any:
    inputs = keras.Input((4,))
    left, right = _dense(8, seed, "tanh")(inputs), _dense(8, seed + 1, "tanh")(inputs)
    return keras.Model(inputs, _dense(3, seed + 2)(layers.Concatenate()([left, right])))


def two_headed(seed: int) -> Any:
    inputs = keras.Input((4,))
    trunk = _dense(16, seed, "tanh")(inputs)
    return keras.Model(inputs, [_dense(3, seed + 1)(trunk), _dense(1, seed + 2)(trunk)])


def named_heads(seed: int) -> Any:
    inputs = keras.Input((4,))
    trunk = _dense(16, seed, "tanh")(inputs)
    return keras.Model(
        inputs, {"logits": _dense(3, seed + 1)(trunk), "value": _dense(1, seed + 2)(trunk)}
    )


def batch_normalised(seed: int) -> Any:
    return keras.Sequential(
        [
            keras.Input((4,)),
            _dense(16, seed),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Dropout(0.2, seed=seed),
            _dense(3, seed + 1),
        ]
    )


class Subclassed(keras.Model):
    """Computes what its layers alone do not tell."""

    def __init__(self, seed: int) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.hidden = _dense(16, seed, "tanh")
        self.logits = _dense(3, seed + 1)
        self.value = _dense(1, seed + 2)

    def call(self, inputs: Any) -> Any:
        hidden = self.hidden(inputs * 2.0)
        return self.logits(hidden), self.value(hidden)


KINDS: dict[str, Callable[[int], Any]] = {
    "sequential": sequential,
    "unbuilt": unbuilt,
    "functional": functional,
    "two_headed": two_headed,
    "named_heads": named_heads,
    "batch_normalised": batch_normalised,
    "subclassed": Subclassed,
}


def _dense(units: int, seed: int, activation: str | None = None) -> Any:
    start = keras.initializers.GlorotUniform(seed=seed)
    return layers.Dense(units, activation=activation, kernel_initializer=start)
