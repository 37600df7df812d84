"""Lets an executor play held-out episodes with policies of a run, each as a unit of no windows."""

from collections.abc import Iterable, Sequence
from typing import final

from optix_core.base_agent import BaseAgent
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.examination import Exam
from optix_core.executor import Executor
from optix_core.inline_executor import keep
from optix_core.tuning_seat import read_hyperparams
from optix_core.work_unit import WorkUnit


@final
class UnitExaminer:
    """Saves policies where the executor finds them, has them examined, and lets go of them."""

    def __init__(self, executor: Executor, store: CheckpointRegistry) -> None:
        """Send units to this executor, their parents in the store that it works with."""
        self._executor = executor
        self._store = store

    def examine(self, policies: Iterable[BaseAgent], seeds: Sequence[int]) -> list[Exam]:
        """Examine policies at the same time, each on one episode a seed.

        Args:
            policies: agents as they are when it is their turn; one agent may come again with
                other weights.
            seeds: at least 2.
        """
        units: list[WorkUnit] = []
        try:
            for agent in policies:
                units.append(self._unit_of(agent, seeds))  # noqa: PERF401 - see below
            handles = [self._executor.submit(unit) for unit in units]
            results = self._executor.wait(handles)
        finally:
            # Also of those that were saved before one that could not be.
            for unit in units:
                self._store.unpin(unit.parent)
        return [
            Exam(metrics=result.metrics, steps=result.exam_steps, returns=result.returns)
            for result in results
        ]

    def _unit_of(self, agent: BaseAgent, seeds: Sequence[int]) -> WorkUnit:
        return WorkUnit(
            parent=keep(self._store, agent).snapshot_id,
            hyperparams=read_hyperparams(agent).params,
            seed=0,
            n_windows=0,
            exam_seed=0,
            n_episodes=len(seeds),
            exam_seeds=tuple(seeds),
        )
