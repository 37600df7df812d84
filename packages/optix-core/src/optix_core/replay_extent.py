"""Which rows a replay memory holds, counted from the first that it ever took in."""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReplayExtent:
    """The newest rows of all that were ever appended: those from `first` up to `appended`."""

    history: object
    """The same object for as long as a row, once appended, stays as it was under its number."""
    appended: int
    """Rows that were ever appended, at least 0."""
    capacity: int
    """Rows that can be held, at least 1."""

    @property
    def first(self) -> int:
        """Number of the oldest row that is held: max(0, appended - capacity)."""
        return max(0, self.appended - self.capacity)
