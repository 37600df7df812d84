"""PPOAgent keeps the agent's contract for every kind of action space."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from optix_core import BaseAgent, HyperparamSet
from optix_core.testing import AgentContract
from optix_tf import PPOAgent

from .cart_pole import Choice, box


@dataclass(frozen=True)
class Choices:
    """What Gymnasium calls MultiDiscrete."""

    nvec: NDArray[np.int64]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Switches:
    """What Gymnasium calls MultiBinary."""

    n: int
    shape: tuple[int, ...]


@pytest.mark.usefixtures("op_by_op")
class _Contract(AgentContract):
    observation_space: object = box(4)
    action_space: object

    def make_agent(self, seed: int) -> BaseAgent:
        return PPOAgent.for_spaces(
            self.observation_space,
            self.action_space,
            seed=seed,
            hyperparams=HyperparamSet({"minibatch_size": 32, "n_epochs": 1}),
            hidden=(8,),
            jit_compile=False,
        )

    def make_observation(self, rng: np.random.Generator) -> Any:
        return rng.standard_normal(4).astype(np.float32)


class TestDiscrete(_Contract):
    action_space = Choice(3, start=-1)


class TestBox(_Contract):
    action_space = box(2, bound=2.0)


class TestMultiDiscrete(_Contract):
    action_space = Choices(np.array([2, 3]), (2,))


class TestMultiBinary(_Contract):
    action_space = Switches(3, (3,))


class TestDiscreteObservations(_Contract):
    observation_space = Choice(5)
    action_space = Choice(2)

    def make_observation(self, rng: np.random.Generator) -> Any:
        return rng.integers(5)
