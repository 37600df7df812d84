"""What is saved comes back exactly; what does not fit is refused before anything changed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from optix_core import HyperparamSet
from optix_core.errors import CheckpointCorruptError, CheckpointError, CheckpointNotFoundError
from optix_core.weights_file import save_arrays
from optix_tf import TFAgent
from optix_tf._tensorflow import keras

from . import models
from .cart_pole import one_window


def make_agent(kind: str = "sequential", optimizer: Any = None, seed: int = 0) -> TFAgent:
    return TFAgent(
        model=models.KINDS[kind](10 * seed),
        optimizer=keras.optimizers.Adam(1e-2) if optimizer is None else optimizer,
        hyperparams=HyperparamSet({"learning_rate": 1e-2}),
        seed=seed,
    )


def everything(agent: TFAgent) -> list[Any]:
    return [v.numpy() for v in [*agent.model.variables, *agent.optimizer.variables]]


def taught(kind: str, path: Path) -> TFAgent:
    agent = make_agent(kind)
    rng = np.random.default_rng(0)
    for _ in range(3):
        agent.learn(one_window(agent, rng))
    agent.save_weights(str(path))
    return agent


@pytest.mark.parametrize("kind", ["sequential", "batch_normalised", "two_headed"])
def test_every_variable_and_slot_comes_back_and_learning_goes_on(kind: str, tmp_path: Path) -> None:
    source, target = taught(kind, tmp_path / "w"), make_agent(kind, seed=1)
    target.load_weights(str(tmp_path / "w"))
    for one, other in zip(everything(source), everything(target), strict=True):
        assert_array_equal(one, other)
    window = one_window(make_agent(kind), np.random.default_rng(9))
    source.learn(window)
    target.learn(window)
    for one, other in zip(everything(source), everything(target), strict=True):
        assert_array_equal(one, other)


def test_batch_statistics_are_among_what_is_saved(tmp_path: Path) -> None:
    taught("batch_normalised", tmp_path / "w")
    target = make_agent("batch_normalised", seed=1)
    target.load_weights(str(tmp_path / "w"))
    assert np.abs(target.model.layers[1].moving_mean.numpy()).max() > 0


def test_the_learning_rate_stays_the_hyperparameters(tmp_path: Path) -> None:
    taught("sequential", tmp_path / "w")
    target = make_agent()
    target.set_hyperparams(HyperparamSet({"learning_rate": 0.5}))
    target.load_weights(str(tmp_path / "w"))
    assert float(target.optimizer.learning_rate) == 0.5


def test_a_model_without_an_input_is_built_from_the_file(tmp_path: Path) -> None:
    source = taught("subclassed", tmp_path / "w")
    target = make_agent("subclassed", seed=1)
    target.load_weights(str(tmp_path / "w"))
    observations = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    assert_array_equal(
        target.action_distribution(observations), source.action_distribution(observations)
    )


def test_a_model_without_weights_has_nothing_to_save(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no weights yet"):
        make_agent("unbuilt").save_weights(str(tmp_path / "w"))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (lambda: make_agent("batch_normalised"), "not known here|is missing"),
        (lambda: make_agent(optimizer=keras.optimizers.SGD()), "not known here"),
        (lambda: make_agent(optimizer=keras.optimizers.RMSprop()), "is missing"),
        (lambda: wider(), "has shape"),  # noqa: PLW0108 - defined further down
    ],
)
def test_another_architecture_or_optimizer_is_refused(
    target: Any, message: str, tmp_path: Path
) -> None:
    taught("sequential", tmp_path / "w")
    agent = target()
    before = everything(agent)
    with pytest.raises(CheckpointError, match=message):
        agent.load_weights(str(tmp_path / "w"))
    for one, other in zip(before, everything(agent)[: len(before)], strict=True):
        assert_array_equal(one, other)


def wider() -> TFAgent:
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(17, "relu"),
            keras.layers.Dense(16, "tanh"),
            keras.layers.Dense(3),
        ]
    )
    return TFAgent(model, keras.optimizers.Adam(), HyperparamSet())


def test_a_file_that_is_missing_cut_off_or_something_else_is_a_typed_error(tmp_path: Path) -> None:
    path = tmp_path / "w"
    agent = taught("sequential", path)
    with pytest.raises(CheckpointNotFoundError):
        agent.load_weights(str(tmp_path / "nowhere"))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(CheckpointCorruptError):
        agent.load_weights(str(path))
    save_arrays(tmp_path / "others", {"weights": np.zeros(3)})
    with pytest.raises(CheckpointError, match="holds no agent"):
        agent.load_weights(str(tmp_path / "others"))


def test_no_code_comes_from_a_file(tmp_path: Path) -> None:
    ran = list[int]()

    def note(x: Any) -> Any:
        ran.append(1)
        return x

    model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(note), keras.layers.Dense(3)])
    agent = TFAgent(model, keras.optimizers.Adam(), HyperparamSet(), seed=0)
    agent.act(np.zeros(4, np.float32))
    agent.save_weights(str(tmp_path / "w"))
    ran.clear()
    plain = TFAgent(
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]),
        keras.optimizers.Adam(),
        HyperparamSet(),
    )
    plain.load_weights(str(tmp_path / "w"))
    plain.act(np.zeros(4, np.float32))
    assert ran == []
    assert b"Lambda" not in (tmp_path / "w").read_bytes()
