"""Who does work units: here, or elsewhere and many at a time."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from optix_core.work_unit import UnitResult, WorkUnit


@runtime_checkable
class Executor(Protocol):
    """Does work units. What comes of a unit does not depend on who does it, nor on the order.

    Parents are found, and children are kept, in the branch store of the run's directory
    (`RunDirectory.branch_store`). A child is pinned for whoever submitted the unit before `wait`
    returns; where `wait` raises, nobody will ask for the others, and none of them stays pinned.
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
