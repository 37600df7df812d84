"""Who does work units: here, or elsewhere and many at a time."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from optix_core.work_unit import UnitResult, WorkUnit


@runtime_checkable
class Executor(Protocol):
    """Does work units. What comes of a unit does not depend on who does it, nor on the order.

    Parents are found, and children are kept, in the branch store of the run's directory, where
    each stays until it is released: whoever submitted a unit holds its child when `wait` has
    returned. Where `wait` raises, nobody will ask for the others, and the executor releases them.

    An executor elsewhere does a unit with `RLOptimizer.workbench().do(unit)`, in a process where
    the optimizer was made as it was made for the run. Units and results are plain values.
    """

    def submit(self, unit: WorkUnit) -> int:
        """Take a unit on; returns what `wait` is to be asked for."""
        ...

    def wait(self, handles: Sequence[int]) -> list[UnitResult]:
        """Return the results of these units, in the order of the handles.

        Raises:
            ConfigurationError: if a handle was never given out, or its result was fetched before.
            Exception: what agent, environment or evaluator raised, as it was raised.
        """
        ...

    def close(self) -> None:
        """Drop what was not waited for and let go of what is held. Safe to call twice."""
        ...
