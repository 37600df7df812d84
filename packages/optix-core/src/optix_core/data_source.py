"""The contract of a live source, and what it may be able to do beyond it."""

from collections.abc import AsyncIterable, Iterable
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class DataSource(Protocol):
    """Hands over items as they come: a market feed, a robot, a game that others play.

    An item is a tuple (observation, reward, terminated, truncated, info), with reward and flags
    as they stand when the observation is made. A `close()`, where there is one, is called from
    another thread, more than once until the stream ends; a later `stream()` opens a new one.
    """

    def stream(self) -> Iterable[Any] | AsyncIterable[Any]:
        """Open a connection and iterate over its items.

        An end is the loss of this connection, as an exception is; `StreamClosedError` is the end
        of the source.
        """
        ...


@runtime_checkable
class TakesActions(Protocol):
    """A live source that wants to know what the agent did."""

    def send(self, action: Any) -> Any:
        """Take the action for the item handed over last; may be a coroutine function.

        An `OSError` says that the connection is lost, which `stream` will notice too.
        """
        ...


@runtime_checkable
class Replayable(Protocol):
    """A live source that can hand over again what it did before."""

    def seek(self, offset: int) -> Any:
        """Let the next `stream()` begin with this item; items count from 0, over all time."""
        ...
