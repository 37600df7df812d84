"""The training loop for reinforcement learning that runs itself: its framework-free core."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from optix_core.base_agent import BaseAgent
from optix_core.base_evaluator import BaseEvaluator
from optix_core.base_optimizer import BaseOptimizer
from optix_core.base_pipeline import BasePipeline
from optix_core.data_source import DataSource
from optix_core.decisions import NextRound, Stop, StopReason
from optix_core.domain import Domain
from optix_core.episode_data import EpisodeData
from optix_core.eval_metrics import EvalMetrics
from optix_core.evaluators import ReturnEvaluator
from optix_core.hyperparam_set import HyperparamSet
from optix_core.loop_state import LoopState
from optix_core.seeds import SeedPlan

if TYPE_CHECKING:
    from optix_core.checkpoint_registry import CheckpointRegistry
    from optix_core.executor import Executor
    from optix_core.inline_executor import InlineExecutor
    from optix_core.loop_callback import LoopCallback, LoopHandle
    from optix_core.optimizers import (
        BackoffOptimizer,
        OptunaOptimizer,
        PBTOptimizer,
        PopulationOptimizer,
    )
    from optix_core.policy_snapshot import PolicySnapshot
    from optix_core.rl_optimizer import RLOptimizer
    from optix_core.run_directory import RunDirectory
    from optix_core.run_report import RunReport, render_report
    from optix_core.simple_pipeline import SimplePipeline
    from optix_core.step_size_controller import StepSizeController
    from optix_core.work_unit import UnitResult, WorkUnit
    from optix_core.workbench import Workbench

__version__: str

__all__ = [
    "BackoffOptimizer",
    "BaseAgent",
    "BaseEvaluator",
    "BaseOptimizer",
    "BasePipeline",
    "CheckpointRegistry",
    "DataSource",
    "Domain",
    "EpisodeData",
    "EvalMetrics",
    "Executor",
    "HyperparamSet",
    "InlineExecutor",
    "LoopCallback",
    "LoopHandle",
    "LoopState",
    "NextRound",
    "OptunaOptimizer",
    "PBTOptimizer",
    "PolicySnapshot",
    "PopulationOptimizer",
    "RLOptimizer",
    "ReturnEvaluator",
    "RunDirectory",
    "RunReport",
    "SeedPlan",
    "SimplePipeline",
    "StepSizeController",
    "Stop",
    "StopReason",
    "UnitResult",
    "WorkUnit",
    "Workbench",
    "render_report",
]

_LOADED_WHEN_ASKED = {
    "BackoffOptimizer": "optimizers",
    "CheckpointRegistry": "checkpoint_registry",
    "Executor": "executor",
    "InlineExecutor": "inline_executor",
    "LoopCallback": "loop_callback",
    "LoopHandle": "loop_callback",
    "OptunaOptimizer": "optimizers",
    "PBTOptimizer": "optimizers",
    "PolicySnapshot": "policy_snapshot",
    "PopulationOptimizer": "optimizers",
    "RLOptimizer": "rl_optimizer",
    "RunDirectory": "run_directory",
    "RunReport": "run_report",
    "SimplePipeline": "simple_pipeline",
    "StepSizeController": "step_size_controller",
    "UnitResult": "work_unit",
    "WorkUnit": "work_unit",
    "Workbench": "workbench",
    "render_report": "run_report",
}
"""What runs a run: whoever writes an agent or an evaluator does not pay for it."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        # Not above: reading metadata would take a fifth of the time of importing all the rest.
        from importlib.metadata import version  # noqa: PLC0415

        return version("optix-core")
    if name in _LOADED_WHEN_ASKED:
        return getattr(import_module(f"optix_core.{_LOADED_WHEN_ASKED[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
