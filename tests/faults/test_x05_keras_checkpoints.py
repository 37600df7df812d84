"""X05: a checkpoint of a Keras agent is arrays alone: no code comes from it, all of them return."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from optix_core import EpisodeData, EvalMetrics, HyperparamSet
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import CheckpointCorruptError, CheckpointError
from optix_core.weights_file import load_arrays
from optix_tf import TFAgent
from optix_tf._tensorflow import keras

layers = keras.layers


def model(seed: int, *, width: int = 8, note: Any = None) -> Any:
    """A network with batch statistics, and with a Lambda where there is something to note."""
    parts = [
        keras.Input((4,)),
        layers.Dense(width, kernel_initializer=keras.initializers.GlorotUniform(seed)),
        layers.BatchNormalization(),
        layers.Dense(3, kernel_initializer=keras.initializers.GlorotUniform(seed + 1)),
    ]
    return keras.Sequential(parts if note is None else [*parts, layers.Lambda(note)])


def agent(seed: int, **options: Any) -> TFAgent:
    rate = HyperparamSet({"learning_rate": 1e-2})
    return TFAgent(model(seed, **options), keras.optimizers.Adam(1e-2), rate, seed=seed)


def window(seed: int) -> EpisodeData:
    rng = np.random.default_rng(seed)
    observations = rng.standard_normal((32, 4)).astype(np.float32)
    ends = np.arange(32) % 8 == 7
    return EpisodeData(
        observations=observations,
        actions=rng.integers(0, 3, 32),
        rewards=rng.standard_normal(32),
        terminated=ends,
        truncated=np.zeros(32, np.bool_),
        next_observations=observations,
        infos=[{} for _ in range(32)],
    )


def everything(of: TFAgent) -> list[Any]:
    return [variable.numpy() for variable in [*of.model.variables, *of.optimizer.variables]]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[CheckpointRegistry, TFAgent]:
    """A registry with an agent that learned, and the agent."""
    source = agent(0)
    for number in range(3):
        source.learn(window(number))
    registry = CheckpointRegistry(tmp_path_factory.mktemp("keras"))
    registry.save(source, EvalMetrics(1.0), source.get_hyperparams())
    return registry, source


def test_every_variable_and_every_slot_comes_back(
    saved: tuple[CheckpointRegistry, TFAgent],
) -> None:
    registry, source = saved
    target = agent(5)
    assert registry.load_best(target) is not None
    # Two moments of six trained arrays, the step and the rate, and the batch's statistics.
    assert len(everything(source)) == 8 + 2 * 6 + 2
    for one, other in zip(everything(source), everything(target), strict=True):
        assert_array_equal(one, other)
    assert np.abs(source.model.layers[1].moving_mean.numpy()).max() > 0
    observations = window(9).observations
    assert_array_equal(
        source.action_distribution(observations), target.action_distribution(observations)
    )
    source.learn(window(10))
    target.learn(window(10))
    for one, other in zip(everything(source), everything(target), strict=True):
        assert_array_equal(one, other)


def test_the_file_holds_arrays_and_nothing_else(
    saved: tuple[CheckpointRegistry, TFAgent], tmp_path: Path
) -> None:
    ran: list[int] = []

    def note(x: Any) -> Any:
        ran.append(1)
        return x

    source = agent(0, note=note)
    source.act(np.zeros(4, np.float32))
    source.save_weights(str(tmp_path / "weights"))
    ran.clear()
    arrays = load_arrays(tmp_path / "weights")
    assert {array.dtype.kind for array in arrays.values()} <= set("fiub")
    text = (tmp_path / "weights").read_bytes()
    assert not [word for word in (b"Lambda", b"class_name", b"lambda", b"marshal") if word in text]
    agent(1).load_weights(str(tmp_path / "weights"))
    assert ran == []


# Keras' own saving, which we never call, meets NumPy's new protocol.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_keras_file_is_not_taken_for_one_of_ours(tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    def leave_a_trace(x: Any) -> Any:
        ran.touch()
        return x

    hostile = model(0, note=leave_a_trace)
    for name in ("model.keras", "model.weights.h5"):
        path = tmp_path / name
        (hostile.save if name.endswith("keras") else hostile.save_weights)(path)
        ran.unlink(missing_ok=True)
        with pytest.raises(CheckpointCorruptError):
            agent(0).load_weights(str(path))
    assert not ran.exists()


def test_another_shape_is_a_typed_error_that_changes_nothing(
    saved: tuple[CheckpointRegistry, TFAgent],
) -> None:
    registry, _ = saved
    target = agent(0, width=9)
    before = everything(target)
    with pytest.raises(CheckpointError, match="shape"):
        registry.load_best(target)
    for one, other in zip(before, everything(target)[: len(before)], strict=True):
        assert_array_equal(one, other)
