"""Agents with a replay memory keep the agent's contract."""

from typing import Any

import numpy as np
import pytest

from optix_core import BaseAgent, HyperparamSet
from optix_core.testing import AgentContract
from optix_tf import DQNAgent, SACAgent, TD3Agent
from optix_tf._tensorflow import keras

from . import models
from .cart_pole import Choice, box

QUICK: dict[str, Any] = {"batch_size": 8, "warmup_steps": 20, "updates_per_step": 0.1}
"""The first window of 40 steps is over when the warm-up is; the second one makes four updates."""


@pytest.mark.usefixtures("op_by_op")
class _Contract(AgentContract):
    observation_space: object = box(4)
    params: dict[str, Any] = QUICK

    def make_observation(self, rng: np.random.Generator) -> Any:
        return rng.standard_normal(4).astype(np.float32)


class TestDQN(_Contract):
    def make_agent(self, seed: int) -> BaseAgent:
        return DQNAgent.for_spaces(
            self.observation_space,
            Choice(3, start=-1),
            seed=seed,
            hyperparams=HyperparamSet(self.params),
            hidden=(8,),
            jit_compile=False,
        )


class TestPrioritisedDQN(TestDQN):
    params = QUICK | {"is_prioritised": True}


class TestDQNOfDiscreteObservations(TestDQN):
    observation_space = Choice(5)

    def make_observation(self, rng: np.random.Generator) -> Any:
        return rng.integers(5)


class TestDQNOfOnesOwnModel(_Contract):
    def make_agent(self, seed: int) -> BaseAgent:
        return DQNAgent(
            models.two_headed(10 * seed),
            keras.optimizers.Adam(1e-3),
            HyperparamSet(self.params),
            seed=seed,
            jit_compile=False,
        )


class TestSAC(_Contract):
    def make_agent(self, seed: int) -> BaseAgent:
        return SACAgent.for_spaces(
            self.observation_space,
            box(2, bound=2.0),
            seed=seed,
            hyperparams=HyperparamSet(self.params),
            hidden=(8,),
            jit_compile=False,
        )


class TestPrioritisedSAC(TestSAC):
    params = QUICK | {"is_prioritised": True}


class TestTD3(_Contract):
    def make_agent(self, seed: int) -> BaseAgent:
        return TD3Agent.for_spaces(
            self.observation_space,
            box(2, bound=2.0),
            seed=seed,
            hyperparams=HyperparamSet(self.params),
            hidden=(8,),
            jit_compile=False,
        )
