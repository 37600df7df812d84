"""L11: with default settings and scores that stay the same, a run ends by itself and says why."""

from pathlib import Path

import pytest

from optix_core import LoopState, RLOptimizer, StopReason
from optix_core.testing import ScriptedPipeline

from .runs import CountingAgent, FirstReward

DORMANT_THRESHOLD, MAX_INTERVAL = 20, 100


@pytest.mark.parametrize("score", [0.0, 1.0, -3.0, float("nan")])
def test_constant_scores_end_a_run(tmp_path: Path, score: float) -> None:
    pipeline = ScriptedPipeline(lambda agent, window_id: [score])
    optimizer = RLOptimizer(
        CountingAgent(), pipeline, evaluator=FirstReward(), checkpoint_dir=tmp_path, seed=0
    )
    report = optimizer.run()
    assert report.state is LoopState.DORMANT
    assert report.stop_reason in (StopReason.CONVERGED, StopReason.NO_IMPROVEMENT)
    assert report.windows <= DORMANT_THRESHOLD * MAX_INTERVAL
