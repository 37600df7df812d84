"""TFEvaluator is core's default with TensorFlow's diagnostics among the metrics."""

from typing import Any

import numpy as np

from optix_core import EpisodeData
from optix_core.testing import EvaluatorContract
from optix_tf import TFEvaluator
from optix_tf._tensorflow import keras, tf


class TestContract(EvaluatorContract):
    def make_evaluator(self) -> Any:
        return TFEvaluator()


def test_tensors_become_numbers() -> None:
    window = EpisodeData(
        observations=np.zeros((3, 1)),
        actions=np.zeros(3),
        rewards=np.ones(3),
        terminated=np.array([False, True, True]),
        truncated=np.zeros(3, np.bool_),
        next_observations=np.zeros((3, 1)),
    )
    diagnostics = {
        "loss": tf.constant(0.5),
        "count": tf.Variable(3),
        "losses": tf.constant([1.0, 2.0]),
        "rate": keras.Variable(0.25),
        "plain": 7,
        "nothing": tf.constant([]),
        "text": tf.constant("a"),
        "word": "b",
    }
    score = TFEvaluator().score(window, diagnostics)
    assert score.primary_score == 1.5
    assert score.metrics["n_episodes"] == 2
    numbers = {name: score.metrics.get(name) for name in diagnostics}
    assert numbers == {
        "loss": 0.5,
        "count": 3,
        "losses": 1.5,
        "rate": 0.25,
        "plain": 7,
        "nothing": None,
        "text": None,
        "word": None,
    }
