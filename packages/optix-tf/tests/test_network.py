"""A network's mirror in NumPy says what the network says."""

import logging
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from optix_core.errors import ContractViolationError
from optix_tf._tensorflow import keras
from optix_tf.network import Network, heads_of

from . import models

layers = keras.layers

_ACTIVATIONS = (
    None,
    "linear",
    "relu",
    "tanh",
    "sigmoid",
    "silu",
    "softplus",
    "elu",
    "leaky_relu",
)
_LAYERS = st.one_of(
    st.tuples(st.just("dense"), st.integers(4, 20), st.sampled_from(_ACTIVATIONS), st.booleans()),
    st.tuples(
        st.sampled_from(
            ("batch", "layer", "dropout", "relu", "leaky", "activation", "rescale", "flatten")
        )
    ),
)


def _layer(kind: str, *options: Any) -> Any:
    if kind == "dense":
        units, activation, use_bias = options
        return layers.Dense(
            units, activation=activation, use_bias=use_bias, bias_initializer="normal"
        )
    return {
        "batch": layers.BatchNormalization,
        "layer": layers.LayerNormalization,
        "dropout": lambda: layers.Dropout(0.5),
        "relu": layers.ReLU,
        "leaky": lambda: layers.LeakyReLU(0.1),
        "activation": lambda: layers.Activation("tanh"),
        "rescale": lambda: layers.Rescaling(2.0, offset=-1.0),
        "flatten": layers.Flatten,
    }[kind]()


@settings(max_examples=25, deadline=None)
@given(st.lists(_LAYERS, min_size=1, max_size=5), st.integers(0, 2**31))
def test_any_stack_of_known_layers_is_mirrored(stack: list[tuple[Any, ...]], seed: int) -> None:
    keras.utils.clear_session(free_memory=False)
    model = keras.Sequential([keras.Input((5,)), *(_layer(*entry) for entry in stack)])
    rng = np.random.default_rng(seed)
    variables: list[Any] = model.variables
    for variable in variables:
        if "seed" not in variable.name:
            variable.assign(np.abs(rng.standard_normal(tuple(variable.shape))) * 0.5)
    network = Network(model)
    batch = rng.standard_normal((7, 5)).astype(np.float32)
    wanted = np.asarray(model(batch, training=False))
    # Layer normalisation divides by a spread that may be next to nothing: Keras loses digits too.
    atol = 1e-3 if ("layer",) in stack else 1e-5
    assert_allclose(network.head(0, batch), wanted, rtol=1e-5, atol=atol)
    assert network.is_mirrored
    for row, answer in zip(batch, wanted, strict=True):
        assert_allclose(network.one(row), answer, rtol=1e-5, atol=atol)


@pytest.mark.parametrize("kind", models.KINDS)
def test_every_head_of_every_kind_of_model_answers_as_the_model(kind: str) -> None:
    model = models.KINDS[kind](3)
    network = Network(model)
    batch = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    found = [network.head(0, batch)]
    wanted = [np.asarray(head) for head in heads_of(model(batch, training=False))]
    found += [network.head(i, batch) for i in range(1, len(wanted))]
    for mine, theirs in zip(found, wanted, strict=True):
        assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)
    assert_allclose(network.one(batch[2]), wanted[0][2], rtol=1e-5, atol=1e-5)
    assert_allclose(network.one(batch[2].astype(np.float64)), wanted[0][2], rtol=1e-5, atol=1e-5)
    assert network.is_mirrored == (kind not in {"functional", "subclassed"})


def test_the_compiled_way_sees_new_weights_at_once_and_the_mirror_when_told() -> None:
    for kind in ("sequential", "subclassed"):
        model = models.KINDS[kind](3)
        network = Network(model)
        observation = np.ones(4, np.float32)
        before = network.one(observation).copy()
        for variable in model.trainable_variables:
            variable.assign(variable.numpy() + 1.0)
        network.mark_stale()
        assert not np.allclose(network.one(observation), before)


def test_layer_normalisation_is_mirrored() -> None:
    model = keras.Sequential([keras.Input((5,)), layers.LayerNormalization(), layers.Dense(3)])
    for variable in model.variables:
        variable.assign(np.random.default_rng(0).standard_normal(variable.shape))
    network = Network(model)
    batch = np.random.default_rng(1).standard_normal((7, 5)).astype(np.float32)
    wanted = np.asarray(model(batch, training=False))
    assert_allclose(network.head(0, batch), wanted, rtol=1e-5, atol=1e-5)
    assert network.is_mirrored


def test_a_subclass_of_a_known_layer_is_left_to_keras() -> None:
    class Doubling(layers.Dense):
        def call(self, inputs: Any, training: bool | None = None) -> Any:  # noqa: FBT001
            return 2.0 * super().call(inputs, training=training)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

    network = Network(keras.Sequential([keras.Input((4,)), Doubling(3)]))
    network.head(0, np.zeros((1, 4), np.float32))
    assert not network.is_mirrored


def test_a_model_of_a_sequential_model_is_mirrored() -> None:
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(6, activation="relu")])
    network = Network(keras.Sequential([inner, layers.Dense(2)]))
    batch = np.ones((2, 4), np.float32)
    wanted = np.asarray(network.model(batch, training=False))
    assert_allclose(network.head(0, batch), wanted, rtol=1e-5, atol=1e-5)
    assert network.is_mirrored


def test_observations_of_another_shape_are_refused() -> None:
    network = Network(models.sequential(0))
    network.one(np.zeros(4, np.float32))
    with pytest.raises(ContractViolationError, match=r"\(4,\).*\(5,\)"):
        network.one(np.zeros(5, np.float32))
    with pytest.raises(ContractViolationError, match=r"\(4,\)"):
        network.one(np.float32(1.0))


def test_the_way_it_runs_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="optix_tf"):
        Network(models.sequential(0)).build((4,))
    assert "in NumPy" in caplog.text
