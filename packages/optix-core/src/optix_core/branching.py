"""Tuners that try hyperparameters out on branches of training, and what the loop gives them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from optix_core.eval_metrics import EvalMetrics
from optix_core.work_unit import UnitResult, WorkUnit


class Branches(Protocol):
    """What a tuner that branches may do. Windows of branches count as training of the run."""

    @property
    def learner_windows(self) -> int:
        """Windows of the run that the learner itself has played, this one included."""
        ...

    @property
    def windows(self) -> int:
        """Windows of training so far, those of branches included."""
        ...

    @property
    def max_windows(self) -> int | None:
        """The budget of the run in windows; None for no limit."""
        ...

    @property
    def windows_left(self) -> int | None:
        """Windows that branches may still take; None for no limit.

        One is kept back: what the learner has become is evaluated by the run itself.
        """
        ...

    @property
    def has_held_out(self) -> bool:
        """Whether the run validates on a pipeline of its own.

        Otherwise the training pipeline plays held-out episodes as well.
        """
        ...

    @property
    def steered(self) -> Collection[str]:
        """Hyperparameters that the loop itself steers, so that a tuner need not."""
        ...

    @property
    def hyperparams(self) -> dict[str, Any]:
        """Hyperparameters of the learner, as read back."""
        ...

    def save(self) -> str:
        """Save the learner as it is; returns the snapshot, which is held."""
        ...

    def run(self, units: Sequence[WorkUnit]) -> list[UnitResult]:
        """Do units; their children are held. The learner is as it was afterwards.

        Raises:
            ConfigurationError: if they need more windows than are left.
        """
        ...

    def adopt(self, snapshot_id: str, hyperparams: Mapping[str, Any]) -> None:
        """Let the learner become what a snapshot holds, then put these hyperparameters into it.

        Raises:
            ContractViolationError: if the agent does not give back what it got.
        """
        ...

    def hold(self, snapshot_id: str) -> None:
        """Keep a snapshot until it is released as often.

        Raises:
            CheckpointNotFoundError: if there is no such snapshot.
        """
        ...

    def release(self, snapshot_id: str) -> None:
        """Take back one hold."""
        ...


@runtime_checkable
class BranchingTuner(Protocol):
    """A `BaseOptimizer` that branches; `suggest` is asked as ever, after `step`."""

    @property
    def is_branching(self) -> bool:
        """Whether `step` will ever do anything, set up as this tuner is."""
        ...

    def step(self, branches: Branches, history: Sequence[EvalMetrics]) -> None:
        """Use the branches, or let this evaluation pass; the newest one is the learner's."""
        ...

    def held(self) -> list[str]:
        """Return the snapshots that are held, each as often as it is; to be held after a resume."""
        ...
