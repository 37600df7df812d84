"""Branches of a run: units are done, counted as training and written into the journal."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from optix_core.base_agent import BaseAgent
from optix_core.branch_store import BranchStore
from optix_core.errors import ConfigurationError
from optix_core.executor import Executor
from optix_core.finite_guard import FiniteGuard
from optix_core.hyperparam_set import HyperparamSet
from optix_core.learning_seat import LearningSeat
from optix_core.read_back import put_into_force
from optix_core.run_recorder import RunRecorder
from optix_core.tuning_seat import read_hyperparams
from optix_core.window_judge import WindowJudge
from optix_core.work_unit import UnitResult, WorkUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchParts:
    """What branches of a run are made of."""

    store: BranchStore
    """Where their snapshots are."""
    learning: LearningSeat
    """The seat of the learner."""
    judge: WindowJudge
    """Counts held-out steps."""
    guard: FiniteGuard
    """Counts windows that were passed over."""
    recorder: RunRecorder
    """Knows how far the run is, and writes units down."""
    executor_for: Callable[[BaseAgent], AbstractContextManager[Executor]]
    """Opens who does units of this learner, until they are done."""
    begin: Callable[[int], None]
    """Begins training anew on a seed."""
    on_adopt: Callable[[], None]
    """Forgets what the policy before has shown."""
    max_windows: int | None
    """The budget of the run."""
    has_held_out: bool
    """Whether there is a validation pipeline."""
    steered: Callable[[], Collection[str]]
    """Says which hyperparameters the loop steers."""


@final
class RunBranches:
    """What `Branches` promises, for one run.

    Snapshots of branches have a store of their own, apart from the policies of the run: they are
    nobody's best.
    """

    def __init__(self, parts: BranchParts) -> None:
        """Branch from the learner of these parts."""
        self._parts = parts

    @property
    def learner_windows(self) -> int:
        """Windows of the run that the learner itself has played."""
        return self._parts.recorder.progress.window_id + 1

    @property
    def windows(self) -> int:
        """Windows of training so far, those of branches included."""
        return self.learner_windows + self._parts.recorder.progress.branch_windows

    @property
    def max_windows(self) -> int | None:
        """The budget of the run in windows; None for no limit."""
        return self._parts.max_windows

    @property
    def windows_left(self) -> int | None:
        """Windows that branches may still take, all but one of the budget; None for no limit."""
        budget = self._parts.max_windows
        return None if budget is None else max(0, budget - self.windows - 1)

    @property
    def has_held_out(self) -> bool:
        """Whether the run validates on a pipeline of its own."""
        return self._parts.has_held_out

    @property
    def steered(self) -> Collection[str]:
        """Hyperparameters that the loop steers."""
        return self._parts.steered()

    @property
    def hyperparams(self) -> dict[str, Any]:
        """Hyperparameters of the learner, as read back."""
        return read_hyperparams(self._parts.learning.agent).params

    def save(self) -> str:
        """Save the learner as it is; returns the snapshot, which is held."""
        name = self._parts.store.save(self._parts.learning.agent)
        self._parts.store.hold(name)
        return name

    def run(self, units: Sequence[WorkUnit]) -> list[UnitResult]:
        """Do units; their children are held. The learner is as it was, training begins anew.

        Raises:
            ConfigurationError: if they need more windows than are left.
        """
        wanted, left = sum(unit.n_windows for unit in units), self.windows_left
        if left is not None and wanted > left:
            raise ConfigurationError(
                f"the branches need {wanted} windows and the budget leaves {left}; ask "
                "windows_left before"
            )
        try:
            with self._parts.executor_for(self._parts.learning.agent) as executor:
                results = executor.wait([executor.submit(unit) for unit in units])
        finally:
            # The episode that the learner was in has gone on without it.
            self._parts.begin(_seed_after(units))
        for unit, result in zip(units, results, strict=True):
            if result.windows:
                self.hold(result.child)
            self._count(unit, result)
        return results

    def adopt(self, snapshot_id: str, hyperparams: Mapping[str, Any]) -> None:
        """Let the learner become what a snapshot holds, then put these hyperparameters into it.

        Raises:
            ContractViolationError: if the agent does not give back what it got.
        """
        parts = self._parts
        agent, progress = parts.learning.agent, parts.recorder.progress
        parts.store.load(snapshot_id, agent)
        put_into_force(agent, HyperparamSet(dict(hyperparams), progress.window_id), "a branch")
        parts.on_adopt()
        parts.recorder.event("branch_adopted", hyperparams=dict(hyperparams))

    def hold(self, snapshot_id: str) -> None:
        """Keep a snapshot until it is released as often.

        Raises:
            CheckpointNotFoundError: if there is no such snapshot.
        """
        self._parts.store.hold(snapshot_id)

    def release(self, snapshot_id: str) -> None:
        """Take back one hold; without any left the snapshot goes."""
        self._parts.store.release(snapshot_id)

    def _count(self, unit: WorkUnit, result: UnitResult) -> None:
        progress = self._parts.recorder.progress
        progress.branch_windows += result.windows
        progress.steps += result.steps
        self._parts.judge.validation_steps += result.exam_steps
        self._parts.guard.n_skipped += result.skipped
        # No name of a snapshot: a run that was resumed may number them otherwise.
        self._parts.recorder.event(
            "unit",
            seed=unit.seed,
            exam_seed=unit.exam_seed,
            windows=result.windows,
            unit_steps=result.steps,
            exam_steps=result.exam_steps,
            steps=progress.steps,
            score=result.metrics.primary_score,
            metrics=result.metrics.metrics,
            hyperparams=result.hyperparams,
        )


def _seed_after(units: Sequence[WorkUnit]) -> int:
    """Where training begins after these units: a seed that follows from theirs."""
    words = np.random.SeedSequence([unit.seed for unit in units]).generate_state(1, np.uint64)
    return int(words[0] >> np.uint64(1))
