"""The training loop for reinforcement learning that runs itself: its framework-free core."""

from importlib.metadata import version

from optix_core.base_agent import BaseAgent
from optix_core.base_evaluator import BaseEvaluator
from optix_core.base_optimizer import BaseOptimizer
from optix_core.base_pipeline import BasePipeline
from optix_core.domain import Domain
from optix_core.episode_data import EpisodeData
from optix_core.eval_metrics import EvalMetrics
from optix_core.hyperparam_set import HyperparamSet
from optix_core.loop_state import LoopState
from optix_core.policy_snapshot import PolicySnapshot

__version__ = version("optix-core")

__all__ = [
    "BaseAgent",
    "BaseEvaluator",
    "BaseOptimizer",
    "BasePipeline",
    "Domain",
    "EpisodeData",
    "EvalMetrics",
    "HyperparamSet",
    "LoopState",
    "PolicySnapshot",
]
