"""A run's branches: a store of their own, the run's pipelines, an executor; and their end."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from typing import TYPE_CHECKING

from optix_core.base_agent import BaseAgent
from optix_core.episode_data import EpisodeData
from optix_core.errors import CheckpointError
from optix_core.executor import Executor
from optix_core.learning_seat import LearningSeat
from optix_core.loop_parts import LoopParts
from optix_core.run_recorder import RunRecorder

if TYPE_CHECKING:
    from optix_core.run_branches import RunBranches

logger = logging.getLogger(__name__)


def open_branches(
    parts: LoopParts,
    *,
    learning: LearningSeat,
    recorder: RunRecorder,
    play: Callable[[], EpisodeData | None],
    on_adopt: Callable[[], None],
) -> "RunBranches":
    """Return the branches of a run; nothing is written before the first snapshot.

    Args:
        parts: what the loop is made of.
        learning: the seat of the learner.
        recorder: knows how far the run is.
        play: plays the next training window; None where there is none.
        on_adopt: called when a branch has become the learner.
    """
    # Not above: who imports core need not pay for what a run alone uses.
    from optix_core.branch_stage import BranchStage  # noqa: PLC0415
    from optix_core.examination import Examination  # noqa: PLC0415
    from optix_core.inline_executor import InlineExecutor, Workbench  # noqa: PLC0415
    from optix_core.run_branches import BranchParts, RunBranches  # noqa: PLC0415

    stage = BranchStage(
        parts.pipeline,
        parts.val_pipeline,
        play=play,
        validation_seed=parts.seeds.integer("validation"),
    )
    store = parts.branch_store

    steering = parts.steering

    def begin(seed: int) -> None:
        stage.begin(seed)
        # What was concluded of another policy says nothing of the one that begins here.
        steering.on_restart()

    def learn(agent: BaseAgent, window: EpisodeData) -> None:
        if not parts.guard.passes(window):
            return
        steering.before_learn(agent, window)
        steering.oversee(agent, window, lambda: agent.learn(window))

    def executor_for(agent: BaseAgent) -> AbstractContextManager[Executor]:
        if parts.executor is not None:
            return nullcontext(parts.executor)  # who made it closes it
        bench = Workbench(
            agent=agent,
            store=store,
            begin=begin,
            next_window=stage.next_window,
            learn=learn,
            examination=Examination(
                evaluator=parts.judge.evaluator, play=stage.examine, play_on=stage.examine_on
            ),
            stateful=[steering],
        )
        return closing(InlineExecutor(bench))

    return RunBranches(
        BranchParts(
            store=store,
            learning=learning,
            judge=parts.judge,
            recorder=recorder,
            executor_for=executor_for,
            begin=stage.begin,
            on_adopt=on_adopt,
            max_windows=parts.max_windows,
            has_held_out=parts.val_pipeline is not None,
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
            parts.branch_store.clear()
    except (OSError, CheckpointError) as error:
        logger.warning("snapshots of branches stay in %s: %s", parts.branch_store.path, error)
