"""TFAgent keeps the agent's contract, whatever the kind of model."""

from typing import Any

import numpy as np
import pytest

from optix_core import BaseAgent, HyperparamSet
from optix_core.testing import AgentContract
from optix_tf import TFAgent
from optix_tf._tensorflow import keras

from . import models


@pytest.mark.usefixtures("op_by_op")
class _Contract(AgentContract):
    kind: str

    def make_agent(self, seed: int) -> BaseAgent:
        return TFAgent(
            model=models.KINDS[self.kind](10 * seed),
            optimizer=keras.optimizers.Adam(1e-2),
            hyperparams=HyperparamSet({"learning_rate": 1e-2, "gamma": 0.9}),
            seed=seed,
        )

    def make_observation(self, rng: np.random.Generator) -> Any:
        return rng.standard_normal(4).astype(np.float32)


class TestSequential(_Contract):
    kind = "sequential"


class TestFunctional(_Contract):
    kind = "functional"


class TestTwoHeaded(_Contract):
    kind = "two_headed"


class TestBatchNormalised(_Contract):
    kind = "batch_normalised"


class TestSubclassed(_Contract):
    kind = "subclassed"

    def make_agent(self, seed: int) -> BaseAgent:
        agent = super().make_agent(seed)
        # A model without an Input has no weights to save before it saw an observation.
        assert isinstance(agent, TFAgent)
        agent.act_greedy(np.zeros(4, np.float32))
        return agent
