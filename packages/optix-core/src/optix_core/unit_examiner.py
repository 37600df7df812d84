"""Lets an executor play held-out episodes with policies of a run, each as a unit of no windows."""

from collections.abc import Iterable, Sequence
from typing import Protocol, final

from optix_core.base_agent import BaseAgent
from optix_core.examination import Exam
from optix_core.executor import Executor
from optix_core.tuning_seat import read_hyperparams
from optix_core.work_unit import WorkUnit


class PolicyKeeper(Protocol):
    """Gives policies names by which an executor finds them: `BranchStore`, `SeatedPolicies`."""

    def save(self, agent: BaseAgent) -> str:
        """Keep the policy of an agent as it is; returns its name."""
        ...

    def release(self, name: str) -> None:
        """Let go of it."""
        ...


@final
class UnitExaminer:
    """Names policies so that the executor finds them, has them examined, and lets go of them."""

    def __init__(self, executor: Executor, policies: PolicyKeeper) -> None:
        """Send units to this executor, whose parents are kept where it finds them."""
        self._executor = executor
        self._policies = policies

    def examine(self, agents: Iterable[BaseAgent], seeds: Sequence[int]) -> list[Exam]:
        """Examine policies at the same time, each on one episode a seed.

        Args:
            agents: as they are when it is their turn; one may come again with other weights.
            seeds: at least 2.
        """
        parents: list[str] = []
        handles: list[int] = []
        try:
            for agent in agents:
                parents.append(self._policies.save(agent))
                handles.append(self._executor.submit(_unit_of(parents[-1], agent, seeds)))
            results = self._executor.wait(handles)
        finally:
            # Also of those that were saved before one that could not be.
            for parent in parents:
                self._policies.release(parent)
        return [
            Exam(metrics=result.metrics, steps=result.exam_steps, returns=result.returns)
            for result in results
        ]


def _unit_of(parent: str, agent: BaseAgent, seeds: Sequence[int]) -> WorkUnit:
    return WorkUnit(
        parent=parent,
        hyperparams=read_hyperparams(agent).params,
        seed=0,
        n_windows=0,
        exam_seed=0,
        n_episodes=len(seeds),
        exam_seeds=tuple(seeds),
    )
