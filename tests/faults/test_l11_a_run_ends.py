"""L11: with default settings and scores that stay the same, a run ends by itself and says why."""

from pathlib import Path
from typing import Any

import pytest

from optix_core import (
    BaseEvaluator,
    EpisodeData,
    EvalMetrics,
    LoopState,
    RLOptimizer,
    StopReason,
)
from optix_core.testing import ScriptedPipeline

from .runs import CountingAgent

DORMANT_THRESHOLD, MAX_INTERVAL = 20, 100


class Always(BaseEvaluator):
    """Gives one score, whatever the window holds."""

    def __init__(self, score: float) -> None:
        self.given = score

    def score(self, episode_data: EpisodeData, train_diagnostics: dict[str, Any]) -> EvalMetrics:
        return EvalMetrics(self.given, {}, episode_data.episode_id)


@pytest.mark.parametrize("score", [0.0, 1.0, -3.0, float("nan")])
def test_constant_scores_end_a_run(tmp_path: Path, score: float) -> None:
    pipeline = ScriptedPipeline(lambda agent, window_id: [1.0])
    optimizer = RLOptimizer(
        CountingAgent(), pipeline, evaluator=Always(score), checkpoint_dir=tmp_path, seed=0
    )
    report = optimizer.run()
    assert report.state is LoopState.DORMANT
    assert report.stop_reason in (StopReason.CONVERGED, StopReason.NO_IMPROVEMENT)
    assert report.windows <= DORMANT_THRESHOLD * MAX_INTERVAL
