"""L08: what an evaluator may call a score, and that nothing is saved of anything else."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optix_core import BaseEvaluator, CheckpointRegistry, EpisodeData, EvalMetrics
from optix_core.errors import ContractViolationError

from .loop_scene import Misbehaving, run_in


class Gives(BaseEvaluator):
    def __init__(self, score: Any) -> None:
        self.given = score

    def score(self, episode_data: EpisodeData, train_diagnostics: dict[str, Any]) -> EvalMetrics:
        return EvalMetrics(self.given, {}, episode_data.episode_id)


@pytest.mark.parametrize("score", [np.float32(1.5), np.float64(1.5), np.array(1.5), 1.5])
def test_numbers_are_taken(tmp_path: Path, score: Any) -> None:
    assert run_in(tmp_path, Misbehaving(), evaluator=Gives(score)).best_score == 1.5


@pytest.mark.parametrize("score", [None, "1.5", np.array([1.5]), [1.5], 1j, True])
def test_anything_else_is_a_broken_contract(tmp_path: Path, score: Any) -> None:
    env = Misbehaving()
    with pytest.raises(ContractViolationError, match="primary_score"):
        run_in(tmp_path, env, evaluator=Gives(score))
    assert env.n_closes == 1
    assert CheckpointRegistry(tmp_path).snapshots() == []
