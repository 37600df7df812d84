"""Members of ensembles for benchmarks: Keras agents, NumPy policies, and some that cannot stack."""

import importlib
from collections.abc import Callable, Hashable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_core import BaseAgent, EpisodeData, HyperparamSet
from optix_core.network_steps import Activation
from optix_evolve import DenseLayer, StackedMLP

Sizes = tuple[int, ...]


def keras_models(make: Callable[[Any], Any], n: int) -> list[Any]:
    """So many models of one structure."""
    keras: Any = importlib.import_module("keras")
    return [make(keras) for _ in range(n)]


def keras_agents(models: Sequence[Any]) -> list[Any]:
    """Each model played by a `TFAgent`."""
    keras: Any = importlib.import_module("keras")
    tf_agent: Any = importlib.import_module("optix_tf").TFAgent
    return [
        tf_agent(model, keras.optimizers.SGD(0.1), HyperparamSet(), seed=i)
        for i, model in enumerate(models)
    ]


def mlp(sizes: Sizes) -> Callable[[Any], Any]:
    """A `Sequential` of dense layers, relu between them."""

    def make(keras: Any) -> Any:
        dense = keras.layers.Dense
        hidden = [dense(n, activation="relu") for n in sizes[1:-1]]
        return keras.Sequential([keras.Input((sizes[0],)), *hidden, dense(sizes[-1])])

    return make


def normalised(keras: Any) -> Any:
    """Dense, batch and layer normalisation, dropout."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(64),
            layers.LayerNormalization(),
            layers.Activation("relu"),
            layers.Dense(64, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.1),
            layers.Dense(2),
        ]
    )


def with_skip(keras: Any) -> Any:
    """A functional model with a connection past a layer, and two heads."""
    layers = keras.layers
    inputs = keras.Input((4,))
    x = layers.Dense(64, activation="relu")(inputs)
    x = layers.LayerNormalization()(layers.Add()([x, layers.Dense(64, activation="relu")(x)]))
    return keras.Model(inputs, [layers.Dense(2)(x), layers.Dense(1)(x)])


def convolutional(keras: Any) -> Any:
    """Two convolutions of 12 × 12 images with two channels."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((12, 12, 2)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.Conv2D(8, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )


class NumpyPolicy(BaseAgent):
    """A network in NumPy, float32, relu; its action is its output."""

    def __init__(self, sizes: Sizes, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._sizes = sizes
        pairs = list(pairwise(sizes))
        self.layers = [
            DenseLayer(
                kernel=(rng.normal(size=(n, m)) / np.sqrt(n)).astype(np.float32),
                bias=np.zeros(m, np.float32),
                activation=Activation.LINEAR if i == len(pairs) - 1 else Activation.RELU,
            )
            for i, (n, m) in enumerate(pairs)
        ]

    def act(self, observation: Any) -> Any:
        return self.act_batch(np.asarray(observation)[np.newaxis])[0]

    def act_batch(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Actions [B, A]."""
        x = observations
        for layer in self.layers:
            x = x @ layer.kernel + layer.bias
            x = np.maximum(x, 0) if layer.activation is Activation.RELU else x
        return x

    @property
    def weights_version(self) -> int:
        """Always 0: it does not learn."""
        return 0

    def stack_key(self) -> Hashable:
        """The widths."""
        return self._sizes

    def stack(self, members: Sequence[Any]) -> StackedMLP:
        """All as one."""
        return StackedMLP(members, lambda member: member.layers)

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        return {}

    def get_hyperparams(self) -> HyperparamSet:
        return HyperparamSet()

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        pass

    def save_weights(self, path: str) -> None:
        pass

    def load_weights(self, path: str) -> None:
        pass


class PlainPolicy(NumpyPolicy):
    """Overrides how it acts, and so does not stack."""

    def act(self, observation: Any) -> Any:
        return super().act(observation)

    def act_batch(self, observations: NDArray[Any]) -> NDArray[Any]:
        return super().act_batch(observations)


class EagerPolicy(PlainPolicy):
    """Calls a Keras model as it is."""

    def __init__(self, model: Any) -> None:
        super().__init__((1, 1), 0)
        self.model = model

    def act(self, observation: Any) -> Any:
        return self.act_batch(np.asarray(observation)[np.newaxis])[0]

    def act_batch(self, observations: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(self.model(observations))
