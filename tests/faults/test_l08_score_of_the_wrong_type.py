"""L08: a score that is no number is a violation of the contract, and nothing is saved for it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optix_core import BaseEvaluator, EpisodeData, EvalMetrics, RLOptimizer
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import ContractViolationError
from optix_core.testing import ScriptedPipeline

from .registry_scene import WeightAgent


class Says(BaseEvaluator):
    """Every window scores this."""

    def __init__(self, score: Any) -> None:
        self.said = score

    def score(self, episode_data: EpisodeData, train_diagnostics: dict[str, Any]) -> EvalMetrics:
        return EvalMetrics(self.said)


def run(root: Path, score: Any) -> float | None:
    pipeline = ScriptedPipeline([[1.0]])
    optimizer = RLOptimizer(
        WeightAgent(), pipeline, evaluator=Says(score), checkpoint_dir=root, seed=0
    )
    return optimizer.run().best_score


@pytest.mark.parametrize("score", [np.float32(0.5), np.float16(0.5), np.float64(0.5), 0.5])
def test_a_number_of_numpy_is_a_number(tmp_path: Path, score: Any) -> None:
    assert run(tmp_path, score) == 0.5
    best = CheckpointRegistry(tmp_path).best
    assert best is not None
    assert type(best.eval_metrics.primary_score) is float


@pytest.mark.parametrize("score", [None, "0.5", np.array([0.5, 0.5]), [0.5], 1j, {}], ids=repr)
def test_what_is_no_number_is_refused_and_nothing_saved(tmp_path: Path, score: Any) -> None:
    with pytest.raises(ContractViolationError, match="primary_score"):
        run(tmp_path, score)
    assert CheckpointRegistry(tmp_path).snapshots() == []
