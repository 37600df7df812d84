"""What a training loop is made of."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from optix_core.backoff_scheduler import SchedulerSettings
from optix_core.base_agent import BaseAgent
from optix_core.callback_dispatcher import CallbackDispatcher
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.executor import Executor
from optix_core.final_choice import FinalChoice
from optix_core.finite_guard import FiniteGuard
from optix_core.plateau_test import PlateauTest
from optix_core.policy_comparison import PolicyComparison
from optix_core.promotion import Promotion
from optix_core.run_directory import RunDirectory
from optix_core.seeds import SeedPlan
from optix_core.stage import Stage
from optix_core.steering_seat import SteeringSeat
from optix_core.tuning_seat import TuningSeat
from optix_core.window_judge import WindowJudge
from optix_core.workbench import Workbench


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopParts:
    """What a loop is made of."""

    agent: BaseAgent
    stage: Stage
    judge: WindowJudge
    guard: FiniteGuard
    tuning: TuningSeat
    steering: SteeringSeat
    callbacks: CallbackDispatcher
    directory: RunDirectory
    registry: CheckpointRegistry
    bench: Workbench
    seeds: SeedPlan
    scheduler_settings: SchedulerSettings
    plateau_test: PlateauTest | None
    promotion: Promotion
    final_choice: FinalChoice
    comparison: PolicyComparison
    max_windows: int | None
    asked: Mapping[str, Mapping[str, Any]]
    executor: Executor | None = None
    """Who does units of work; None does them with the run's own parts."""
    resume: bool = False
    clock: Callable[[], float] = time.time
