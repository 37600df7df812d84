"""The values that pass through the loop."""

from optix_core import EpisodeData, EvalMetrics, HyperparamSet, LoopState, PolicySnapshot

__all__ = ["EpisodeData", "EvalMetrics", "HyperparamSet", "LoopState", "PolicySnapshot"]
