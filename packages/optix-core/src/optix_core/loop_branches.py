"""A run's branches: the run's workbench, an executor; and their end."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace

from optix_core.base_agent import BaseAgent
from optix_core.errors import CheckpointError
from optix_core.executor import Executor
from optix_core.inline_executor import InlineExecutor
from optix_core.learning_seat import LearningSeat
from optix_core.loop_parts import LoopParts
from optix_core.run_branches import BranchParts, RunBranches
from optix_core.run_recorder import RunRecorder

logger = logging.getLogger(__name__)


def open_branches(
    parts: LoopParts,
    *,
    learning: LearningSeat,
    recorder: RunRecorder,
    on_adopt: Callable[[], None],
) -> RunBranches:
    """Return the branches of a run; nothing is written before the first snapshot.

    Args:
        parts: what the loop is made of.
        learning: the seat of the learner.
        recorder: knows how far the run is.
        on_adopt: called when a branch has become the learner.
    """
    bench, steering = parts.bench, parts.steering

    def executor_for(agent: BaseAgent) -> AbstractContextManager[Executor]:
        if parts.executor is not None:
            return nullcontext(parts.executor)  # who made it closes it
        return closing(InlineExecutor(replace(bench, agent=agent)))

    return RunBranches(
        BranchParts(
            store=bench.store,
            learning=learning,
            judge=parts.judge,
            guard=parts.guard,
            recorder=recorder,
            executor_for=executor_for,
            begin=bench.stage.begin,
            on_adopt=on_adopt,
            max_windows=parts.max_windows,
            has_held_out=bench.stage.has_held_out,
            steered=lambda: [] if steering.held is None else [steering.held],
        )
    )


def close_branches(parts: LoopParts, *, is_over: bool) -> None:
    """Remove the snapshots of branches that nothing needs after the end of a run.

    Where the run may be resumed (`is_over` is False) those stay that its saved state refers to.
    What cannot be removed is logged: the run has ended either way.
    """
    try:
        if is_over:
            parts.directory.remove_branches()
        else:
            parts.bench.store.clear()
    except (OSError, CheckpointError) as error:
        path = parts.directory.branches_path
        logger.warning("snapshots of branches stay in %s: %s", path, error)
