"""What agents that encode their observations have in common."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_core import HyperparamSet
from optix_core.errors import ConfigurationError
from optix_tf._tensorflow import Model, Optimizer, keras
from optix_tf.agent_settings import AgentSettings
from optix_tf.observation_encoding import encoding_of
from optix_tf.observation_inputs import ObservationInputs
from optix_tf.tf_agent import TFAgent

_PREFIX = "agent/observations/"


class EncodedAgent(TFAgent):
    """Shows its network observations that were encoded and, if wanted, normalised.

    The statistics of the observations are part of the policy and saved with the weights.
    Hyperparameters that are not given have the algorithm's defaults.
    """

    def __init__(
        self,
        model: Model,
        optimizer: Optimizer,
        hyperparams: HyperparamSet,
        *,
        defaults: AgentSettings,
        seed: int | np.random.SeedSequence | None,
        observation_space: object,
        normalise: bool,
        jit_compile: bool,
    ) -> None:
        """Make an agent; other arguments are described where a subclass lists them.

        Args:
            model: see the subclass.
            optimizer: its learning rate is the default one, if it is a number.
            hyperparams: those given.
            defaults: what the others are.
            seed: see the subclass.
            observation_space: None passes observations as they are.
            normalise: needs observation_space.
            jit_compile: see the subclass.

        Raises:
            ConfigurationError: if observations are to be normalised without their space.
        """
        if normalise and observation_space is None:
            raise ConfigurationError("normalise=True needs observation_space, got None; give it")
        encoding = None if observation_space is None else encoding_of(observation_space)
        self._inputs = ObservationInputs(encoding, normalise=normalise)
        self._is_jit = jit_compile
        params = _default_params(defaults, optimizer) | hyperparams.params
        super().__init__(model, optimizer, HyperparamSet(params, hyperparams.episode_id), seed=seed)

    def _outputs(self, observations: Any) -> NDArray[Any]:
        """Return the network's first output [B, P] for observations [B, ...]."""
        return self._network.head(0, self._inputs.batch(observations))

    def _agent_arrays(self) -> dict[str, NDArray[Any]]:
        statistics = self._inputs.state_dict()
        return {
            "agent/input_shape": np.array(self._network.input_shape, dtype=np.int64),
            **{f"{_PREFIX}{name}": array for name, array in statistics.items()},
        }

    def _set_agent_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._inputs.load_state_dict(part_of(arrays, _PREFIX))


def part_of(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """Arrays whose names begin with a prefix, by the rest of their names."""
    return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}


def _default_params(defaults: AgentSettings, optimizer: Optimizer) -> dict[str, Any]:
    """Every hyperparameter's default; the learning rate is the optimizer's, if it is a number."""
    params = dataclasses.asdict(defaults)
    del params["learning_rate"]
    rate = optimizer.learning_rate
    if isinstance(rate, keras.Variable):
        # Nine significant digits tell float32 numbers apart; the shortest such form reads best.
        params = {"learning_rate": float(str(np.float32(rate.numpy())))} | params
    return params
