"""Every Optix package under one import; what needs TensorFlow loads it at first use."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from optix_core import (
    BackoffOptimizer,
    BaseAgent,
    BaseEvaluator,
    BaseOptimizer,
    BasePipeline,
    CheckpointRegistry,
    DataSource,
    Domain,
    EpisodeData,
    EvalMetrics,
    HyperparamSet,
    LoopCallback,
    LoopHandle,
    LoopState,
    NextRound,
    PBTOptimizer,
    PolicySnapshot,
    ReturnEvaluator,
    RLOptimizer,
    RunReport,
    Stop,
    StopReason,
)
from optix_evolve import (
    DecisionRule,
    DenseLayer,
    Ensemble,
    EnsembleAgent,
    EnsemblePolicy,
    Lineage,
    Member,
    MemberInference,
    MetaAction,
    MetaController,
    NoiseLimits,
    NoiseSignals,
    PolicyManager,
    PolicyManagerCallback,
    Population,
    Question,
    RegimeDetector,
    StackedMLP,
    adaptive_noise,
)
from optix_pipelines import (
    BatchPipeline,
    EpisodePipeline,
    LivePipeline,
    ReconnectPolicy,
    WhenFull,
    WindowProgress,
    make_vector,
)

if TYPE_CHECKING:
    from optix_tf import DQNAgent, PPOAgent, SACAgent, TD3Agent, TFAgent, TFEvaluator

__version__ = version("tensor-optix")

__all__ = [
    "BackoffOptimizer",
    "BaseAgent",
    "BaseEvaluator",
    "BaseOptimizer",
    "BasePipeline",
    "BatchPipeline",
    "CheckpointRegistry",
    "DQNAgent",
    "DataSource",
    "DecisionRule",
    "DenseLayer",
    "Domain",
    "Ensemble",
    "EnsembleAgent",
    "EnsemblePolicy",
    "EpisodeData",
    "EpisodePipeline",
    "EvalMetrics",
    "HyperparamSet",
    "Lineage",
    "LivePipeline",
    "LoopCallback",
    "LoopHandle",
    "LoopState",
    "Member",
    "MemberInference",
    "MetaAction",
    "MetaController",
    "NextRound",
    "NoiseLimits",
    "NoiseSignals",
    "PBTOptimizer",
    "PPOAgent",
    "PolicyManager",
    "PolicyManagerCallback",
    "PolicySnapshot",
    "Population",
    "Question",
    "RLOptimizer",
    "ReconnectPolicy",
    "RegimeDetector",
    "ReturnEvaluator",
    "RunReport",
    "SACAgent",
    "StackedMLP",
    "Stop",
    "StopReason",
    "TD3Agent",
    "TFAgent",
    "TFEvaluator",
    "WhenFull",
    "WindowProgress",
    "adaptive_noise",
    "make_vector",
]

_LAZY = {
    "DQNAgent": "optix_tf",
    "PPOAgent": "optix_tf",
    "SACAgent": "optix_tf",
    "TD3Agent": "optix_tf",
    "TFAgent": "optix_tf",
    "TFEvaluator": "optix_tf",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
